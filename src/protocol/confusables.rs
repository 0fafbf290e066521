//! What a text looks like, so that two that look alike can be told to be the same, and a letter
//! from what is drawn like punctuation. Pure.

use std::sync::LazyLock;

use unicode_normalization::char::is_combining_mark;
use unicode_security::mixed_script::AugmentedScriptSet;

/// Returns the UTS 39 section 4 skeleton of `text`, in lower case: two texts with the same one look
/// alike.
pub(super) fn skeleton(text: &str) -> String {
    // Most names are ASCII, whose characters are looked at one by one, and the rules for all others
    // take many times as long.
    static ASCII: LazyLock<[String; 128]> = LazyLock::new(|| {
        std::array::from_fn(|code| {
            let c = u8::try_from(code).map_or('\0', char::from);
            by_tables(c.encode_utf8(&mut [0; 4]))
        })
    });
    if text.is_ascii() { text.bytes().map(|byte| ASCII[usize::from(byte)].as_str()).collect() } else { by_tables(text) }
}

fn by_tables(text: &str) -> String {
    look(text).to_lowercase()
}

/// The punctuation that no nick may have: that which our lines and commands give a meaning, and
/// that which other chat protocols do.
pub(super) const REFUSED: &str = ":*/#@,<>\"!?$%&+~";

/// Characters that look like [`REFUSED`] and are not in the tables of UTS 39.
const ALSO_ALIKE: &str = "«»〈〉《》⟨⟩⟪⟫،؟、✢✣✤✥✱✲✳✺✻✼✽﹡⁑⧆⊛⊕⊞";

/// Returns whether a character of `nick` is one of [`REFUSED`] or looks like one (UTS 39 section
/// 4).
///
/// Letters and marks of many scripts do, such as the visarga of Devanagari, a colon to the eye, and
/// the ノ of Katakana, a slash. They are themselves where the whole nick is in their script (UTS 39
/// section 5.1) and has a letter of it that looks like none.
pub(super) fn has_refused_punctuation(nick: &str) -> bool {
    static LOOKS: LazyLock<Vec<String>> =
        LazyLock::new(|| REFUSED.chars().map(|c| look(c.encode_utf8(&mut [0; 4]))).collect());
    let is_alike = |c: char| {
        let look = look(c.encode_utf8(&mut [0; 4]));
        ALSO_ALIKE.contains(c) || LOOKS.iter().any(|refused| look.contains(refused))
    };
    // What belongs to no script, or to that of the punctuation itself.
    let is_latin_or_common = |c: char| {
        let mut scripts = AugmentedScriptSet::for_char('a');
        scripts.intersect_with(AugmentedScriptSet::for_char(c));
        !scripts.is_empty()
    };
    let is_lisu_tone = |c| matches!(c, '\u{a4f8}'..='\u{a4fd}');
    // Two apostrophes are a quotation mark.
    let is_apostrophe = |c: char| !c.is_alphanumeric() && look(c.encode_utf8(&mut [0; 4])) == "'";
    if nick.chars().zip(nick.chars().skip(1)).any(|(a, b)| is_apostrophe(a) && is_apostrophe(b)) {
        return true;
    }
    let mut alike = nick.chars().filter(|c| REFUSED.contains(*c) || !c.is_ascii() && is_alike(*c)).peekable();
    if alike.peek().is_none() {
        return false;
    }
    let is_a_letter =
        |c: char| (c.is_alphabetic() || is_combining_mark(c)) && !is_latin_or_common(c) && !is_lisu_tone(c);
    let has_context = || nick.chars().any(|c| c.is_alphabetic() && !is_latin_or_common(c) && !is_alike(c));
    !alike.all(is_a_letter) || AugmentedScriptSet::for_str(nick).is_empty() || !has_context()
}

/// Returns whether `c` is drawn like the lines, arrows and blocks that a screen is made of, or like
/// a space with a line through it.
pub(super) fn is_drawn_by_screens(c: char) -> bool {
    matches!(c,
        '\u{2190}'..='\u{21ff}' | '\u{239b}'..='\u{23bd}' | '\u{23d0}' | '\u{2400}'..='\u{243f}' | '\u{2500}'..='\u{259f}'
        | '\u{2758}'..='\u{275a}' | '\u{2794}' | '\u{2798}'..='\u{27af}' | '\u{27b1}'..='\u{27be}'
        | '\u{27f0}'..='\u{27ff}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2b11}' | '\u{2b30}'..='\u{2b4f}'
        | '\u{2b5a}'..='\u{2bbf}' | '\u{303f}' | '\u{1f800}'..='\u{1f8ff}' | '\u{1fb00}'..='\u{1fbff}')
}

/// Returns whether a nick may begin with `c`: a letter, a digit, ASCII or an emoji, but no dash,
/// dot or mark that looks like ours.
pub(super) fn may_begin(c: char) -> bool {
    c.is_ascii()
        || c.is_alphanumeric()
        || matches!(c, '\u{2600}'..='\u{27bf}' | '\u{2b12}'..='\u{2b59}' | '\u{1f000}'..)
}

/// Returns whether `nick` looks like what a client calls its user.
pub(super) fn is_the_reader(nick: &str) -> bool {
    skeleton(nick) == "you"
}

fn look(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_looked_at_one_by_one() {
        for first in '\0'..='\x7f' {
            for second in '\0'..='\x7f' {
                let text = format!("{first}{second}m");
                assert_eq!(skeleton(&text), by_tables(&text), "{text:?}");
            }
        }
    }
}
