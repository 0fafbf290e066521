//! Questions that the screen asks, one at a time, where the line of state is otherwise. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

/// A paste of more lines or characters than this is asked about first: it was perhaps not meant for
/// a chat.
const LINES: usize = 5;
const CHARACTERS: usize = 2000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether the program should end.
    Quit,
    /// Whether this text should be inserted.
    Paste(String),
    /// Whether this line, which is perhaps a command gone wrong, should be said.
    Aloud {
        /// The line.
        line: String,
        /// What is wrong with it.
        because: String,
    },
}

/// What a key says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// The key is about something else, and the question is taken back.
    Otherwise,
    /// The key is about something else, and the question stays.
    Stays,
}

impl Question {
    /// Returns the question that has to be asked before `text` is inserted, if one has to be.
    pub(super) fn about_paste(text: &str) -> Option<Self> {
        let asks = lines(text) > LINES || text.graphemes(true).count() > CHARACTERS;
        asks.then(|| Self::Paste(text.to_owned()))
    }

    /// Returns what `key` answers.
    pub(super) fn answer(&self, key: KeyEvent) -> Answer {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (self, key.code) {
            // A paste is answered by keys that no text needs: somebody may be writing.
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

/// Returns how many bytes that is, in words.
pub(super) fn bytes(count: usize) -> String {
    format!("{count} {}", if count == 1 { "byte" } else { "bytes" })
}

/// Returns how much `text` is.
pub(super) fn size(text: &str) -> String {
    match (lines(text), text.graphemes(true).count()) {
        (1, characters) => format!("{characters} characters"),
        (lines, characters) => format!("{lines} lines, {characters} characters"),
    }
}

/// Returns how many lines `text` has, without a break at its end.
pub(super) fn lines(text: &str) -> usize {
    // A terminal sends a line break in a paste as the key that makes one.
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
