//! The slash commands: one table for the text dialect and for the client. Pure.

use std::fmt::{self, Write as _};

use strum::{IntoStaticStr, VariantNames};

use super::{AwayText, Body, Limits, NameError, Nick, Query, RoomName, Topic, sanitize::is_blank};

/// One command as `/help` shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name, without the slash.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What follows the name.
    pub arguments: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// A line that one could type.
    pub example: &'static str,
    /// Where it stands in `/help`.
    pub group: Group,
}

/// What a command is about; `/help` shows those of a group together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Saying something.
    Talk,
    /// Rooms, and who is in them.
    Rooms,
    /// What was said, and what is shown of it.
    Read,
    /// The program itself.
    Program,
}

impl Group {
    /// Every group, in the order of `/help`.
    pub const ALL: [Self; 4] = [Self::Talk, Self::Rooms, Self::Read, Self::Program];

    /// Returns the word before the commands of this group.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Rooms => "rooms",
            Self::Read => "read",
            Self::Program => "other",
        }
    }
}

/// A command and how its arguments are read: all that there is to say of it here.
#[derive(Debug)]
pub struct Definition<C: 'static> {
    /// What it is, for people.
    pub spec: Spec,
    /// Reads what follows its name.
    pub parse: fn(&'static Spec, &str) -> Result<C, CommandError>,
}

/// Every command of a chat; a screen has more.
static COMMANDS: [Definition<Command>; 14] = [
    Definition {
        spec: Spec {
            name: "me",
            aliases: &[],
            arguments: "TEXT",
            summary: "say what you are doing",
            example: "/me makes tea",
            group: Group::Talk,
        },
        parse: |spec, rest| Ok(Command::Me(text(spec, rest)?)),
    },
    Definition {
        spec: Spec {
            name: "msg",
            aliases: &["m"],
            arguments: "NAME TEXT",
            summary: "tell one person alone, in whatever room",
            example: "/msg bob lunch at noon?",
            group: Group::Talk,
        },
        parse: |spec, rest| {
            let (to, text) = rest.trim().split_once(char::is_whitespace).ok_or(CommandError::Usage(spec))?;
            Ok(Command::Msg(Nick::new(to)?, Body::new(text)?))
        },
    },
    Definition {
        spec: Spec {
            name: "reply",
            aliases: &[],
            arguments: "TEXT",
            summary: "answer the last private message",
            example: "/reply yes, at noon",
            group: Group::Talk,
        },
        parse: |spec, rest| Ok(Command::Reply(text(spec, rest)?)),
    },
    Definition {
        spec: Spec {
            name: "nick",
            aliases: &[],
            arguments: "NAME",
            summary: "take another nick",
            example: "/nick ada",
            group: Group::Talk,
        },
        parse: |spec, rest| Ok(Command::Nick(Nick::new(word(spec, rest)?)?)),
    },
    Definition {
        spec: Spec {
            name: "away",
            aliases: &[],
            arguments: "[TEXT]",
            summary: "tell who asks that you are away, or back",
            example: "/away at lunch",
            group: Group::Talk,
        },
        parse: |_, rest| match rest.trim() {
            "" => Ok(Command::Away(None)),
            text => Ok(Command::Away(Some(AwayText::new(text)?))),
        },
    },
    Definition {
        spec: Spec {
            name: "join",
            aliases: &["j"],
            arguments: "ROOM",
            summary: "go to another room",
            example: "/join rust",
            group: Group::Rooms,
        },
        parse: |spec, rest| Ok(Command::Join(RoomName::new(word(spec, rest)?)?)),
    },
    Definition {
        spec: Spec {
            name: "rooms",
            aliases: &["list"],
            arguments: "",
            summary: "list the rooms that have people in them",
            example: "/rooms",
            group: Group::Rooms,
        },
        parse: |_, _| Ok(Command::Rooms),
    },
    Definition {
        spec: Spec {
            name: "names",
            aliases: &["who", "w"],
            arguments: "",
            summary: "list who is in this room",
            example: "/names",
            group: Group::Rooms,
        },
        parse: |_, _| Ok(Command::Names),
    },
    Definition {
        spec: Spec {
            name: "whois",
            aliases: &[],
            arguments: "NAME",
            summary: "tell where one person is, and how long idle",
            example: "/whois bob",
            group: Group::Rooms,
        },
        parse: |spec, rest| Ok(Command::Whois(Nick::new(word(spec, rest)?)?)),
    },
    Definition {
        spec: Spec {
            name: "topic",
            aliases: &[],
            arguments: "[TEXT | -]",
            summary: "show, set or clear (-) the topic of this room",
            example: "/topic release on Friday",
            group: Group::Rooms,
        },
        parse: |_, rest| match rest.trim() {
            "" => Ok(Command::Topic),
            "-" => Ok(Command::SetTopic(None)),
            topic => Ok(Command::SetTopic(Some(Topic::new(topic)?))),
        },
    },
    Definition {
        spec: Spec {
            name: "history",
            aliases: &[],
            arguments: "[N]",
            summary: "show the last N messages of this room",
            example: "/history 50",
            group: Group::Read,
        },
        parse: |spec, rest| match rest.trim() {
            "" => Ok(Command::History(None)),
            count => Ok(Command::History(Some(count.parse().map_err(|_| CommandError::Usage(spec))?))),
        },
    },
    Definition {
        spec: Spec {
            name: "search",
            aliases: &["lastlog"],
            arguments: "[-a] WORDS",
            summary: "find messages, -a of all rooms; from:ada after:7d",
            example: "/search -a \"release notes\" from:ada after:7d",
            group: Group::Read,
        },
        parse: |spec, rest| {
            let words = rest.trim();
            let rest = words.strip_prefix("-a").filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
            let (words, all) = rest.map_or((words, false), |rest| (rest.trim_start(), true));
            Ok(Command::Search { query: Query::new(word(spec, words)?)?, all })
        },
    },
    Definition {
        spec: Spec {
            name: "help",
            aliases: &[],
            arguments: "[COMMAND]",
            summary: "show this list, or explain one command",
            example: "/help msg",
            group: Group::Program,
        },
        parse: |_, rest| Ok(Command::Help(explained(rest.trim(), specs())?)),
    },
    Definition {
        spec: Spec {
            name: "quit",
            aliases: &["q", "exit"],
            arguments: "",
            summary: "leave",
            example: "/quit",
            group: Group::Program,
        },
        parse: |_, _| Ok(Command::Quit),
    },
];

/// Returns every command, in the order of `/help`.
pub fn specs() -> impl Iterator<Item = &'static Spec> + Clone {
    COMMANDS.iter().map(|definition| &definition.spec)
}

/// Returns the text that follows a command's name.
fn text(spec: &'static Spec, rest: &str) -> Result<Body, CommandError> {
    Body::new(rest).map_err(|error| if error == NameError::Empty { CommandError::Usage(spec) } else { error.into() })
}

/// Returns the argument that a command cannot do without.
fn word<'a>(spec: &'static Spec, rest: &'a str) -> Result<&'a str, CommandError> {
    Some(rest.trim()).filter(|word| !word.is_empty()).ok_or(CommandError::Usage(spec))
}

/// Returns the definition among `all` that a typed command, without its slash, is of, and what
/// follows the name.
#[must_use]
pub fn find<'a, C>(all: &'static [Definition<C>], typed: &'a str) -> Option<(&'static Definition<C>, &'a str)> {
    let (name, rest) = split(typed);
    Some((all.iter().find(|definition| definition.spec.is_named(name))?, rest))
}

fn split(typed: &str) -> (&str, &str) {
    typed.split_once(char::is_whitespace).unwrap_or((typed, ""))
}

/// The commands that take a secret, those of other programs among them: no line that begins with
/// one is kept. Private messages are kept, as a shell keeps what it is given: who calls one back
/// wants to say it again.
const SECRETS: [&str; 13] = [
    "auth",
    "identify",
    "key",
    "login",
    "nickserv",
    "ns",
    "oper",
    "pass",
    "passphrase",
    "password",
    "register",
    "secret",
    "token",
];

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr, VariantNames)]
pub enum Command {
    /// `/help`, or `/help COMMAND`
    Help(Option<&'static Spec>),
    /// `/join ROOM`
    Join(RoomName),
    /// `/rooms`
    Rooms,
    /// `/names`
    Names,
    /// `/whois NAME`
    Whois(Nick),
    /// `/away`, or `/away TEXT`
    Away(Option<AwayText>),
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
    /// `/search WORDS`, or `/search -a WORDS` for all rooms that one is in
    Search {
        /// The words, and who said them and when.
        query: Query,
        /// Whether all rooms are meant.
        all: bool,
    },
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
    Unknown {
        /// The name, cleaned and cut.
        name: String,
        /// What was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// The command lacks something.
    Usage(&'static Spec),
    /// An argument is not what it must be.
    Argument(NameError),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, nearest: None } => {
                write!(f, "unknown command /{name}; /help lists them, and //{name} says /{name}")
            }
            Self::Unknown { name, nearest: Some(nearest) } => {
                write!(f, "unknown command /{name}; did you mean /{nearest}? //{name} says /{name}")
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

impl CommandError {
    /// Returns the error for a name that none of `commands` has, with the nearest that one of them
    /// has.
    pub fn unknown(name: &str, commands: impl Iterator<Item = &'static Spec>) -> Self {
        let name: String = super::sanitize::line(name).chars().take(Limits::NICK_CHARS).collect();
        let typed = name.to_lowercase();
        // A third of a word may be wrong, or two letters of a long one.
        let most = (typed.chars().count() / 3).clamp(1, 2);
        let nearest = commands
            .flat_map(Spec::names)
            // Everything short is near to a single letter.
            .filter(|known| known.len() > 1)
            .map(|known| (strsim::osa_distance(&typed, known), known))
            .filter(|(distance, _)| *distance <= most)
            // Of those that are as near, the one whose beginning was typed.
            .min_by_key(|(distance, known)| (*distance, !known.starts_with(&typed)));
        Self::Unknown { name, nearest: nearest.map(|(_, known)| known) }
    }
}

impl Spec {
    /// Returns its name and its other names, without the slash.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Returns whether `name`, without the slash, is the name of this command, or another name for
    /// it.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Returns what it does, and its other names.
    #[must_use]
    pub fn described(&self) -> String {
        let mut out = self.summary.to_owned();
        for (index, alias) in self.aliases.iter().enumerate() {
            // Cannot fail: a String takes everything.
            let _ = write!(out, "{}/{alias}", if index == 0 { " (also " } else { ", " });
        }
        if !self.aliases.is_empty() {
            out.push(')');
        }
        out
    }

    /// Returns what `/help COMMAND` says of it, in two lines.
    #[must_use]
    pub fn explanation(&self) -> String {
        format!("{self}: {}\nexample: {}", self.described(), self.example)
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
    match find(&COMMANDS, typed) {
        Some((Definition { spec, parse }, rest)) => parse(spec, rest),
        None => Err(CommandError::unknown(split(typed).0, specs())),
    }
}

/// Returns the one of `commands` that `/help WORD` asks for; none where it asks for the list.
///
/// # Errors
/// Where no command has the name.
pub fn explained(
    word: &str,
    mut commands: impl Iterator<Item = &'static Spec> + Clone,
) -> Result<Option<&'static Spec>, CommandError> {
    let name = word.strip_prefix('/').unwrap_or(word);
    if name.is_empty() {
        return Ok(None);
    }
    let found = commands.clone().find(|spec| spec.is_named(name));
    found.map(Some).ok_or_else(|| CommandError::unknown(name, commands.by_ref()))
}

/// Returns what is wrong with `line` where it is a text, and was perhaps meant to be a command:
/// others would read what is for one person alone. What nobody sees in it does not count.
/// `is_command` knows the names of commands, `is_nick` who is there.
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
        // The keys beside the slash, and those that are a slash with Shift, on many keyboards: in
        // its place, or before it.
        '\\' | '.' | '-' | '7' | ':' | '`' | '\'' | '>' | '!' | '?'
            // A single letter behind such a sign is more often a smiley or an option.
            if name.len() > 1 && is_command(name.strip_prefix('/').unwrap_or(name)) =>
        {
            Some(format!("it begins with {first}"))
        }
        _ => None,
    }
}

/// Returns whether a line of `text` begins with a command that takes a secret, or with what is
/// nearly one.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    text.lines().any(|line| {
        let visible = line.trim_start_matches(|c: char| c.is_whitespace() || is_blank(c));
        let name = visible.trim_start_matches(|c: char| !c.is_alphanumeric());
        // Without a sign before it, it is a word like others.
        if name.len() == visible.len() {
            return false;
        }
        let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
        let is_known = specs().flat_map(Spec::names).any(|known| known == name);
        // Mistyped, it is still a secret.
        let is_near = |secret: &str| {
            secret.len() > 3 && name.len().abs_diff(secret.len()) < 2 && strsim::osa_distance(&name, secret) == 1
        };
        let is = |secret: &&str| name == **secret || is_near(secret);
        !is_known && name.chars().count() <= 16 && SECRETS.iter().any(is)
    })
}

/// Returns the list of commands, a line each, in their groups.
#[must_use]
pub fn help() -> String {
    let mut out = String::from("commands; /help COMMAND explains one:");
    for group in Group::ALL {
        for (index, spec) in specs().filter(|spec| spec.group == group).enumerate() {
            let title = if index == 0 { group.title() } else { "" };
            // Cannot fail: a String takes everything.
            let _ = write!(out, "\n{title:<6} {:<18} {}", spec.to_string(), spec.summary);
        }
    }
    out.push_str("\n       //TEXT             say a text that begins with /");
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
            ("/help", Command::Help(None)),
            ("/help /MSG", Command::Help(specs().find(|spec| spec.name == "msg"))),
            ("/j rust", Command::Join(RoomName::new("rust").unwrap())),
            ("/m bob hi", Command::Msg(nick.clone(), body("hi"))),
            ("/search -a  tea", Command::Search { query: Query::new("tea").unwrap(), all: true }),
            ("/search -able", Command::Search { query: Query::new("-able").unwrap(), all: false }),
            ("/lastlog tea", Command::Search { query: Query::new("tea").unwrap(), all: false }),
            ("/q", Command::Quit),
            ("/exit", Command::Quit),
            ("/join #Rust", Command::Join(RoomName::new("rust").unwrap())),
            ("/rooms", Command::Rooms),
            ("/list", Command::Rooms),
            ("/whois Bob", Command::Whois(Nick::new("Bob").unwrap())),
            ("/away", Command::Away(None)),
            ("/away at  lunch ", Command::Away(Some(AwayText::new("at  lunch").unwrap()))),
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
            (
                "/search tea \"two words\"",
                Command::Search { query: Query::new("tea \"two words\"").unwrap(), all: false },
            ),
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
    fn an_unknown_command_suggests_the_nearest() {
        for (line, nearest) in [
            ("/whoi bob", Some("whois")),
            ("/jion tea", Some("join")),
            ("/hlep", Some("help")),
            ("/HISTROY 5", Some("history")),
            ("/exti", Some("exit")),
            ("/topics", Some("topic")),
            ("/help qiut", Some("quit")),
            ("/fly", None),
            ("/etc/hosts", None),
            ("/k", None),
            ("/", None),
            ("/\u{1b}[2J", None),
        ] {
            let Err(CommandError::Unknown { nearest: found, .. }) = parse(line) else { panic!("{line}") };
            assert_eq!(found, nearest, "{line}");
        }
        let words = parse("/jion").unwrap_err().to_string();
        assert_eq!(words, "unknown command /jion; did you mean /join? //jion says /jion");
    }

    #[test]
    fn one_command_is_explained_with_an_example_that_can_be_typed() {
        let Ok(Line::Command(Command::Help(Some(spec)))) = parse("/help m") else { panic!("no explanation") };
        assert_eq!(
            spec.explanation(),
            "/msg NAME TEXT: tell one person alone, in whatever room (also /m)\nexample: /msg bob lunch at noon?"
        );
        for spec in specs() {
            assert!(parse(spec.example).is_ok() && spec.example.starts_with(&format!("/{}", spec.name)), "{spec}");
        }
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
        let is_command = |name: &str| specs().any(|spec| spec.is_named(name));
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
                     - help|:-)|...|reply soon| hello|\\o/|join us|> me too|!important|?|\u{200e}hello|'me'|./run|>/dev/null|-m 3|?q|:j";
        for line in texts.split('|') {
            assert!(!nearly(line), "{line:?}");
        }
    }

    #[test]
    fn a_secret_is_known_also_where_it_is_mistyped() {
        for line in [
            "/token abc",
            "/TOKEN abc",
            " /token abc",
            "\u{200b}/token abc",
            "//token abc",
            "/tokne abc",
            "／token abc",
            "\\token abc",
            "/token",
            "/pass x",
            "/passwrod x",
            "/login ada x",
            "hello\n/token abc",
            "/msg\u{a0}bob\n /secret x",
            "/token:abc",
            "7/key x",
        ] {
            assert_eq!(is_secret(line), line != "7/key x", "{line:?}");
        }
        for line in [
            "token abc",
            "hello",
            "/msg bob the token is abc",
            "/me passes",
            "/part",
            "/nick token",
            "/",
            "",
            "/help token",
        ] {
            assert!(!is_secret(line), "{line:?}");
        }
    }

    #[test]
    fn every_command_can_be_typed() {
        let lines = specs().flat_map(|spec| [format!("/{}", spec.name), spec.example.to_owned()]);
        let mut typed: Vec<&str> = lines
            .filter_map(|line| match parse(&line) {
                Ok(Line::Command(command)) => Some((&command).into()),
                _ => None,
            })
            .collect();
        typed.sort_unstable();
        typed.dedup();
        let mut known = Command::VARIANTS.to_vec();
        known.sort_unstable();
        assert_eq!(typed, known);
    }

    #[test]
    fn help_lists_every_command() {
        let help = help();
        assert!(specs().all(|spec| help.contains(&spec.to_string())), "{help}");
        assert!(help.lines().count() <= 22 && help.lines().all(|line| line.len() <= 76), "{help}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(line in "/?[a-z]{0,8}.*") {
            drop(parse(&line));
        }
    }
}
