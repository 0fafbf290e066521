//! The line being typed: keys go in, entered lines and one row of the screen come out. Pure: no terminal, no tokio.
//!
//! It works on grapheme clusters, and it takes one row whatever its length: a longer line is scrolled, so that nothing depends
//! on how a terminal wraps.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::input::Typed;
use crate::wire::{Limits, clean};

/// Lines that can be called back.
const HISTORY: usize = 200;

/// What a line may hold, in bytes: several messages, into which it is then cut.
const LENGTH: usize = 4 * Limits::MESSAGE;

/// What stands before the line, and what does where its beginning is out of sight.
const PROMPT: &str = "> ";
const SCROLLED: &str = "… ";

/// A line and the place of the cursor in it.
#[derive(Debug, Default)]
pub(super) struct Editor {
    text: String,
    /// Where the cursor stands: a byte between two clusters.
    cursor: usize,
    /// Lines entered before, the latest first.
    history: VecDeque<String>,
    /// Which of them is shown, and what was being typed before it was.
    recalled: Option<(usize, String)>,
}

impl Editor {
    /// Does what `key` asks for; returns what was entered, if anything was.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Typed> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL) && !key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            // A line break inside a paste comes as Ctrl-J.
            KeyCode::Enter => return Some(self.enter()),
            KeyCode::Char('j') if control => return Some(self.enter()),
            KeyCode::Char('c') if control => return Some(Typed::Stop),
            KeyCode::Char('d') if control && self.text.is_empty() => return Some(Typed::Ended),
            KeyCode::Char('d') if control => self.remove(self.cursor, self.after()),
            KeyCode::Char('h') if control => self.remove(self.before(), self.cursor),
            KeyCode::Char('w') if control => self.remove(self.word_before(), self.cursor),
            KeyCode::Char('u') if control => self.remove(0, self.cursor),
            KeyCode::Char('k') if control => self.remove(self.cursor, self.text.len()),
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Left if control => self.cursor = self.word_before(),
            KeyCode::Right if control => self.cursor = self.word_after(),
            KeyCode::Char(_) if control => {}
            KeyCode::Char(c) => self.insert(c),
            KeyCode::Tab => self.insert('\t'),
            KeyCode::Backspace => self.remove(self.before(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.after()),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Up => self.recall(self.recalled.as_ref().map_or(Some(0), |(shown, _)| Some(shown + 1))),
            KeyCode::Down => self.recall(self.recalled.as_ref().and_then(|(shown, _)| shown.checked_sub(1))),
            _ => {}
        }
        None
    }

    /// Returns the row that shows the line on a terminal `width` columns wide, and the column of the cursor in it.
    pub(super) fn row(&self, width: usize) -> (String, usize) {
        let room = width.saturating_sub(PROMPT.len() + 1);
        // Where something follows the cursor, some of it is kept in sight.
        let room_before = if self.cursor == self.text.len() { room } else { room - room / 4 };
        let (mut start, mut before) = (self.cursor, 0);
        for (at, cluster) in self.text[..self.cursor].grapheme_indices(true).rev() {
            let wide = shown(cluster).width();
            if before + wide > room_before {
                break;
            }
            (start, before) = (at, before + wide);
        }
        let mut row = String::from(if start == 0 { PROMPT } else { SCROLLED });
        let mut wide = 0;
        for cluster in self.text[start..].graphemes(true).map(shown) {
            wide += cluster.width();
            if wide > room {
                break;
            }
            row.push_str(cluster);
        }
        (row, PROMPT.len() + before)
    }

    fn enter(&mut self) -> Typed {
        let line = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.recalled = None;
        if !line.trim().is_empty() && self.history.front() != Some(&line) {
            self.history.push_front(line.clone());
            self.history.truncate(HISTORY);
        }
        Typed::Line(line)
    }

    fn insert(&mut self, c: char) {
        if (clean::is_printable(c) || c == '\t') && self.text.len() + c.len_utf8() <= LENGTH {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn recall(&mut self, wanted: Option<usize>) {
        let Some(wanted) = wanted else {
            if let Some((_, draft)) = self.recalled.take() {
                self.text = draft;
                self.cursor = self.text.len();
            }
            return;
        };
        let Some(line) = self.history.get(wanted) else { return };
        let before = std::mem::replace(&mut self.text, line.clone());
        self.cursor = self.text.len();
        self.recalled = Some((wanted, self.recalled.take().map_or(before, |(_, draft)| draft)));
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.cursor + self.text[self.cursor..].graphemes(true).next().map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let words = self.text[..self.cursor].trim_end();
        words.rfind(char::is_whitespace).map_or(0, |at| self.text.ceil_char_boundary(at + 1))
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let gap = rest.len() - rest.trim_start().len();
        rest[gap..].find(char::is_whitespace).map_or(self.text.len(), |at| self.cursor + gap + at)
    }
}

/// Returns how `cluster` is shown while it is being typed.
fn shown(cluster: &str) -> &str {
    if cluster == "\t" { " " } else { cluster }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn press(editor: &mut Editor, code: KeyCode) -> Option<Typed> {
        editor.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn control(editor: &mut Editor, c: char) -> Option<Typed> {
        editor.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
    }

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        type_in(&mut editor, text);
        editor
    }

    fn type_in(editor: &mut Editor, text: &str) {
        for c in text.chars() {
            press(editor, KeyCode::Char(c));
        }
    }

    #[test]
    fn a_line_is_entered_and_gone() {
        let mut editor = typed("hello");
        assert_eq!(editor.row(80), ("> hello".to_owned(), 7));
        assert_eq!(press(&mut editor, KeyCode::Enter), Some(Typed::Line("hello".to_owned())));
        assert_eq!(editor.row(80), ("> ".to_owned(), 2));
    }

    #[test]
    fn the_end_of_input_needs_an_empty_line() {
        let mut editor = typed("x");
        press(&mut editor, KeyCode::Home);
        assert_eq!(control(&mut editor, 'd'), None);
        assert_eq!(control(&mut editor, 'd'), Some(Typed::Ended));
        assert_eq!(control(&mut typed("x"), 'c'), Some(Typed::Stop));
    }

    #[test]
    fn a_cluster_is_one_character() {
        let mut editor = typed("a👩‍👩‍👧e\u{301}b");
        press(&mut editor, KeyCode::Left);
        press(&mut editor, KeyCode::Backspace);
        assert_eq!(editor.text, "a👩‍👩‍👧b");
        press(&mut editor, KeyCode::Backspace);
        assert_eq!(editor.text, "ab");
        press(&mut editor, KeyCode::Left);
        press(&mut editor, KeyCode::Delete);
        assert_eq!(editor.text, "b");
    }

    #[test]
    fn words_and_ends_are_removed_and_passed() {
        let mut editor = typed("one two  three ");
        control(&mut editor, 'w');
        assert_eq!(editor.text, "one two  ");
        editor.key(KeyEvent::new(KeyCode::Left, KeyModifiers::CONTROL));
        control(&mut editor, 'k');
        assert_eq!(editor.text, "one ");
        control(&mut editor, 'a');
        editor.key(KeyEvent::new(KeyCode::Right, KeyModifiers::CONTROL));
        control(&mut editor, 'u');
        assert_eq!(editor.text, " ");
    }

    #[test]
    fn earlier_lines_come_back_and_the_draft_is_kept() {
        let mut editor = Editor::default();
        for line in ["one", "two", "two"] {
            type_in(&mut editor, line);
            press(&mut editor, KeyCode::Enter);
        }
        type_in(&mut editor, "draft");
        let mut shown = |code| {
            press(&mut editor, code);
            editor.text.clone()
        };
        assert_eq!([shown(KeyCode::Up), shown(KeyCode::Up), shown(KeyCode::Up)], ["two", "one", "one"]);
        assert_eq!([shown(KeyCode::Down), shown(KeyCode::Down), shown(KeyCode::Down)], ["two", "draft", "draft"]);
    }

    #[test]
    fn a_long_line_is_scrolled_in_its_row() {
        let mut editor = typed("0123456789");
        assert_eq!(editor.row(9), ("… 456789".to_owned(), 8));
        for _ in 0..4 {
            press(&mut editor, KeyCode::Left);
        }
        assert_eq!(editor.row(9), ("… 123456".to_owned(), 7));
        press(&mut editor, KeyCode::Home);
        assert_eq!(editor.row(9), ("> 012345".to_owned(), 2));
        assert_eq!(typed("学学学").row(8), ("… 学学".to_owned(), 6));
    }

    #[test]
    fn what_is_pasted_cannot_command_the_terminal() {
        assert_eq!(typed("a\u{9b}31m\u{202e}\u{1b}b").text, "a31mb");
    }

    proptest! {
        #[test]
        fn no_keys_break_it(keys in prop::collection::vec((0..14_usize, any::<char>(), any::<bool>()), 0..60), width in 0..40_usize) {
            let mut editor = Editor::default();
            for (which, c, control) in keys {
                let code = match which {
                    0 => KeyCode::Left,
                    1 => KeyCode::Right,
                    2 => KeyCode::Backspace,
                    3 => KeyCode::Delete,
                    4 => KeyCode::Up,
                    5 => KeyCode::Down,
                    6 => KeyCode::Enter,
                    7 => KeyCode::Char(['w', 'u', 'k', 'a', 'd', 'h'][c as usize % 6]),
                    _ => KeyCode::Char(c),
                };
                editor.key(KeyEvent::new(code, if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE }));
                let (row, column) = editor.row(width);
                prop_assert!(column < width.max(3) && row.width() < width.max(3), "{row:?} {column} of {width}");
            }
        }
    }
}
