//! Where control characters die: turns any text of a peer into printable text. Pure.
//!
//! What is removed: escape sequences (whole), C0 and C1 controls, bidi embeddings, overrides and
//! isolates (they reach past the text they stand in, UAX 9 section 2), invisible formatting, and
//! combining marks past [`Limits::COMBINING_MARKS`]. What stays, because scripts and emoji need it:
//! ZWJ, ZWNJ, LRM, RLM, one variation selector behind what has variants, and the tag characters of
//! a flag. Anywhere else the latter two show nothing, and carry a text that people do not see.

use std::borrow::Cow;

use serde::{Deserialize as _, Deserializer};
use unicode_normalization::char::is_combining_mark;

use super::Limits;

/// Returns `text` with nothing in it but printable characters, tabs and `\n`; every kind of line
/// break becomes `\n`.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    // To the end in any case: so the compiler takes many bytes at a time.
    if text.bytes().fold(true, |is_clean, b| is_clean & matches!(b, b' '..=b'~' | b'\n' | b'\t')) {
        return Cow::Borrowed(text);
    }
    let stripped = anstream::adapter::strip_str(&without_strings(text)).to_string();
    let mut out = String::with_capacity(stripped.len());
    let mut marks = 0;
    let mut before = None;
    let mut chars = stripped.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\r' if chars.as_str().starts_with('\n') => continue,
            '\u{1f3f4}' => {
                let tags = tags_of_flag(chars.as_str());
                out.push(c);
                out.push_str(tags);
                chars = chars.as_str()[tags.len()..].chars();
                (marks, before) = (0, Some(c));
                continue;
            }
            // A lone carriage return overwrites the line on a terminal; here it begins a new one.
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            c => c,
        };
        if c.is_control() && c != '\n' && c != '\t' || is_invisible(c) || is_tag(c) || !may_select(before, c) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks <= Limits::COMBINING_MARKS {
            out.push(c);
            before = Some(c);
        }
    }
    Cow::Owned(out)
}

/// Returns `text` without the strings for a terminal (OSC, DCS, APC, PM and SOS, ECMA-48 section
/// 5.6) in it. One that has no end on its line is none: nothing is lost but what begins it.
fn without_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        let Some(string) = behind.strip_prefix([']', 'P', '_', '^', 'X']) else {
            out.push('\u{1b}');
            rest = behind;
            continue;
        };
        rest = match string.split_once(['\u{7}', '\u{9c}', '\u{1b}', '\n', '\r']) {
            // xterm also takes BEL for the end, and most programs send it.
            Some((text, behind)) if string[text.len()..].starts_with(['\u{7}', '\u{9c}']) => behind,
            Some((text, behind)) if string[text.len()..].starts_with("\u{1b}\\") => &behind[1..],
            _ => string,
        };
    }
    out + rest
}

/// Returns `text` as [`lines()`] does, on one line: breaks and tabs become spaces.
#[must_use]
pub fn line(text: &str) -> String {
    lines(text).replace(['\n', '\t'], " ")
}

/// Reads free words of a peer, which have no type of their own, as [`line()`] does.
pub(super) fn deserialize_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(line(&Cow::<'de, str>::deserialize(deserializer)?))
}

/// Returns whether `c` may stand in a line as it is: neither a control nor something that misleads.
/// A tab and `\n` may not.
#[must_use]
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Returns whether `c` shows nothing by itself and can mislead whoever reads the text round it, or
/// carry another text: what Unicode lets a screen ignore and no script needs, and what is no
/// character (`Noncharacter_Code_Point`, UAX 44).
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e001f}' | '\u{e0080}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
        || is_bidi_control(c)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// Returns the tag characters with which `text` begins, if they make a flag of the black one before
/// it: of a region, which has up to six letters and digits (UTS 51 section 1.4.9), with the end of
/// a tag.
fn tags_of_flag(text: &str) -> &str {
    let is_spelling = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    let length: usize = text.chars().take(6).take_while(is_spelling).map(char::len_utf8).sum();
    match text[length..].strip_prefix('\u{e007f}') {
        Some(rest) if length > 0 => &text[..text.len() - rest.len()],
        _ => "",
    }
}

/// Returns whether `c` selects a variant of what is `before` it, or is no variation selector: a
/// Mongolian letter has those of its script, an ideograph has many, and whatever is seen may be a
/// picture or not.
fn may_select(before: Option<char>, c: char) -> bool {
    match c {
        '\u{180b}'..='\u{180d}' | '\u{180f}' => before.is_some_and(|c| matches!(c, '\u{1820}'..='\u{18aa}')),
        '\u{fe00}'..='\u{fe0f}' => before.is_some_and(|before| !is_blank(before)),
        '\u{e0100}'..='\u{e01ef}' => before.is_some_and(
            |c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'),
        ),
        _ => true,
    }
}

/// Returns whether `c` leaves the place empty where it stands: a space, a control, what Unicode
/// lets a screen ignore (`Default_Ignorable_Code_Point`, UAX 44), or a character whose picture is
/// blank, such as U+2800.
pub(super) fn is_blank(c: char) -> bool {
    // Most characters are ASCII.
    if c.is_ascii() {
        return !c.is_ascii_graphic();
    }
    c.is_whitespace()
        || !is_printable(c)
        || matches!(c,
            '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(c, '\u{2800}' | '\u{13430}'..='\u{13442}' | '\u{16fe4}' | '\u{1d159}')
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_escape_sequences_go() {
        assert_eq!(lines("\u{1b}[31mred\u{1b}[0m and \u{1b}]0;title\u{7}plain"), "red and plain");
    }

    #[test]
    fn a_string_goes_to_its_end_and_never_further() {
        for (text, left) in [
            ("q \u{1b}]8;;u\u{7}link\u{1b}]8;;\u{7} rest", "q link rest"),
            ("q \u{1b}]8;;u\u{1b}\\link\u{1b}]8;;\u{1b}\\ rest", "q link rest"),
            ("a\u{1b}Pq\u{9c}b\u{1b}_G\u{1b}\\c", "abc"),
            ("see \u{1b}] and more\nsecond line", "see  and more\nsecond line"),
            ("x \u{1b}P lost words 1", "x  lost words 1"),
            ("x \u{1b}]0;a\u{1b}[31mred\u{1b}_y", "x 0;aredy"),
            ("x \u{1b}]a\n\\b", "x a\n\\b"),
        ] {
            assert_eq!(lines(text), left, "{text:?}");
        }
    }

    #[test]
    fn every_line_break_is_one() {
        assert_eq!(lines("a\r\nb\rc\u{2028}d\u{c}e\u{85}f"), "a\nb\nc\nd\ne\nf");
    }

    #[test]
    fn bidi_overrides_and_invisible_characters_go() {
        assert_eq!(lines("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{ad}f"), "abcdef");
    }

    #[test]
    fn scripts_and_emoji_stay() {
        for text in [
            "👩‍👩‍👧‍👦 e\u{301}",
            "می‌خواهم",
            "שלום\u{200f}!",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}!",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "葛\u{e0100}",
            "ᠠ\u{180b}",
            "𓂀\u{13430}𓂀",
        ] {
            assert_eq!(lines(text), text);
        }
    }

    #[test]
    fn nothing_carries_a_hidden_text() {
        let tagged =
            |text: &str| text.chars().map(|c| char::from_u32(0xe0000 + u32::from(c)).unwrap()).collect::<String>();
        for hidden in [
            tagged("buy this"),
            format!("{}\u{e007f}", tagged("gbengland")),
            "\u{e007f}".to_owned(),
            "\u{fe00}\u{fe01}".repeat(9),
            "\u{e0100}\u{e01ef}\u{180b}\u{180f}".to_owned(),
            "\u{34f}\u{17b4}\u{17b5}\u{180e}\u{2065}\u{fff0}\u{1bca0}\u{1d173}\u{e0000}\u{e0fff}".to_owned(),
            "\u{fdd0}\u{fdef}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}".to_owned(),
        ] {
            // One variation selector may be meant.
            let shown = |text: &str| lines(text).replace('\u{fe00}', "");
            assert_eq!(shown(&format!("a{hidden}b")), "ab", "{hidden:?}");
            assert_eq!(shown(&format!("\u{1f3f4}{hidden}b")), "\u{1f3f4}b", "{hidden:?}");
            assert!(shown(&hidden).is_empty(), "{hidden:?}");
        }
        assert_eq!(lines(&format!("👩\u{fe0f}{}", "\u{fe00}".repeat(50))), "👩\u{fe0f}");
    }

    #[test]
    fn stacked_marks_are_cut() {
        assert_eq!(lines(&format!("a{}b", "\u{301}".repeat(50))), format!("a{}b", "\u{301}".repeat(8)));
    }

    #[test]
    fn what_leaves_its_place_empty_is_blank() {
        let blank = " \t\n\u{a0}\u{3000}\u{ad}\u{200b}\u{200d}\u{200e}\u{202e}\u{fe0f}\u{e0041}\u{2800}\u{3164}\u{115f}\u{1160}\u{ffa0}\u{13430}\u{fffe}\u{fdd0}";
        for c in blank.chars() {
            assert!(is_blank(c), "{c:?}");
        }
        for c in "a~.学☃\u{301}👩".chars() {
            assert!(!is_blank(c), "{c:?}");
        }
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(line("a\r\nb\tc"), "a b c");
    }

    proptest! {
        #[test]
        fn what_is_clean_stays_as_it_is(
            text in prop_oneof![any::<String>(), "[a\u{1f3f4}\u{e0030}-\u{e0032}\u{e007f}\u{fe00}\u{301}\u{200b}\u{180b}ᠠ葛\u{e0100}\r]{0,12}"],
        ) {
            let once = lines(&text).into_owned();
            prop_assert_eq!(lines(&once), once.as_str());
            prop_assert!(once.chars().all(|c| is_printable(c) || c == '\n' || c == '\t'));
        }
    }
}
