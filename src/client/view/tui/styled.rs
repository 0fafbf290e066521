//! What stands out in a text: links, code between backticks and one's own nick; nothing else is interpreted. Pure.

use std::ops::Range;

use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

use super::palette::Palette;
use crate::wire::Nick;

/// What a piece of a line is; the palette says how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Words of people.
    Text,
    /// What stands back.
    Quiet,
    /// A nick, by its hash.
    Nick(u32),
    /// What was refused.
    Refused,
    /// A link.
    Link,
    /// Code, with its backticks.
    Code,
    /// The reader's own nick.
    Mention,
    /// Where the new begins.
    New,
}

impl Role {
    pub(super) fn style(self, palette: Palette) -> Style {
        match self {
            Self::Text => Style::new(),
            Self::Quiet => palette.quiet(),
            Self::Nick(hash) => palette.hashed(hash),
            Self::Refused => palette.refusal(),
            Self::Link => palette.link(),
            Self::Code => palette.code(),
            Self::Mention => palette.mention(),
            Self::New => palette.new_mark(),
        }
    }
}

/// Returns `text` in parts, in order and with nothing left out; where `me` is known, its mentions are parts.
pub(super) fn parts<'a>(text: &'a str, me: Option<&Nick>) -> Vec<(Role, &'a str)> {
    let mut parts = Vec::new();
    let (mut at, mut code, mut link) = (0, next_code(text, 0), next_link(text, 0));
    loop {
        if code.as_ref().is_some_and(|code| code.start < at) {
            code = next_code(text, at);
        }
        if link.as_ref().is_some_and(|link| link.start < at) {
            link = next_link(text, at);
        }
        let (role, next) = match (&code, &link) {
            (Some(code), Some(link)) if code.start < link.start => (Role::Code, code),
            (_, Some(link)) => (Role::Link, link),
            (Some(code), None) => (Role::Code, code),
            (None, None) => break,
        };
        plain(&text[at..next.start], me, &mut parts);
        parts.push((role, &text[next.clone()]));
        at = next.end;
    }
    plain(&text[at..], me, &mut parts);
    parts
}

/// Returns whether `text` says `nick`: as a whole word, in whatever case, with or without an `@`, not in a link and not in code.
pub(super) fn mentions(text: &str, nick: &Nick) -> bool {
    parts(text, Some(nick)).iter().any(|(role, _)| *role == Role::Mention)
}

fn plain<'a>(text: &'a str, me: Option<&Nick>, parts: &mut Vec<(Role, &'a str)>) {
    let mut at = 0;
    for mention in me.map(|me| mentions_in(text, me.as_str())).unwrap_or_default() {
        if at < mention.start {
            parts.push((Role::Text, &text[at..mention.start]));
        }
        parts.push((Role::Mention, &text[mention.clone()]));
        at = mention.end;
    }
    if at < text.len() {
        parts.push((Role::Text, &text[at..]));
    }
}

/// Returns where words of `text` spell `nick`.
fn mentions_in(text: &str, nick: &str) -> Vec<Range<usize>> {
    let mut edges: Vec<usize> = text.split_word_bound_indices().map(|(at, _)| at).collect();
    edges.push(text.len());
    let mut found: Vec<Range<usize>> = Vec::new();
    for &start in &edges {
        let Some(end) = spelled(&text[start..], nick).map(|length| start + length) else { continue };
        if found.last().is_some_and(|last| start < last.end) || edges.binary_search(&end).is_err() {
            continue;
        }
        let (before, after) = (&text[..start], &text[end..]);
        // A hyphen ends a word, but `ada-2` is somebody else.
        let goes_on = |c: Option<char>, next: Option<char>| c == Some('-') && next.is_some_and(char::is_alphanumeric);
        let mut back = before.chars().rev();
        let mut forth = after.chars();
        let (last, before_last) = (back.next(), back.next());
        let is_address = last == Some('@') && before_last.is_some_and(char::is_alphanumeric);
        if goes_on(last, before_last) || goes_on(forth.next(), forth.next()) || is_address {
            continue;
        }
        found.push(start - usize::from(last == Some('@'))..end);
    }
    found
}

/// Returns the length of what spells `nick` at the beginning of `text`, in whatever case.
fn spelled(text: &str, nick: &str) -> Option<usize> {
    let mut wanted = nick.chars().flat_map(char::to_lowercase).peekable();
    for (at, c) in text.char_indices() {
        if wanted.peek().is_none() {
            return Some(at);
        }
        for lower in c.to_lowercase() {
            wanted.next_if_eq(&lower)?;
        }
    }
    wanted.peek().is_none().then_some(text.len())
}

/// Returns the next stretch from `from` on between two single backticks of one line.
fn next_code(text: &str, from: usize) -> Option<Range<usize>> {
    let mut opening: Option<usize> = None;
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            opening = None;
        }
        let ticks = bytes[at..].iter().take_while(|byte| **byte == b'`').count();
        match (ticks, opening) {
            (1, Some(start)) => return Some(start..at + 1),
            (1, None) => opening = Some(at),
            _ => {}
        }
        at += ticks.max(1);
    }
    None
}

/// Returns the next link from `from` on, without the punctuation of the sentence it stands in.
fn next_link(text: &str, from: usize) -> Option<Range<usize>> {
    let mut search = from;
    while let Some(colon) = text[search..].find("://").map(|found| search + found) {
        let rest = colon + "://".len();
        search = rest;
        let letters = text[from..colon].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        let scheme = &text[colon - letters..colon];
        if !["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`');
        let end = text[rest..].find(ends).map_or(text.len(), |length| rest + length);
        let length = without_punctuation(&text[rest..end]).len();
        if length > 0 {
            return Some(colon - letters..rest + length);
        }
    }
    None
}

/// What belongs to the sentence, not to the link it ends with.
const ENDS_SENTENCES: &str = ".,;:!?'*。、，；：！？）」』》…’”";

/// Returns `link` without what ends the sentence round it; a closing bracket stays where the link has its opening one.
fn without_punctuation(link: &str) -> &str {
    let count = |bracket: char| link.matches(bracket).count();
    let mut unopened =
        [('(', ')'), ('[', ']'), ('{', '}')].map(|(open, close)| (close, count(close).saturating_sub(count(open))));
    let mut rest = link;
    while let Some(last) = rest.chars().next_back() {
        match unopened.iter_mut().find(|(close, _)| *close == last) {
            Some((_, 0)) => break,
            Some((_, surplus)) => *surplus -= 1,
            None if ENDS_SENTENCES.contains(last) => {}
            None => break,
        }
        rest = &rest[..rest.len() - last.len_utf8()];
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(role: Role, text: &str) -> Vec<&str> {
        let me = Nick::new("ada").unwrap();
        parts(text, Some(&me)).into_iter().filter(|part| part.0 == role).map(|part| part.1).collect()
    }

    #[test]
    fn links_end_where_their_sentence_goes_on() {
        for (text, link) in [
            ("see https://a.example/x.", "https://a.example/x"),
            ("(https://a.example/x_(y)), and", "https://a.example/x_(y)"),
            ("<http://a.example>", "http://a.example"),
            ("ws://127.0.0.1:8080/lobby?", "ws://127.0.0.1:8080/lobby"),
            ("看https://a.example/学生。", "https://a.example/学生"),
            ("WSS://x!?", "WSS://x"),
        ] {
            assert_eq!(of(Role::Link, text), [link], "{text}");
        }
        for text in ["ftp://x", "http://", "http:// x", "shttp://x", "https://..."] {
            assert_eq!(of(Role::Link, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn code_stands_between_two_backticks_of_one_line() {
        assert_eq!(of(Role::Code, "a `b c` d `e`"), ["`b c`", "`e`"]);
        assert_eq!(of(Role::Code, "a ` b\nc ` d ``e`` ```f```"), [""; 0]);
        assert_eq!(of(Role::Code, "`see https://x` https://y`"), ["`see https://x`"]);
    }

    #[test]
    fn the_own_nick_is_a_whole_word() {
        for (text, mention) in
            [("ada: hi", "ada"), ("hi ADA!", "ADA"), ("(@ada)", "@ada"), ("ada, ok", "ada"), ("to ada-", "ada")]
        {
            assert_eq!(of(Role::Mention, text), [mention], "{text}");
        }
        for text in
            ["adas", "nevada", "ada_x", "ada-2: hi", "x-ada", "x@ada", "https://x/ada", "`ada`", "adá", "ada\u{301}"]
        {
            assert_eq!(of(Role::Mention, text), [""; 0], "{text}");
        }
        assert!(mentions("Guest-7, hi", &Nick::new("guest-7").unwrap()));
        assert!(!mentions("guest-77, hi", &Nick::new("guest-7").unwrap()));
        assert!(mentions("MÜNCHEN!", &Nick::new("münchen").unwrap()));
    }

    proptest! {
        #[test]
        fn nothing_is_left_out(text in "([a`():/. \n学é@-]|ada|https?://|ws://){0,40}") {
            let me = Nick::new("ada").unwrap();
            let whole: String = parts(&text, Some(&me)).into_iter().map(|part| part.1).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
