//! The slash commands: one table for the text dialect and for the client. Pure.

use std::fmt::{self, Write as _};

use super::{Body, Limits, NameError, Nick, Query, RoomName, Topic, clean::is_blank};

/// One command as `/help` shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name, without the slash.
    pub name: &'static str,
    /// Another name for it; empty when there is none.
    pub alias: &'static str,
    /// What follows the name.
    pub arguments: &'static str,
    /// What it does.
    pub summary: &'static str,
}

/// Every command, in the order of `/help`.
pub static COMMANDS: [Spec; 12] = [
    Spec { name: "help", alias: "", arguments: "", summary: "show this list" },
    Spec { name: "join", alias: "", arguments: "ROOM", summary: "go to another room" },
    Spec { name: "rooms", alias: "list", arguments: "", summary: "list the rooms that have people in them" },
    Spec { name: "names", alias: "who", arguments: "", summary: "list who is in this room" },
    Spec { name: "nick", alias: "", arguments: "NAME", summary: "take another nick" },
    Spec { name: "me", alias: "", arguments: "TEXT", summary: "say what you are doing" },
    Spec { name: "msg", alias: "", arguments: "NAME TEXT", summary: "tell one person alone, in whatever room" },
    Spec { name: "reply", alias: "", arguments: "TEXT", summary: "answer the last private message" },
    Spec {
        name: "topic",
        alias: "",
        arguments: "[TEXT | -]",
        summary: "show, set or clear (-) the topic of this room",
    },
    Spec { name: "history", alias: "", arguments: "[N]", summary: "show the last N messages of this room" },
    Spec {
        name: "search",
        alias: "",
        arguments: "WORDS",
        summary: "find messages of this room; \"a phrase\" in quotes",
    },
    Spec { name: "quit", alias: "", arguments: "", summary: "leave" },
];

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/help`
    Help,
    /// `/join ROOM`
    Join(RoomName),
    /// `/rooms`
    Rooms,
    /// `/names`
    Names,
    /// `/nick NAME`
    Nick(Nick),
    /// `/me TEXT`
    Me(Body),
    /// `/msg NAME TEXT`
    Msg(Nick, Body),
    /// `/reply TEXT`
    Reply(Body),
    /// `/topic`
    Topic,
    /// `/topic TEXT`, or `/topic -` for none
    SetTopic(Option<Topic>),
    /// `/history [N]`
    History(Option<u32>),
    /// `/search WORDS`
    Search(Query),
    /// `/quit`
    Quit,
}

/// What somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Nothing to see: it says nothing.
    Blank,
    /// Something to say.
    Say(Body),
    /// Something to do.
    Command(Command),
}

/// Why a typed line was refused; its words go to whoever typed it. It is never sent as chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// No command has this name.
    Unknown(String),
    /// The command lacks something.
    Usage(&'static Spec),
    /// An argument is not what it must be.
    Argument(NameError),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "unknown command /{name}; /help lists them, and //{name} says /{name}")
            }
            Self::Usage(spec) => write!(f, "usage: {spec}"),
            Self::Argument(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<NameError> for CommandError {
    fn from(error: NameError) -> Self {
        Self::Argument(error)
    }
}

impl Spec {
    /// Returns whether `name`, without the slash, is the name of this command, or its other one.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        [self.name, self.alias].iter().any(|own| !own.is_empty() && own.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.name)?;
        if self.arguments.is_empty() { Ok(()) } else { write!(f, " {}", self.arguments) }
    }
}

/// Returns what `line` means: `/command`, `//x` for the text `/x`, or else a text.
///
/// # Errors
/// A [`CommandError`] in words for whoever typed it.
pub fn parse(line: &str) -> Result<Line, CommandError> {
    match line.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => command(rest).map(Line::Command),
        escaped => match Body::new(escaped.unwrap_or(line)) {
            Ok(body) => Ok(Line::Say(body)),
            Err(NameError::Empty) => Ok(Line::Blank),
            Err(error) => Err(error.into()),
        },
    }
}

fn command(typed: &str) -> Result<Command, CommandError> {
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let Some(spec) = COMMANDS.iter().find(|spec| spec.is_named(name)) else {
        return Err(CommandError::Unknown(super::clean::line(name).chars().take(Limits::NICK_CHARS).collect()));
    };
    let text = || {
        Body::new(rest)
            .map_err(|error| if error == NameError::Empty { CommandError::Usage(spec) } else { error.into() })
    };
    let word = rest.trim();
    let needed = || if word.is_empty() { Err(CommandError::Usage(spec)) } else { Ok(word) };
    Ok(match spec.name {
        "join" => Command::Join(RoomName::new(needed()?)?),
        "rooms" => Command::Rooms,
        "names" => Command::Names,
        "nick" => Command::Nick(Nick::new(needed()?)?),
        "me" => Command::Me(text()?),
        "msg" => {
            let (to, text) = word.split_once(char::is_whitespace).ok_or(CommandError::Usage(spec))?;
            Command::Msg(Nick::new(to)?, Body::new(text)?)
        }
        "reply" => Command::Reply(text()?),
        "topic" => match word {
            "" => Command::Topic,
            "-" => Command::SetTopic(None),
            topic => Command::SetTopic(Some(Topic::new(topic)?)),
        },
        "history" if word.is_empty() => Command::History(None),
        "history" => Command::History(Some(word.parse().map_err(|_| CommandError::Usage(spec))?)),
        "search" => Command::Search(Query::new(needed()?)?),
        "quit" => Command::Quit,
        _ => Command::Help,
    })
}

/// Returns what is wrong with `line` where it is a text, and was perhaps meant to be a command: others would read what is for one
/// person alone. What nobody sees in it does not count. `is_command` knows the names of commands, `is_nick` who is there.
pub fn nearly(line: &str, is_command: impl Fn(&str) -> bool, is_nick: impl Fn(&str) -> bool) -> Option<String> {
    if line.starts_with('/') {
        return None;
    }
    let visible: String = line.chars().filter(|c| c.is_whitespace() || !is_blank(*c)).collect();
    let typed = visible.trim_start();
    let mut words = typed.split_whitespace();
    if words.next()?.eq_ignore_ascii_case("msg") {
        let is_private = words.next().is_some_and(is_nick) && words.next().is_some();
        return is_private.then(|| "it has no slash".to_owned());
    }
    let mut rest = typed.chars();
    let first = rest.next()?;
    let name = rest.as_str().split(char::is_whitespace).next().unwrap_or("");
    let is_word = !name.is_empty() && name.chars().all(char::is_alphabetic);
    match first {
        '/' if is_word && visible.len() == line.len() => Some("it begins with a blank".to_owned()),
        '/' if is_word => Some("it begins with an unseen sign".to_owned()),
        // Input methods write the wide one.
        '／' | '⁄' | '∕' if is_word => Some(format!("it begins with {first}")),
        // The keys beside the slash, and those that are a slash with Shift, on many keyboards: in its place, or before it.
        '\\' | '.' | '-' | '7' | ':' | '`' | '\'' | '>' | '!' | '?'
            if is_command(name.strip_prefix('/').unwrap_or(name)) =>
        {
            Some(format!("it begins with {first}"))
        }
        _ => None,
    }
}

/// Returns the list of commands, a line each.
#[must_use]
pub fn help() -> String {
    let mut out = String::from("commands:");
    for spec in &COMMANDS {
        let alias = if spec.alias.is_empty() { String::new() } else { format!(" (also /{})", spec.alias) };
        // Cannot fail: a String takes everything.
        let _ = write!(out, "\n{:<18} {}{alias}", spec.to_string(), spec.summary);
    }
    out.push_str("\n//TEXT             say a text that begins with /");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(text: &str) -> Body {
        Body::new(text).unwrap()
    }

    #[test]
    fn lines_speak_and_two_slashes_say_one() {
        assert_eq!(parse("hello"), Ok(Line::Say(body("hello"))));
        assert_eq!(parse("//etc/hosts"), Ok(Line::Say(body("/etc/hosts"))));
        assert_eq!(parse("  \n"), Ok(Line::Blank));
    }

    #[test]
    fn commands_and_their_aliases() {
        let nick = Nick::new("bob").unwrap();
        for (line, command) in [
            ("/help", Command::Help),
            ("/join #Rust", Command::Join(RoomName::new("rust").unwrap())),
            ("/rooms", Command::Rooms),
            ("/list", Command::Rooms),
            ("/NAMES", Command::Names),
            ("/who", Command::Names),
            ("/nick bob", Command::Nick(nick.clone())),
            ("/me waves", Command::Me(body("waves"))),
            ("/msg bob  hi there", Command::Msg(nick, body(" hi there"))),
            ("/reply yes", Command::Reply(body("yes"))),
            ("/topic", Command::Topic),
            ("/topic tea", Command::SetTopic(Some(Topic::new("tea").unwrap()))),
            ("/topic -", Command::SetTopic(None)),
            ("/history", Command::History(None)),
            ("/history 5", Command::History(Some(5))),
            ("/search tea \"two words\"", Command::Search(Query::new("tea \"two words\"").unwrap())),
            ("/quit", Command::Quit),
        ] {
            assert_eq!(parse(line), Ok(Line::Command(command)), "{line}");
        }
    }

    #[test]
    fn an_unknown_command_is_an_error_and_never_chat() {
        let error = parse("/usr/bin/env x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown command /usr/bin/env; /help lists them, and //usr/bin/env says /usr/bin/env"
        );
        assert!(parse("/").is_err());
    }

    #[test]
    fn what_lacks_something_shows_its_usage() {
        for (line, usage) in
            [("/join", "usage: /join ROOM"), ("/msg bob", "usage: /msg NAME TEXT"), ("/me ", "usage: /me TEXT")]
        {
            assert_eq!(parse(line).unwrap_err().to_string(), usage);
        }
    }

    #[test]
    fn what_is_nearly_a_command_is_seen() {
        let is_command = |name: &str| COMMANDS.iter().any(|spec| spec.is_named(name));
        let nearly = |line: &str| nearly(line, is_command, |nick| nick == "bob").is_some();
        for line in [
            " /msg bob x",
            "\t/quit",
            "\n/me waves",
            " /mgs bob x",
            "\u{a0}/msg bob x",
            "／msg bob x",
            " ／who",
            "\\join x",
            "7msg bob x",
            "-me waves",
            ":QUIT",
            ".list",
            "msg bob the secret",
            " Msg bob x",
        ] {
            assert!(nearly(line), "{line:?}");
        }
        // Signs that nobody sees.
        let unseen =
            "\u{200e}\u{200f}\u{200c}\u{200d}\u{61c}\u{fe0f}\u{34f}\u{180b}\u{2065}\u{3164}\u{2800}\u{115f}\u{e0041}";
        for c in unseen.chars() {
            for line in
                [format!("{c}/msg bob x"), format!(" {c} /msg bob x"), format!("{c}msg bob x"), format!("{c}.quit")]
            {
                assert!(nearly(&line), "{line:?}");
            }
        }
        // What is pressed instead of the slash, or just before it.
        for c in "\\.-7:`'>!?".chars() {
            for line in [format!("{c}msg bob x"), format!("{c}/msg bob x")] {
                assert!(nearly(&line), "{line:?}");
            }
        }
        let texts = "|/msg bob x|/nonsense|//msg bob x|hello| /usr/bin/env|/ msg| / | 1/2|me too|msg me later|msg bob|7 up|7up|\
                     - help|:-)|...|reply soon| hello|\\o/|join us|> me too|!important|?|\u{200e}hello|'me'|./run|>/dev/null";
        for line in texts.split('|') {
            assert!(!nearly(line), "{line:?}");
        }
    }

    #[test]
    fn help_lists_every_command() {
        for spec in &COMMANDS {
            assert!(help().contains(&spec.to_string()));
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(line in "/?[a-z]{0,8}.*") {
            drop(parse(&line));
        }
    }
}
