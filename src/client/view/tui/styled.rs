//! What is highlighted in a text: links, code between backticks, and what calls for the reader.
//! Other markup is not interpreted. Pure.

use std::ops::Range;

use ratatui::style::Style;

use super::{highlights::Highlights, palette::Palette};

/// The role of a part of a line. The palette defines its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Text that people wrote.
    Text,
    /// Secondary text.
    Quiet,
    /// A nick, by its hash.
    Nick(u32),
    /// A refusal.
    Refused,
    /// A link, by its number in the text.
    Connection(u16),
    /// Code, with its backticks.
    Code,
    /// A mention: the reader's nick, or one of their highlight words.
    Mention,
    /// The start of the new messages.
    New,
}

impl Role {
    pub(super) fn style(self, palette: Palette) -> Style {
        match self {
            Self::Text => Style::new(),
            Self::Quiet => palette.quiet(),
            Self::Nick(hash) => palette.hashed(hash),
            Self::Refused => palette.refusal(),
            Self::Connection(_) => palette.link(),
            Self::Code => palette.code(),
            Self::Mention => palette.mention(),
            Self::New => palette.new_mark(),
        }
    }
}

/// Splits `text` into parts, in order and with nothing left out. Mentions are parts of their own if
/// `calls` is given.
pub(super) fn parts<'a>(text: &'a str, calls: Option<&Highlights>) -> Vec<(Role, &'a str)> {
    let mut parts = Vec::new();
    let mut links = 0;
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
            (_, Some(link)) => (Role::Connection(links), link),
            (Some(code), None) => (Role::Code, code),
            (None, None) => break,
        };
        links = links.saturating_add(u16::from(role != Role::Code));
        plain(&text[at..next.start], calls, &mut parts);
        parts.push((role, &text[next.clone()]));
        at = next.end;
    }
    plain(&text[at..], calls, &mut parts);
    parts
}

/// Returns whether `text` has a mention outside of links and code.
pub(super) fn calls(text: &str, calls: &Highlights) -> bool {
    parts(text, Some(calls)).iter().any(|(role, _)| *role == Role::Mention)
}

fn plain<'a>(text: &'a str, calls: Option<&Highlights>, parts: &mut Vec<(Role, &'a str)>) {
    let mut at = 0;
    for mention in calls.map(|calls| calls.find(text)).unwrap_or_default() {
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

/// Returns the next range after `from` between two single backticks in one line, backticks
/// included.
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

/// Returns the next link after `from`, without the punctuation of its sentence.
fn next_link(text: &str, from: usize) -> Option<Range<usize>> {
    let mut search = from;
    while let Some(colon) = text[search..].find(':').map(|found| search + found) {
        search = colon + 1;
        let letters = text[from..colon].bytes().rev().take_while(u8::is_ascii_alphanumeric).take(7).count();
        let start = colon - letters;
        let scheme = &text[start..colon];
        let has_host = ["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
        let rest = match &text[colon + 1..] {
            rest if has_host && rest.starts_with("//") => colon + "://".len(),
            _ if scheme.eq_ignore_ascii_case("mailto") => colon + 1,
            _ => continue,
        };
        let before = text[from..start].chars().next_back();
        let length = length(&text[rest..], before);
        let is_address = has_host || text[rest..rest + length].contains('@');
        if length > 0 && is_address {
            return Some(start..rest + length);
        }
    }
    None
}

/// Characters that end a link, besides whitespace: quotes, and the punctuation and brackets of
/// scripts that write no spaces.
const NO_LINK: &str = "<>\"`“”‘’„‚«»‹›、。，；：！？…（）「」『』《》〈〉【】〔〕［］｛｝｢｣､｡";

/// Characters that may be in a link, but not at its end.
const NO_END: &str = ".,;:!?'*_~|";

/// Returns the length in bytes of the rest of a link at the start of `text`; `before` is the
/// character before the link. A closing bracket is part of the link only if its opening bracket is.
fn length(text: &str, before: Option<char>) -> usize {
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c {
            '(' => open.push((')', at)),
            '[' => open.push((']', at)),
            '{' => open.push(('}', at)),
            _ => {}
        }
        let unopened = matches!(c, ')' | ']' | '}') && open.pop_if(|(close, _)| *close == c).is_none();
        let quoted = c == '\'' && before == Some(c);
        if unopened || quoted || c.is_whitespace() || c.is_control() || NO_LINK.contains(c) {
            end = at;
            break;
        }
    }
    // An unclosed bracket belongs to the sentence, and so does everything after it.
    if let Some((_, at)) = open.first().filter(|(_, at)| *at < end) {
        end = *at;
    }
    // Many links end with an underscore. Trim it only if another one stands before the link.
    let no_end = |c: char| NO_END.contains(c) && (c != '_' || before == Some('_'));
    text[..end].trim_end_matches(no_end).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::highlights::Words, *};
    use crate::protocol::Nick;

    fn of(is: impl Fn(Role) -> bool, text: &str) -> Vec<&str> {
        let calls = Highlights::new([&Nick::new("ada").unwrap()], &Words::default());
        parts(text, Some(&calls)).into_iter().filter(|part| is(part.0)).map(|part| part.1).collect()
    }

    fn links(text: &str) -> Vec<&str> {
        of(|role| matches!(role, Role::Connection(_)), text)
    }

    #[test]
    fn links_end_where_their_sentence_goes_on() {
        for (text, link) in [
            ("see https://a.example/x.", "https://a.example/x"),
            ("(https://a.example/x_(y)), and", "https://a.example/x_(y)"),
            ("(https://a.example/x)and", "https://a.example/x"),
            ("https://en.wikipedia.org/wiki/Alien_(film)", "https://en.wikipedia.org/wiki/Alien_(film)"),
            ("https://a.example/x(see there)", "https://a.example/x"),
            ("[it](https://a.example/x[1]) is", "https://a.example/x[1]"),
            ("http://[::1]:8080/x] y", "http://[::1]:8080/x"),
            ("<http://a.example>", "http://a.example"),
            ("\"https://a.example/x\",y", "https://a.example/x"),
            ("'https://a.example/x'y", "https://a.example/x"),
            ("https://a.example/it's", "https://a.example/it's"),
            ("“https://a.example/x”y", "https://a.example/x"),
            ("«https://a.example/x»y", "https://a.example/x"),
            ("_https://a.example/a_b_", "https://a.example/a_b"),
            ("https://a.example/a_", "https://a.example/a_"),
            ("**https://a.example/x**", "https://a.example/x"),
            ("https://a.example/x、そして", "https://a.example/x"),
            ("「https://a.example/x」と", "https://a.example/x"),
            ("（https://a.example/x）と", "https://a.example/x"),
            ("ws://127.0.0.1:8080/lobby?", "ws://127.0.0.1:8080/lobby"),
            ("看https://a.example/学生。", "https://a.example/学生"),
            ("WSS://x!?", "WSS://x"),
            ("write to mailto:ada@example.org, now", "mailto:ada@example.org"),
        ] {
            assert_eq!(links(text), [link], "{text}");
        }
        for text in
            ["ftp://x", "http://", "http:// x", "shttp://x", "https://...", "http://)", "mailto:ada", "xmailto:a@b"]
        {
            assert_eq!(links(text), [""; 0], "{text}");
        }
        assert_eq!(
            links("https://a、https://b (https://c)(https://d)"),
            ["https://a", "https://b", "https://c", "https://d"]
        );
        assert_eq!(parts("http://a http://b", None)[2].0, Role::Connection(1), "each has its number");
    }

    #[test]
    fn code_stands_between_two_backticks_of_one_line() {
        let code = |text| of(|role| role == Role::Code, text);
        assert_eq!(code("a `b c` d `e`"), ["`b c`", "`e`"]);
        assert_eq!(code("a ` b\nc ` d ``e`` ```f```"), [""; 0]);
        assert_eq!(code("`see https://x` https://y`"), ["`see https://x`"]);
    }

    #[test]
    fn a_mention_stands_beside_a_link_or_code_and_not_in_it() {
        let mentions = |text| of(|role| role == Role::Mention, text);
        for text in ["ada:https://x", "(https://x)ada", "https://x ada", "`x`ada", "https://x/y、ada"] {
            assert_eq!(mentions(text), ["ada"], "{text}");
        }
        for text in ["https://x/ada", "https://ada.example", "`ada`", "mailto:ada@example.org", "http://x/(ada)"] {
            assert_eq!(mentions(text), [""; 0], "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_out(text in "([a`():/. \n学é@_'-]|[\\[\\]{}、」]|ada|https?://|ws://|mailto:){0,40}") {
            let calls = Highlights::new([&Nick::new("ada").unwrap()], &Words::default());
            let whole: String = parts(&text, Some(&calls)).into_iter().map(|part| part.1).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
