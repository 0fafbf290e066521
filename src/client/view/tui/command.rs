//! The commands that only a screen has: they are about what is shown, and the server never hears of them. Pure.

use super::{
    attention::Bell,
    choices::{Joins, Notify},
    highlights::Word,
};
use crate::protocol::{
    self, NameError, Nick, RoomName,
    command::{self, COMMANDS, Command, CommandError, Group, Line, Spec},
};

/// The commands of the screen, in the order of `/help`.
pub(super) static OWN: [Spec; 11] = [
    Spec {
        name: "query",
        aliases: &[],
        arguments: "NAME [TEXT]",
        summary: "open a window for one person alone",
        example: "/query bob",
        group: Group::Talk,
    },
    Spec {
        name: "leave",
        aliases: &["part", "close"],
        arguments: "[ROOM]",
        summary: "leave a room; close a private window",
        example: "/leave rust",
        group: Group::Rooms,
    },
    Spec {
        name: "connect",
        aliases: &[],
        arguments: "ADDRESS",
        summary: "go to another server",
        example: "/connect chat.example/rust",
        group: Group::Rooms,
    },
    Spec {
        name: "reconnect",
        aliases: &[],
        arguments: "",
        summary: "connect anew now; waiting, so does Enter",
        example: "/reconnect",
        group: Group::Rooms,
    },
    Spec {
        name: "goto",
        aliases: &[],
        arguments: "WHEN",
        summary: "go to a date or time: 2026-11-01, 09:30, 7d, yesterday",
        example: "/goto yesterday",
        group: Group::Read,
    },
    Spec {
        name: "clear",
        aliases: &[],
        arguments: "",
        summary: "clear the screen; the history stays",
        example: "/clear",
        group: Group::Read,
    },
    Spec {
        name: "bell",
        aliases: &[],
        arguments: "[off | mentions | all]",
        summary: "show or choose what rings the bell",
        example: "/bell off",
        group: Group::Read,
    },
    Spec {
        name: "notify",
        aliases: &[],
        arguments: "[all | mentions | none | default]",
        summary: "what of this room rings the bell",
        example: "/notify none",
        group: Group::Read,
    },
    Spec {
        name: "joins",
        aliases: &[],
        arguments: "[all | spoke | none]",
        summary: "whose comings and goings this room tells",
        example: "/joins none",
        group: Group::Read,
    },
    Spec {
        name: "ignore",
        aliases: &[],
        arguments: "[NAME …]",
        summary: "list who is hidden; hide them, or show them again",
        example: "/ignore eve",
        group: Group::Read,
    },
    Spec {
        name: "highlight",
        aliases: &[],
        arguments: "[WORD … | -WORD]",
        summary: "words that call for you, too",
        example: "/highlight deploy",
        group: Group::Read,
    },
];

/// What a typed line asks of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScreenCommand {
    /// `/help`, or `/help COMMAND`
    Help(Option<&'static Spec>),
    /// `/join ROOM`: on a screen, a room is opened beside the others.
    Join(RoomName),
    /// `/query NAME`, or `/query NAME TEXT`
    Query(Nick, String),
    /// `/leave`, or `/leave ROOM`
    Leave(Option<RoomName>),
    /// `/history [N]`: on a screen, a place to scroll to.
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
    /// `/highlight`, or `/highlight WORD … -WORD …`: words to add, and to take out
    Highlight(Vec<Word>, Vec<Word>),
    /// `/quit`
    Quit,
}

/// Returns what `line` asks of the screen, or nothing where it is meant for the server.
///
/// # Errors
/// A [`CommandError`] when it is a command of the screen and lacks something.
pub(super) fn parse(line: &str) -> Result<Option<ScreenCommand>, CommandError> {
    let Some(typed) = line.strip_prefix('/') else { return Ok(None) };
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let word = rest.trim();
    let Some(spec) = OWN.iter().find(|spec| spec.is_named(name)) else {
        if COMMANDS.iter().any(|spec| spec.name == "help" && spec.is_named(name)) {
            return Ok(Some(ScreenCommand::Help(command::explained(word, all())?)));
        }
        // What else cannot be read is refused by whom it is meant for.
        return Ok(match command::parse(line) {
            Err(CommandError::Unknown { .. }) => return Err(CommandError::unknown(name, all())),
            Ok(Line::Command(Command::Join(room))) => Some(ScreenCommand::Join(room)),
            Ok(Line::Command(Command::History(count))) => Some(ScreenCommand::History(count)),
            Ok(Line::Command(Command::Quit)) => Some(ScreenCommand::Quit),
            _ => None,
        });
    };
    Ok(Some(match spec.name {
        "query" => {
            let (nick, text) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
            let nick = nick.strip_prefix('@').unwrap_or(nick);
            if nick.is_empty() {
                return Err(CommandError::Usage(spec));
            }
            ScreenCommand::Query(named(nick)?, text.trim_start().to_owned())
        }
        "leave" if word.is_empty() => ScreenCommand::Leave(None),
        "leave" => ScreenCommand::Leave(Some(RoomName::new(word)?)),
        "connect" | "goto" if word.is_empty() => return Err(CommandError::Usage(spec)),
        "goto" => ScreenCommand::Goto(protocol::sanitize::line(word).chars().take(32).collect()),
        "connect" => ScreenCommand::Connect(word.to_owned()),
        "reconnect" if word.is_empty() => ScreenCommand::Reconnect,
        "clear" if word.is_empty() => ScreenCommand::Clear,
        "clear" | "reconnect" => return Err(CommandError::Usage(spec)),
        "bell" if word.is_empty() => ScreenCommand::Bell(None),
        "bell" => ScreenCommand::Bell(Some(Bell::named(word).ok_or(CommandError::Usage(spec))?)),
        "notify" if word.is_empty() => ScreenCommand::Notify(None),
        "notify" => ScreenCommand::Notify(Some(Notify::named(word).ok_or(CommandError::Usage(spec))?)),
        "joins" if word.is_empty() => ScreenCommand::Joins(None),
        "joins" => ScreenCommand::Joins(Some(Joins::named(word).ok_or(CommandError::Usage(spec))?)),
        "highlight" => {
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            for word in word.split_whitespace() {
                let (list, word) = word.strip_prefix('-').map_or((&mut added, word), |word| (&mut removed, word));
                list.push(Word::new(word).map_err(|_| CommandError::Usage(spec))?);
            }
            ScreenCommand::Highlight(added, removed)
        }
        _ => {
            let names = word.split([' ', ',']).filter(|word| !word.is_empty());
            ScreenCommand::Ignore(names.map(named).collect::<Result<_, _>>()?)
        }
    }))
}

/// Returns the nick `word`. One that breaks the rules of today may be that of somebody on a server of another version.
fn named(word: &str) -> Result<Nick, NameError> {
    let read = || Some(Nick::read(word)).filter(|nick| nick.is_whole() && nick.as_str() == word);
    Nick::new(word).or_else(|error| read().ok_or(error))
}

/// Returns whether `line` begins with the name of a command.
pub(super) fn is_known(line: &str) -> bool {
    line.strip_prefix('/').is_some_and(|typed| is_name(typed.split(char::is_whitespace).next().unwrap_or("")))
}

/// Returns what is wrong with `text` where it would be said, and was perhaps meant to be a command. With `verbatim` it is said as it
/// stands, whatever it begins with; `is_nick` tells who is there.
pub(super) fn nearly(text: &str, verbatim: bool, is_nick: impl Fn(&str) -> bool) -> Option<String> {
    if text.starts_with('/') && !verbatim {
        return None;
    }
    // Lines that were typed ahead and read late look like a paste.
    if text.lines().any(|line| is_known(line.trim_start())) && (verbatim || text.lines().count() > 1) {
        return Some("its command counts as text".to_owned());
    }
    command::nearly(text, is_name, is_nick)
}

fn is_name(name: &str) -> bool {
    all().any(|spec| spec.is_named(name))
}

/// Returns every command: the server's, and the screen's.
pub(super) fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    COMMANDS.iter().chain(&OWN)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("/help /part", Some(ScreenCommand::Help(Some(&OWN[1])))),
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
        for spec in &OWN {
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
