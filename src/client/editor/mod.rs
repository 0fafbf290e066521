//! The text being typed. Pure. (A stand-in until the editor is there.)

use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The text or the cursor changed.
    Changed,
    /// Nothing changed.
    Unchanged,
    /// The text was entered.
    Submit(String),
    /// Not an editor's key.
    Ignored,
}

/// The text and the place of the cursor.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    cursor: usize,
}

/// The rows that show the text.
#[derive(Debug)]
pub struct Layout {
    /// The rows.
    pub rows: Vec<String>,
    /// The cursor: column, row.
    pub cursor: (u16, u16),
    /// Rows above.
    pub above: usize,
    /// Rows below.
    pub below: usize,
}

#[expect(missing_docs, reason = "a stand-in")]
impl Editor {
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        match key.code {
            KeyCode::Enter if key.modifiers.contains(KeyModifiers::ALT) => self.paste("\n"),
            KeyCode::Enter => return Outcome::Submit(self.take()),
            KeyCode::Backspace => {
                self.text.pop();
                self.cursor = self.text.len();
            }
            KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                self.paste(&c.to_string());
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Changed
    }
    pub fn paste(&mut self, text: &str) {
        self.text.push_str(text);
        self.cursor = self.text.len();
    }
    pub fn set(&mut self, text: String) {
        self.text = text;
        self.cursor = self.text.len();
    }
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }
    pub fn clear(&mut self) {
        self.take();
    }
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        self.text.replace_range(range, with);
        self.cursor = self.text.len();
    }
    #[must_use]
    pub fn layout(&self, width: u16, rows: u16) -> Layout {
        let mut all: Vec<String> = self.text.split('\n').map(str::to_owned).collect();
        let above = all.len().saturating_sub(rows.into());
        all.drain(..above);
        let x = unicode_width::UnicodeWidthStr::width(all.last().map_or("", String::as_str));
        let cursor = (u16::try_from(x).unwrap_or(0).min(width), u16::try_from(all.len() - 1).unwrap_or(0));
        Layout { rows: all, cursor, above, below: 0 }
    }
    #[must_use]
    pub fn searching(&self) -> Option<(&str, Option<&str>)> {
        None
    }
}
