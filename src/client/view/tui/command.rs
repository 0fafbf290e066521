//! The commands that only the full screen has. They change what is shown, and the client never
//! sends them to the server. Pure.

use super::{
    attention::Bell,
    choices::{Joins, Notify},
    highlights::Word,
};
use crate::protocol::{
    self, NameError, Nick, RoomName,
    command::{self, Command, CommandError, Definition, Group, Line, Spec},
};

/// The commands of the screen, in the order of `/help`.
static OWN: [Definition<ScreenCommand>; 11] = [
    Definition {
        spec: Spec {
            name: "query",
            aliases: &[],
            arguments: "NAME [TEXT]",
            summary: "open a window for one person alone",
            example: "/query bob",
            group: Group::Talk,
        },
        parse: |spec, rest| {
            let word = rest.trim();
            let (nick, text) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
            let nick = nick.strip_prefix('@').unwrap_or(nick);
            if nick.is_empty() {
                return Err(CommandError::Usage(spec));
            }
            Ok(ScreenCommand::Query(named(nick)?, text.trim_start().to_owned()))
        },
    },
    Definition {
        spec: Spec {
            name: "leave",
            aliases: &["part", "close"],
            arguments: "[ROOM]",
            summary: "leave a room; close a private window",
            example: "/leave rust",
            group: Group::Rooms,
        },
        parse: |_, rest| match rest.trim() {
            "" => Ok(ScreenCommand::Leave(None)),
            room => Ok(ScreenCommand::Leave(Some(RoomName::new(room)?))),
        },
    },
    Definition {
        spec: Spec {
            name: "connect",
            aliases: &[],
            arguments: "ADDRESS",
            summary: "go to another server",
            example: "/connect chat.example/rust",
            group: Group::Rooms,
        },
        parse: |spec, rest| Ok(ScreenCommand::Connect(needed(spec, rest)?.to_owned())),
    },
    Definition {
        spec: Spec {
            name: "reconnect",
            aliases: &[],
            arguments: "",
            summary: "connect anew now; waiting, so does Enter",
            example: "/reconnect",
            group: Group::Rooms,
        },
        parse: |spec, rest| alone(spec, rest, ScreenCommand::Reconnect),
    },
    Definition {
        spec: Spec {
            name: "goto",
            aliases: &[],
            arguments: "WHEN",
            summary: "go to a date or time: 2026-11-01, 09:30, 7d, yesterday",
            example: "/goto yesterday",
            group: Group::Read,
        },
        parse: |spec, rest| {
            let when = protocol::sanitize::line(needed(spec, rest)?);
            Ok(ScreenCommand::Goto(when.chars().take(32).collect()))
        },
    },
    Definition {
        spec: Spec {
            name: "clear",
            aliases: &[],
            arguments: "",
            summary: "clear the screen; the history stays",
            example: "/clear",
            group: Group::Read,
        },
        parse: |spec, rest| alone(spec, rest, ScreenCommand::Clear),
    },
    Definition {
        spec: Spec {
            name: "bell",
            aliases: &[],
            arguments: "[off | mentions | all]",
            summary: "show or choose what rings the bell",
            example: "/bell off",
            group: Group::Read,
        },
        parse: |spec, rest| Ok(ScreenCommand::Bell(choice(spec, rest, Bell::named)?)),
    },
    Definition {
        spec: Spec {
            name: "notify",
            aliases: &[],
            arguments: "[all | mentions | none | default]",
            summary: "what of this room rings the bell",
            example: "/notify none",
            group: Group::Read,
        },
        parse: |spec, rest| Ok(ScreenCommand::Notify(choice(spec, rest, Notify::named)?)),
    },
    Definition {
        spec: Spec {
            name: "joins",
            aliases: &[],
            arguments: "[all | spoke | none]",
            summary: "whose comings and goings this room tells",
            example: "/joins none",
            group: Group::Read,
        },
        parse: |spec, rest| Ok(ScreenCommand::Joins(choice(spec, rest, Joins::named)?)),
    },
    Definition {
        spec: Spec {
            name: "ignore",
            aliases: &[],
            arguments: "[NAME …]",
            summary: "list who is hidden; hide them, or show them again",
            example: "/ignore eve",
            group: Group::Read,
        },
        parse: |_, rest| {
            let names = rest.trim().split([' ', ',']).filter(|word| !word.is_empty());
            Ok(ScreenCommand::Ignore(names.map(named).collect::<Result<_, _>>()?))
        },
    },
    Definition {
        spec: Spec {
            name: "highlight",
            aliases: &[],
            arguments: "[WORD … | -WORD]",
            summary: "words that call for you, too",
            example: "/highlight deploy",
            group: Group::Read,
        },
        parse: |spec, rest| {
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            for word in rest.split_whitespace() {
                let (list, word) = word.strip_prefix('-').map_or((&mut added, word), |word| (&mut removed, word));
                list.push(Word::new(word).map_err(|_| CommandError::Usage(spec))?);
            }
            Ok(ScreenCommand::Highlight(added, removed))
        },
    },
];

/// Returns the trimmed argument of a command that requires one.
fn needed<'a>(spec: &'static Spec, rest: &'a str) -> Result<&'a str, CommandError> {
    Some(rest.trim()).filter(|word| !word.is_empty()).ok_or(CommandError::Usage(spec))
}

/// Returns `command`, which takes no argument.
fn alone(spec: &'static Spec, rest: &str, command: ScreenCommand) -> Result<ScreenCommand, CommandError> {
    if rest.trim().is_empty() { Ok(command) } else { Err(CommandError::Usage(spec)) }
}

/// Returns the choice with the typed name, or `None` if the command has no argument.
fn choice<T>(spec: &'static Spec, rest: &str, named: fn(&str) -> Option<T>) -> Result<Option<T>, CommandError> {
    match rest.trim() {
        "" => Ok(None),
        word => named(word).map(Some).ok_or(CommandError::Usage(spec)),
    }
}

/// A parsed command of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScreenCommand {
    /// `/help`, or `/help COMMAND`
    Help(Option<&'static Spec>),
    /// `/join ROOM`: the screen opens the room in a tab beside the others.
    Join(RoomName),
    /// `/query NAME`, or `/query NAME TEXT`
    Query(Nick, String),
    /// `/leave`, or `/leave ROOM`
    Leave(Option<RoomName>),
    /// `/history [N]`: the screen scrolls back.
    History(Option<u32>),
    /// `/goto WHEN`
    Goto(String),
    /// `/connect ADDRESS`, as it was typed
    Connect(String),
    /// `/reconnect`
    Reconnect,
    /// `/clear`
    Clear,
    /// `/bell`, or `/bell off|mentions|all`
    Bell(Option<Bell>),
    /// `/notify`, or `/notify all|mentions|none|default`
    Notify(Option<Notify>),
    /// `/joins`, or `/joins all|spoke|none`
    Joins(Option<Joins>),
    /// `/ignore`, or `/ignore NAME …`
    Ignore(Vec<Nick>),
    /// `/highlight`, or `/highlight WORD … -WORD …`: the words to add, and the words to remove
    Highlight(Vec<Word>, Vec<Word>),
    /// `/quit`
    Quit,
}

/// A line that the user entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entered {
    /// A command of the screen.
    Screen(ScreenCommand),
    /// A line for the chat, and its parsed form.
    Chat(Result<Line, CommandError>),
    /// A text to send to the chat unchanged.
    Verbatim,
}

/// Parses a line that the user entered.
///
/// # Errors
/// Returns a [`CommandError`] if no command has the name, or if a command of the screen has wrong
/// arguments.
pub(super) fn read(line: &str) -> Result<Entered, CommandError> {
    if let Some((Definition { spec, parse }, rest)) =
        line.strip_prefix('/').and_then(|typed| command::find(&OWN, typed))
    {
        return Ok(Entered::Screen(parse(spec, rest)?));
    }
    // List every command here, without a wildcard, so that the compiler reports a new one.
    Ok(match command::parse(line) {
        // The screen has more commands than the chat knows.
        Err(CommandError::Unknown { .. }) | Ok(Line::Command(Command::Help(_))) => Entered::Screen(help(line)?),
        Ok(Line::Command(Command::Join(room))) => Entered::Screen(ScreenCommand::Join(room)),
        Ok(Line::Command(Command::History(count))) => Entered::Screen(ScreenCommand::History(count)),
        Ok(Line::Command(Command::Quit)) => Entered::Screen(ScreenCommand::Quit),
        chat @ (Err(CommandError::Usage(_) | CommandError::Argument(_))
        | Ok(
            Line::Blank
            | Line::Say(_)
            | Line::Command(
                Command::Rooms
                | Command::Names
                | Command::Whois(_)
                | Command::Away(_)
                | Command::Nick(_)
                | Command::Me(_)
                | Command::Msg(..)
                | Command::Reply(_)
                | Command::Topic
                | Command::SetTopic(_)
                | Command::Search { .. },
            ),
        )) => Entered::Chat(chat),
    })
}

/// Parses `/help`, which also explains the commands of the screen. Any other name is an unknown
/// command.
fn help(line: &str) -> Result<ScreenCommand, CommandError> {
    let typed = line.strip_prefix('/').unwrap_or(line);
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    match command::parse(&format!("/{name}")) {
        Ok(Line::Command(Command::Help(_))) => Ok(ScreenCommand::Help(command::explained(rest.trim(), all())?)),
        _ => Err(CommandError::unknown(name, all())),
    }
}

/// Returns `word` as a nick. A nick that breaks the current rules is allowed: somebody may have it
/// on a server of another version.
fn named(word: &str) -> Result<Nick, NameError> {
    let read = || Some(Nick::read(word)).filter(|nick| nick.is_whole() && nick.as_str() == word);
    Nick::new(word).or_else(|error| read().ok_or(error))
}

/// Returns whether `line` begins with the name of a command.
pub(super) fn is_known(line: &str) -> bool {
    line.strip_prefix('/').is_some_and(|typed| is_name(typed.split(char::is_whitespace).next().unwrap_or("")))
}

/// Returns why `text` may be a mistyped command, if it would be sent as a message. With `verbatim`,
/// the text is sent unchanged, whatever it begins with. `is_nick` returns whether somebody with
/// that nick is in the room or spoke there.
pub(super) fn nearly(text: &str, verbatim: bool, is_nick: impl Fn(&str) -> bool) -> Option<String> {
    if text.starts_with('/') && !verbatim {
        return None;
    }
    // If lines are typed ahead and read late, they look like a paste.
    if text.lines().any(|line| is_known(line.trim_start())) && (verbatim || text.lines().count() > 1) {
        return Some("its command counts as text".to_owned());
    }
    command::nearly(text, is_name, is_nick)
}

fn is_name(name: &str) -> bool {
    all().any(|spec| spec.is_named(name))
}

/// Returns every command: those of the chat, and those of the screen.
pub(super) fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    command::specs().chain(OWN.iter().map(|definition| &definition.spec))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the screen command in `line`, or `None` if the line is for the chat.
    fn parse(line: &str) -> Result<Option<ScreenCommand>, CommandError> {
        Ok(match read(line)? {
            Entered::Screen(command) => Some(command),
            Entered::Chat(_) | Entered::Verbatim => None,
        })
    }

    #[test]
    fn commands_of_the_screen_are_taken_and_others_left() {
        for (line, command) in [
            ("/query @bob", Some(ScreenCommand::Query(Nick::new("bob").unwrap(), String::new()))),
            ("/query bob  a b", Some(ScreenCommand::Query(Nick::new("bob").unwrap(), "a b".to_owned()))),
            ("/leave", Some(ScreenCommand::Leave(None))),
            ("/CLOSE", Some(ScreenCommand::Leave(None))),
            ("/leave #Tea ", Some(ScreenCommand::Leave(Some(RoomName::new("tea").unwrap())))),
            ("/history", Some(ScreenCommand::History(None))),
            ("/history 5", Some(ScreenCommand::History(Some(5)))),
            ("/history x", None),
            ("/connect  localhost/rust ", Some(ScreenCommand::Connect("localhost/rust".to_owned()))),
            ("/reconnect", Some(ScreenCommand::Reconnect)),
            ("/clear", Some(ScreenCommand::Clear)),
            ("/goto  2026-11-01 ", Some(ScreenCommand::Goto("2026-11-01".to_owned()))),
            ("/bell", Some(ScreenCommand::Bell(None))),
            ("/bell off", Some(ScreenCommand::Bell(Some(Bell::Off)))),
            ("/highlight", Some(ScreenCommand::Highlight(vec![], vec![]))),
            (
                "/highlight deploy -Tea on-call",
                Some(ScreenCommand::Highlight(
                    ["deploy", "on-call"].map(|word| Word::new(word).unwrap()).to_vec(),
                    vec![Word::new("Tea").unwrap()],
                )),
            ),
            ("/ignore eve", Some(ScreenCommand::Ignore(vec![Nick::new("eve").unwrap()]))),
            ("/ignore", Some(ScreenCommand::Ignore(vec![]))),
            (
                "/ignore eve, bob",
                Some(ScreenCommand::Ignore(["eve", "bob"].map(|nick| Nick::new(nick).unwrap()).to_vec())),
            ),
            ("/notify", Some(ScreenCommand::Notify(None))),
            ("/notify none", Some(ScreenCommand::Notify(Some(Notify::None)))),
            ("/notify default", Some(ScreenCommand::Notify(Some(Notify::Default)))),
            ("/joins all", Some(ScreenCommand::Joins(Some(Joins::All)))),
            ("/ignore ☃", Some(ScreenCommand::Ignore(vec![Nick::read("☃")]))),
            ("/join #Tea", Some(ScreenCommand::Join(RoomName::new("tea").unwrap()))),
            ("/PART", Some(ScreenCommand::Leave(None))),
            ("/j tea", Some(ScreenCommand::Join(RoomName::new("tea").unwrap()))),
            ("/help", Some(ScreenCommand::Help(None))),
            ("/help /part", Some(ScreenCommand::Help(Some(&OWN[1].spec)))),
            ("/q", Some(ScreenCommand::Quit)),
            ("/quit", Some(ScreenCommand::Quit)),
            ("/me waves", None),
            ("/join", None),
            ("//leave", None),
            ("leave", None),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
        assert_eq!(parse("/bell loud").unwrap_err().to_string(), "usage: /bell [off | mentions | all]");
        for line in [
            "/query",
            "/connect",
            "/goto",
            "/query eve\u{1}",
            "/highlight --x",
            "/highlight -",
            "/notify loud",
            "/joins off",
            "/ignore eve \u{1}",
            "/clear all",
            "/reconnect now",
            "/leave this room",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_readme_lists_every_command_under_each_of_its_names() {
        let readme = include_str!("../../../../README.md");
        let rows: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("| `/")?.split(" | ").next()).collect();
        let listed: Vec<_> =
            rows.iter().flat_map(|row| row.split("`, `/")).map(|usage| usage.trim_end_matches('`')).collect();
        let name = |usage: &&str| usage.split(' ').next().unwrap_or_default().to_owned();
        let (mut told, mut known): (Vec<_>, Vec<_>) =
            (listed.iter().map(name).collect(), all().flat_map(Spec::names).map(str::to_owned).collect());
        told.sort();
        known.sort();
        assert_eq!(told, known);
    }

    #[test]
    fn every_example_can_be_typed() {
        for Definition { spec, .. } in &OWN {
            assert!(spec.example.starts_with(&format!("/{}", spec.name)), "{spec}");
            assert!(matches!(parse(spec.example), Ok(Some(_))), "{spec}");
        }
    }

    #[test]
    fn no_command_has_the_name_of_another() {
        let mut names: Vec<_> = all().flat_map(Spec::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
