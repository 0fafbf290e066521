//! Questions in place of the status line, one at a time. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

/// The maximum size of a paste that is inserted without a question. A longer one was perhaps not
/// meant for a chat.
const LINES: usize = 5;
const CHARACTERS: usize = 2000;

/// A question to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether to end the program.
    Quit,
    /// Whether to insert this text.
    Paste(String),
    /// Whether to send this line, which may be a mistyped command.
    Aloud {
        /// The line.
        line: String,
        /// What is wrong with it.
        because: String,
    },
}

/// The answer that a key gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// The key is about something else, and the question is withdrawn.
    Otherwise,
    /// The key is about something else, and the question stays.
    Stays,
}

impl Question {
    /// Returns the question to ask before `text` is inserted, if any.
    pub(super) fn about_paste(text: &str) -> Option<Self> {
        let asks = lines(text) > LINES || text.graphemes(true).count() > CHARACTERS;
        asks.then(|| Self::Paste(text.to_owned()))
    }

    /// Returns the answer that `key` gives.
    pub(super) fn answer(&self, key: KeyEvent) -> Answer {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (self, key.code) {
            // Only keys that type no text answer the question about a paste: the user may be
            // typing.
            (Self::Quit, KeyCode::Char('c' | 'd')) | (Self::Paste(_), KeyCode::Char('y')) if control => Answer::Yes,
            (Self::Aloud { .. }, _) if submits(key) => Answer::Yes,
            (_, KeyCode::Esc) => Answer::No,
            (Self::Paste(_), KeyCode::Char('c')) if control => Answer::No,
            (Self::Quit | Self::Aloud { .. }, _) => Answer::Otherwise,
            (Self::Paste(_), _) => Answer::Stays,
        }
    }

    /// Returns the question in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Quit => "Ctrl-C again quits".to_owned(),
            Self::Paste(text) => {
                format!("insert {}? Ctrl-Y inserts, Esc does not", size(text))
            }
            Self::Aloud { because, .. } => format!("{because}, so all would read it: Enter says it, Esc does not"),
        }
    }
}

/// Returns whether `key` submits the line.
pub(super) fn submits(key: KeyEvent) -> bool {
    key.code == KeyCode::Enter && key.modifiers.is_empty()
}

/// Formats a number of bytes.
pub(super) fn bytes(count: usize) -> String {
    format!("{count} {}", if count == 1 { "byte" } else { "bytes" })
}

/// Formats the size of `text`.
pub(super) fn size(text: &str) -> String {
    match (lines(text), text.graphemes(true).count()) {
        (1, characters) => format!("{characters} characters"),
        (lines, characters) => format!("{lines} lines, {characters} characters"),
    }
}

/// Returns the number of lines in `text`. Line breaks at its end do not count.
pub(super) fn lines(text: &str) -> usize {
    // In a paste, a terminal sends a line break as the Enter key does: as a carriage return.
    let breaks = text.replace("\r\n", "\n").replace('\r', "\n");
    breaks.trim_end_matches('\n').split('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_asked_about() {
        assert_eq!(Question::about_paste("a\nb\r\nc\rd\ne\n"), None);
        assert!(Question::about_paste("a\nb\nc\nd\ne\nf").is_some());
        assert_eq!(Question::about_paste(&"👩‍👩‍👧".repeat(2000)), None);
        assert!(Question::about_paste(&"x".repeat(2001)).is_some());
        assert_eq!(size("a\rb"), "2 lines, 3 characters");
    }

    #[test]
    fn keys_answer() {
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        let paste = Question::Paste("x".to_owned());
        assert_eq!(paste.answer(control('y')), Answer::Yes);
        assert_eq!(paste.answer(key(KeyCode::Esc)), Answer::No);
        for text in [KeyCode::Char('y'), KeyCode::Char('n'), KeyCode::Enter] {
            assert_eq!(paste.answer(key(text)), Answer::Stays);
        }
        assert_eq!(paste.answer(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)), Answer::Stays);
        assert_eq!(paste.answer(control('c')), Answer::No);
        assert_eq!(Question::Quit.answer(control('c')), Answer::Yes);
        assert_eq!(Question::Quit.answer(key(KeyCode::Char('x'))), Answer::Otherwise);
        let aloud = Question::Aloud { line: String::new(), because: String::new() };
        assert_eq!(aloud.answer(key(KeyCode::Enter)), Answer::Yes);
        assert_eq!(aloud.answer(key(KeyCode::Esc)), Answer::No);
        assert_eq!(aloud.answer(key(KeyCode::Backspace)), Answer::Otherwise);
        assert_eq!(aloud.answer(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)), Answer::Otherwise);
    }
}
