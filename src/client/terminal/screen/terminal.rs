//! What is asked of the terminal, and what it is told once it has answered. Pure.
//!
//! Nobody waits for an answer: the first picture is drawn without, and a terminal that never
//! answers costs a few bytes. The last question is one that every terminal answers, and all answer
//! in order: what has no answer before that one has none.

use crate::client::terminal::keys::Answer;

/// The ground (OSC 11).
const GROUND: &[u8] = b"\x1b]11;?\x07";

/// The ground (OSC 11), the name (XTVERSION), kitty's keyboard, and what it is (DA1).
const QUESTIONS: &[u8] = b"\x1b]11;?\x07\x1b[>0q\x1b[?u\x1b[c";

/// How the terminal tells keys that have no byte of their own, such as Shift-Enter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keyboard {
    /// As it always did.
    #[default]
    Plain,
    /// By kitty's protocol: keys that would be mistaken for others are sequences (flag 1), and
    /// these tell the key of a Latin layout as well (flag 4), so that Ctrl-C is itself in a
    /// Cyrillic one.
    Kitty,
    /// By xterm's modifyOtherKeys, level 1: keys that no byte stands for are sequences.
    Xterm,
}

impl Keyboard {
    /// Returns what has the terminal tell keys so, until [`Self::returning`]; what was before is
    /// kept there if it `keeps`.
    pub(super) fn taking(self, keeps: bool) -> &'static [u8] {
        match self {
            Self::Plain => b"",
            Self::Kitty if keeps => b"\x1b[>5u",
            Self::Kitty => b"\x1b[=5u",
            // Whoever takes it for colours gets them back.
            Self::Xterm => b"\x1b[>4;1m\x1b[m",
        }
    }

    /// Returns what has the terminal tell keys as it did before.
    pub(super) fn returning(self) -> &'static [u8] {
        match self {
            Self::Plain => b"",
            Self::Kitty => b"\x1b[<u",
            Self::Xterm => b"\x1b[>4m\x1b[m",
        }
    }
}

/// Returns what to ask a terminal of which `TERM` says this: nothing of one that might show the
/// questions.
#[must_use]
pub fn questions(term: &str) -> &'static [u8] {
    if is_old(term) { b"" } else { QUESTIONS }
}

/// Returns what asks the same terminal for its ground again: it may have another by now, or know it
/// only since somebody looks.
#[must_use]
pub fn ground_question(term: &str) -> &'static [u8] {
    if is_old(term) { b"" } else { GROUND }
}

fn is_old(term: &str) -> bool {
    ["linux", "vt", "ansi", "cons", "dumb", "wy", "sun"].iter().any(|name| term.starts_with(name))
}

/// Returns how the terminal is to tell keys from now on, after this `answer`; nothing when that
/// stays as it `is`.
#[must_use]
pub fn keyboard(answer: &Answer, is: Keyboard) -> Option<Keyboard> {
    match (answer, is) {
        (Answer::Keyboard, Keyboard::Plain) => Some(Keyboard::Kitty),
        (Answer::Attributes, Keyboard::Plain) => Some(Keyboard::Xterm),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_asked_for_the_best_keyboard_that_it_has_and_once() {
        let mut is = Keyboard::default();
        for answer in [Answer::Name("kitty(0.35)".to_owned()), Answer::Keyboard, Answer::Attributes, Answer::Keyboard] {
            is = keyboard(&answer, is).unwrap_or(is);
        }
        assert_eq!(is, Keyboard::Kitty);
        assert_eq!(keyboard(&Answer::Attributes, Keyboard::Plain), Some(Keyboard::Xterm));
        assert_eq!(keyboard(&Answer::Attributes, Keyboard::Xterm), None);
    }

    #[test]
    fn a_terminal_that_would_show_the_questions_is_not_asked() {
        for term in ["linux", "vt220", "ansi", "dumb"] {
            assert_eq!((questions(term), ground_question(term)), (&b""[..], &b""[..]));
        }
        // The one that every terminal answers is the last.
        assert!(questions("xterm-256color").ends_with(b"\x1b[c"));
        assert!(questions("xterm-256color").starts_with(ground_question("xterm-256color")));
    }
}
