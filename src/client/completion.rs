//! Tab completion of the word before the cursor, and the hint line for commands. Pure.
//!
//! A `/` begins a command, a `#` a room, a `:` an emoji, and an `@` a nick. The first argument of a
//! command completes to what the command expects. Every other word completes to a nick.

use std::{fmt, iter, ops::Range};

use crate::protocol::{Nick, RoomName, command::Spec};

/// Everything that a word can complete to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidates<'a> {
    /// The nicks, the most recent speaker first.
    pub nicks: &'a [&'a Nick],
    /// The known rooms.
    pub rooms: &'a [&'a RoomName],
    /// The servers that the user has visited, the latest first.
    pub servers: &'a [String],
    /// The commands, in the order in which they are offered.
    pub commands: &'a [&'static Spec],
}

/// The maximum number of emoji that one name offers. A longer name narrows the list.
const EMOJI: usize = 40;

/// A range of a text and its possible replacements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The byte range of the word, up to the cursor.
    pub range: Range<usize>,
    /// The possible replacements, at least one. Each includes the text that follows it, such as a
    /// space.
    pub options: Vec<String>,
}

/// Returns the possible completions of the word before `cursor`, a byte offset in `text`. Returns
/// `None` if nothing matches.
#[must_use]
pub fn complete(text: &str, cursor: usize, candidates: &Candidates<'_>) -> Option<Completion> {
    let before = text.get(..cursor)?;
    let start = before.rfind(char::is_whitespace).map_or(0, |at| before.ceil_char_boundary(at + 1));
    let word = &before[start..];
    // Do not add a space if one follows already, or if closing punctuation follows.
    let behind = &text[cursor..];
    let closes = |c: char| c.is_whitespace() || ",.;:!?)]}>\"'’”»、。，）」』".contains(c);
    let blank = if behind.starts_with(closes) { "" } else { " " };
    let (at, options) = match CompletionContext::of(before, start, candidates.commands) {
        CompletionContext::Command => (start, commands(word, candidates.commands, "/", blank)),
        CompletionContext::CommandName => (start, commands(word, candidates.commands, "", "")),
        CompletionContext::Room => (start, rooms(word, candidates.rooms, blank)),
        CompletionContext::Nick => (start, nicks(word, candidates.nicks, blank)),
        CompletionContext::Server => {
            (start, candidates.servers.iter().filter(|server| begins(server, word)).cloned().collect())
        }
        CompletionContext::Words(words) => (start, literals(word, &words)),
        CompletionContext::Text if word.is_empty() => return None,
        CompletionContext::Text => {
            let begins_line = before[..start].is_empty() || before[..start].ends_with('\n');
            let in_text = |at: usize| match &word[at..] {
                part if part.starts_with('#') => rooms(part, candidates.rooms, blank),
                part if part.starts_with(':') => emoji(part, blank),
                // A colon follows a nick that is addressed at the beginning of a line.
                part if begins_line && at == 0 && !part.starts_with('@') => {
                    nicks(part, candidates.nicks, &format!(":{blank}"))
                }
                part => nicks(part, candidates.nicks, blank),
            };
            parts(word).map(|at| (start + at, in_text(at))).find(|(_, options)| !options.is_empty())?
        }
    };
    if options.is_empty() { None } else { Some(Completion { range: at..cursor, options }) }
}

/// Returns the byte offsets in a word where a name can begin, in ascending order: its beginning,
/// and the positions after punctuation. A nick may itself contain punctuation, so the longest part
/// comes first. A URL has no names.
fn parts(word: &str) -> impl Iterator<Item = usize> {
    let is_link = word.contains("://");
    let begins = |(at, c): (usize, char)| {
        let opens = !c.is_alphanumeric() && !matches!(c, ':' | '#' | '@');
        let before = word[..at].chars().next_back();
        // `10:30` and `a::b` are not emoji. `a@b` and `a#b` do not contain a name.
        let named =
            matches!(c, ':' | '#' | '@') && before.is_some_and(|c| !c.is_alphanumeric() && c != ':' && c != '@');
        [named.then_some(at), (opens && at + c.len_utf8() < word.len()).then_some(at + c.len_utf8())]
    };
    let inner = word.char_indices().flat_map(begins).flatten().filter(move |_| !is_link);
    iter::once(0).filter(move |_| !is_link).chain(inner.filter(|at| *at > 0))
}

/// What kind of word is expected at the cursor. Every kind except `Text` also completes an empty
/// word.
enum CompletionContext {
    Command,
    /// The name of a command, without its slash.
    CommandName,
    Room,
    Nick,
    Server,
    /// One of these words.
    Words(Vec<&'static str>),
    Text,
}

impl CompletionContext {
    fn of(before: &str, start: usize, commands: &[&'static Spec]) -> Self {
        let Some(typed) = command(before) else { return Self::Text };
        if start == 0 {
            return Self::Command;
        }
        let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        if rest.trim_start().contains(char::is_whitespace) {
            return Self::Text;
        }
        let arguments = commands.iter().find(|spec| spec.is_named(name)).map_or("", |spec| spec.arguments);
        let arguments = arguments.trim_matches(['[', ']']);
        // A lower-case word in the usage is a literal that the user types as it is.
        let is_literal = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let words: Vec<_> =
            arguments.split('|').map(str::trim).filter(|word| is_literal(word) && *word != "-").collect();
        match arguments {
            arguments if arguments.starts_with("ROOM") => Self::Room,
            arguments if arguments.starts_with("NAME") || arguments.starts_with("NICK") => Self::Nick,
            arguments if arguments.starts_with("COMMAND") => Self::CommandName,
            arguments if arguments.starts_with("ADDRESS") => Self::Server,
            _ if !words.is_empty() => Self::Words(words),
            _ => Self::Text,
        }
    }
}

fn commands(word: &str, commands: &[&'static Spec], slash: &str, blank: &str) -> Vec<String> {
    let typed = word.trim_start_matches('/');
    let named = |name: &str, spec: &Spec| {
        begins(name, typed).then(|| format!("{slash}{name}{}", if spec.arguments.is_empty() { "" } else { blank }))
    };
    let own: Vec<_> = commands.iter().filter_map(|spec| named(spec.name, spec)).collect();
    // Offer an alias only if no command name matches. An alias is for users who know it already.
    if own.is_empty() {
        let aliases = commands.iter().flat_map(|spec| spec.aliases.iter().map(move |alias| (alias, spec)));
        return aliases.filter_map(|(alias, spec)| named(alias, spec)).collect();
    }
    own
}

fn rooms(word: &str, rooms: &[&RoomName], blank: &str) -> Vec<String> {
    let (sign, typed) = signed(word, '#');
    let rooms = rooms.iter().map(|room| room.as_str()).filter(|room| begins(room, typed));
    rooms.map(|room| format!("{sign}{room}{blank}")).collect()
}

fn nicks(word: &str, nicks: &[&Nick], behind: &str) -> Vec<String> {
    let (sign, typed) = signed(word, '@');
    let nicks = nicks.iter().map(|nick| nick.as_str()).filter(|nick| begins(nick, typed));
    nicks.map(|nick| format!("{sign}{nick}{behind}")).collect()
}

fn literals(word: &str, words: &[&str]) -> Vec<String> {
    words.iter().filter(|known| begins(known, word)).map(|known| (*known).to_owned()).collect()
}

/// Returns the emoji for `:name` or `:name:`. Emoji with exactly this name come first, then emoji
/// whose name begins with it, then emoji that have a word with this beginning in their name.
fn emoji(word: &str, blank: &str) -> Vec<String> {
    let typed = word.trim_start_matches(':');
    let is_closed = typed.ends_with(':');
    let typed = typed.trim_end_matches(':').replace('_', " ").to_lowercase();
    if !typed.starts_with(char::is_alphanumeric) {
        return Vec::new();
    }
    let rank = |emoji: &'static emojis::Emoji| {
        let codes = || emoji.shortcodes().map(|code| code.replace('_', " "));
        let name = emoji.name().to_lowercase();
        let name = || name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        // Compare word by word, so that punctuation between the words does not count.
        let words: Vec<_> = name().collect();
        let whole = words.join(" ");
        if codes().any(|code| code == typed) || whole == typed {
            Some(0)
        } else if is_closed {
            None
        } else if whole.starts_with(&typed) || codes().any(|code| code.starts_with(&typed)) {
            Some(1)
        } else {
            words.iter().any(|part| part.starts_with(&typed)).then_some(2)
        }
    };
    let mut found: Vec<_> = emojis::iter().filter_map(|emoji| Some((rank(emoji)?, emoji))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.truncate(EMOJI);
    found.into_iter().map(|(_, emoji)| format!("{emoji}{blank}")).collect()
}

fn signed(word: &str, sign: char) -> (&str, &str) {
    word.split_at(if word.starts_with(sign) { sign.len_utf8() } else { 0 })
}

/// Returns whether `name` begins with `typed`, ignoring case.
fn begins(name: &str, typed: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    typed.chars().flat_map(char::to_lowercase).all(|letter| letters.next() == Some(letter))
}

/// Returns the text after the slash if `text` is a command.
fn command(text: &str) -> Option<&str> {
    text.strip_prefix('/').filter(|rest| !rest.starts_with('/'))
}

/// Cycles through the options of a completion on repeated presses of Tab.
#[derive(Debug, Default)]
pub struct Completer {
    cycle: Option<Cycle>,
}

/// The options, the chosen one, and the text that it produced.
#[derive(Debug)]
struct Cycle {
    options: Vec<String>,
    chosen: usize,
    start: usize,
    made: String,
}

impl Completer {
    /// Returns the byte range of `text` that Tab replaces, and the replacement. The first press
    /// chooses the first option for the word before `cursor`, or the last one if `backwards`. If
    /// the last replacement is still unchanged in the text, the next press chooses the next option,
    /// or the previous one if `backwards`.
    pub fn press(
        &mut self,
        text: &str,
        cursor: usize,
        backwards: bool,
        candidates: &Candidates<'_>,
    ) -> Option<(Range<usize>, &str)> {
        let going_on = self.cycle.take().filter(|cycle| cycle.stands_in(text, cursor));
        let (range, options, chosen) = if let Some(Cycle { options, chosen, start, .. }) = going_on {
            let step = if backwards { options.len() - 1 } else { 1 };
            let chosen = (chosen + step) % options.len();
            (start..cursor, options, chosen)
        } else {
            let Completion { range, options } = complete(text, cursor, candidates)?;
            let chosen = if backwards { options.len() - 1 } else { 0 };
            (range, options, chosen)
        };
        let made = format!("{}{}{}", &text[..range.start], options[chosen], &text[range.end..]);
        let cycle = self.cycle.insert(Cycle { options, chosen, start: range.start, made });
        Some((range, &cycle.options[chosen]))
    }

    /// Returns the options and the index of the chosen one, as long as the replacement is unchanged
    /// in the text.
    #[must_use]
    pub fn options(&self, text: &str, cursor: usize) -> Option<(&[String], usize)> {
        let cycle = self.cycle.as_ref().filter(|cycle| cycle.stands_in(text, cursor))?;
        Some((&cycle.options, cycle.chosen))
    }
}

impl Cycle {
    fn stands_in(&self, text: &str, cursor: usize) -> bool {
        cursor == self.start + self.options[self.chosen].len() && text == self.made
    }
}

/// What the hint line shows while the user types a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The usage of this command.
    Usage(&'static Spec),
    /// The commands that match so far.
    Matching(Vec<&'static Spec>),
}

/// Returns the hint for `text`, or `None` if it is not a command or the command is unknown.
#[must_use]
pub fn hint(text: &str, commands: &[&'static Spec]) -> Option<Hint> {
    let typed = command(text)?;
    if let Some((name, _)) = typed.split_once(char::is_whitespace) {
        return commands.iter().copied().find(|spec| spec.is_named(name)).map(Hint::Usage);
    }
    let matching: Vec<_> =
        commands.iter().copied().filter(|spec| spec.names().any(|name| begins(name, typed))).collect();
    match *matching {
        [] => None,
        [one] => Some(Hint::Usage(one)),
        _ => Some(Hint::Matching(matching)),
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(spec) => write!(f, "{spec}: {}", spec.summary),
            Self::Matching(specs) => {
                for (index, spec) in specs.iter().enumerate() {
                    write!(f, "{}/{}", if index == 0 { "" } else { " " }, spec.name)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::command::specs;

    /// Calls `ask` with the nicks Adrian, ada and 学生, in this order, and two rooms.
    fn with_candidates<T>(ask: impl FnOnce(&Candidates<'_>) -> T) -> T {
        let nicks = ["Adrian", "ada", "学生"].map(|nick| Nick::new(nick).unwrap());
        let rooms = ["rust", "running"].map(|room| RoomName::new(room).unwrap());
        let commands: Vec<_> = specs().collect();
        ask(&Candidates { nicks: &nicks.each_ref(), rooms: &rooms.each_ref(), commands: &commands, servers: &[] })
    }

    /// Returns the word at the end of `text` and its possible completions.
    fn at_end(text: &str) -> Option<(&str, Vec<String>)> {
        let completion = with_candidates(|candidates| complete(text, text.len(), candidates))?;
        Some((&text[completion.range], completion.options))
    }

    fn options(text: &str) -> Vec<String> {
        at_end(text).map_or(Vec::new(), |(_, options)| options)
    }

    #[test]
    fn a_nick_is_addressed_at_the_start_of_a_line_and_named_within() {
        assert_eq!(at_end("AD"), Some(("AD", vec!["Adrian: ".to_owned(), "ada: ".to_owned()])));
        assert_eq!(at_end("hi ad"), Some(("ad", vec!["Adrian ".to_owned(), "ada ".to_owned()])));
        assert_eq!(options("one\nada"), ["ada: "]);
        assert_eq!(options("学"), ["学生: "]);
        assert_eq!([options("see @ad"), options("@ad")].concat(), ["@Adrian ", "@ada ", "@Adrian ", "@ada "]);
        assert_eq!(options("@").len(), 3);
        assert_eq!(options("bob"), [""; 0]);
    }

    #[test]
    fn an_empty_word_becomes_nothing_unless_a_command_wants_it() {
        assert_eq!([options(""), options("hi "), options("/me ")].concat(), [""; 0]);
        assert_eq!(options("/join "), ["rust ", "running "]);
        assert_eq!(options("/msg "), ["Adrian ", "ada ", "学生 "]);
    }

    #[test]
    fn commands_complete_and_their_arguments_by_what_they_are() {
        assert_eq!(options("/m"), ["/me ", "/msg "]);
        assert_eq!(options("/Li"), ["/list"]);
        assert_eq!(options("/").len(), specs().count());
        assert_eq!([options("/ex"), options("/q"), options("/LAST")].concat(), ["/exit", "/quit", "/lastlog "]);
        assert_eq!(options("/join ru"), ["rust ", "running "]);
        assert_eq!(options("/JOIN #RUS"), ["#rust "]);
        assert_eq!(options("/msg ada have you met ad"), ["Adrian ", "ada "]);
        assert_eq!(options("/me greets ad"), ["Adrian ", "ada "]);
        assert_eq!(options("come to #ru"), ["#rust ", "#running "]);
        assert_eq!([options("//me"), options(" /m"), options("/nothing")].concat(), [""; 0]);
    }

    #[test]
    fn a_name_begins_behind_what_opens_or_parts_something_too() {
        for (text, word) in [
            ("(ad", "ad"),
            ("see \"ad", "ad"),
            ("ada,ad", "ad"),
            ("ada/ad", "ad"),
            ("“ad", "ad"),
            ("「ad", "ad"),
            ("*ad", "ad"),
            ("hi (@ad", "@ad"),
        ] {
            let [adrian, ada] =
                ["Adrian ", "ada "].map(|nick| if word == "ad" { nick.into() } else { format!("@{nick}") });
            assert_eq!(at_end(text), Some((word, vec![adrian, ada])), "{text}");
        }
        assert_eq!(at_end("(#run"), Some(("#run", vec!["#running ".to_owned()])));
        for text in ["http://ad", "https://x.org/ad", "mail@ad", "ada#ru", "(", "x/"] {
            assert_eq!(at_end(text), None, "{text}");
        }
        let completion = with_candidates(|candidates| complete("(ad)", 3, candidates)).unwrap();
        assert_eq!(completion, Completion { range: 1..3, options: vec!["Adrian".to_owned(), "ada".to_owned()] });
    }

    #[test]
    fn emoji_complete_by_their_names() {
        assert_eq!(at_end("well :smile"), Some((":smile", options(":smile"))));
        assert_eq!(options(":smile")[0], "😄 ");
        assert_eq!(at_end(":smile:"), Some((":smile:", vec!["😄 ".to_owned()])));
        // The CLDR short name. An underscore or a space separates its words.
        assert_eq!(options(":grinning_cat_with")[0], "😸 ");
        assert_eq!(options("(:thumbs_up:"), ["👍 "]);
        assert!(options(":cat").contains(&"🐱 ".to_owned()));
        assert!((2..=EMOJI).contains(&options(":s").len()));
        for text in ["http:", "http://smile", "10:30", "10:3", "at 9:smile", ":", "::", ":)", "a::smile", "std::cat"] {
            assert_eq!(at_end(text), None, "{text}");
        }
    }

    #[test]
    fn every_emoji_that_is_offered_can_be_said() {
        for emoji in emojis::iter() {
            assert_eq!(crate::protocol::sanitize::lines(emoji.as_str()), emoji.as_str(), "{}", emoji.name());
        }
    }

    #[test]
    fn arguments_complete_by_what_they_can_be() {
        static BELL: Spec = Spec {
            name: "bell",
            aliases: &[],
            arguments: "[off | mentions | all]",
            summary: "",
            example: "",
            group: crate::protocol::command::Group::Read,
        };
        static CONNECT: Spec = Spec { name: "connect", arguments: "ADDRESS", ..BELL };
        let of_bell = |text: &str| {
            let candidates = Candidates { commands: &[&BELL], ..Candidates::default() };
            complete(text, text.len(), &candidates).map_or(Vec::new(), |completion| completion.options)
        };
        assert_eq!(of_bell("/bell "), ["off", "mentions", "all"]);
        assert_eq!([of_bell("/bell m"), of_bell("/bell off ")].concat(), ["mentions"]);
        let servers = ["chat.example:8080", "[::1]:8080"].map(str::to_owned);
        let candidates = Candidates { commands: &[&CONNECT], servers: &servers, ..Candidates::default() };
        let to =
            |text: &str| complete(text, text.len(), &candidates).map_or(Vec::new(), |completion| completion.options);
        assert_eq!(to("/connect "), servers);
        assert_eq!(to("/connect Ch"), ["chat.example:8080"]);
        assert_eq!([options("/help to"), options("/help /jo")].concat(), ["topic", "join"]);
        assert_eq!(options("/topic "), [""; 0]);
        assert_eq!(options("/m ad"), ["Adrian ", "ada "]);
    }

    #[test]
    fn a_blank_is_not_doubled() {
        let completion = with_candidates(|candidates| complete("hi ada there", 6, candidates)).unwrap();
        assert_eq!(completion, Completion { range: 3..6, options: vec!["ada".to_owned()] });
    }

    #[test]
    fn tab_goes_round_and_an_edit_begins_anew() {
        with_candidates(|candidates| {
            let mut completer = Completer::default();
            let (mut text, mut cursor) = ("hi ad, all".to_owned(), 5);
            let mut shown = Vec::new();
            for backwards in [false, false, false, true] {
                let (range, with) = completer.press(&text, cursor, backwards, candidates).unwrap();
                cursor = range.start + with.len();
                text.replace_range(range, with);
                shown.push(text.clone());
                assert_eq!(completer.options(&text, cursor).unwrap().0.len(), 2);
            }
            assert_eq!(shown, ["hi Adrian, all", "hi ada, all", "hi Adrian, all", "hi ada, all"]);
            assert_eq!(completer.options("hi ada, all!", cursor), None);
            assert_eq!(completer.press("学", 3, false, candidates), Some((0..3, "学生: ")));
            assert_eq!(completer.press("x", 1, false, candidates), None);
        });
    }

    #[test]
    fn the_hint_lists_what_matches_and_then_shows_the_usage() {
        let hint = |text| hint(text, &specs().collect::<Vec<_>>()).map(|hint| hint.to_string());
        assert_eq!(hint("/m").as_deref(), Some("/me /msg"));
        assert_eq!(hint("/ms").as_deref(), Some("/msg NAME TEXT: tell one person alone, in whatever room"));
        assert_eq!(hint("/who x").as_deref(), Some("/names: list who is in this room"));
        assert_eq!([hint("/x"), hint("//me"), hint("me"), hint("/x y")], [None, None, None, None]);
    }

    proptest! {
        #[test]
        fn what_is_completed_is_a_word_that_ends_at_the_cursor(text in "(/join|/msg|/)?([ #@\n]?[ar学é]{0,2}){0,4}", at in 0..20_usize) {
            let cursor = text.floor_char_boundary(at);
            if let Some(completion) = with_candidates(|candidates| complete(&text, cursor, candidates)) {
                prop_assert_eq!(completion.range.end, cursor);
                prop_assert!(!completion.options.is_empty() && !text[completion.range].contains(char::is_whitespace));
            }
        }
    }
}
