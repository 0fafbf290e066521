//! The whole of a long topic, over the conversation of its room. Pure.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::{
        palette::Palette,
        styled::{self, Role},
    },
    entry::rule,
    wrap::{Margins, Row, wrap},
};

/// A topic that lies open, and how far it is scrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicPage {
    above: usize,
    /// How many rows a page has; 0 where the whole was seen when it was drawn last.
    page: usize,
}

/// What a key does to a topic that lies open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKey {
    /// It scrolls.
    Stays,
    /// It closes.
    Closes,
    /// It closes, and the key is for what lies below.
    Otherwise,
}

impl TopicPage {
    /// Does what `key` is for.
    pub fn key(&mut self, key: KeyEvent) -> TopicKey {
        match key.code {
            KeyCode::Up if self.page > 0 => self.above = self.above.saturating_sub(1),
            KeyCode::Down if self.page > 0 => self.above += 1,
            KeyCode::PageUp if self.page > 0 => self.above = self.above.saturating_sub(self.page),
            KeyCode::PageDown if self.page > 0 => self.above += self.page,
            KeyCode::Esc | KeyCode::F(2) | KeyCode::Enter => return TopicKey::Closes,
            _ => return TopicKey::Otherwise,
        }
        TopicKey::Stays
    }

    /// Scrolls by so many rows; down is positive.
    pub fn scroll(&mut self, rows: i32) {
        self.above = self.above.saturating_add_signed(isize::try_from(rows).unwrap_or(0));
    }

    /// Draws `topic` at the top of `area`, below `title`; returns where.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, palette: Palette, title: &str, topic: &str) -> Rect {
        let width = area.width.saturating_sub(1);
        let mut text = Vec::new();
        wrap(styled::parts(topic, None), Margins { first: 1, rest: 1, width }, &mut text);
        // Beside the title and the last line.
        let room = usize::from(area.height.saturating_sub(2)).max(1);
        self.above = self.above.min(text.len().saturating_sub(room));
        let below = text.len().saturating_sub(self.above + room);
        self.page = if self.above + below > 0 { room } else { 0 };
        let words = match (self.page, below) {
            (0, _) => "any key closes".to_owned(),
            (_, 0) => "PgUp: what is above; Esc closes".to_owned(),
            (_, below) => format!("PgDn: {below} more lines; Esc closes"),
        };
        let title = Row::of(1, title, Role::Quiet);
        let shown = text.into_iter().skip(self.above).take(room);
        let rows: Vec<_> = [title].into_iter().chain(shown).chain([rule(&[&words], area.width, Role::Quiet)]).collect();
        let over = Rect { height: u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height), ..area };
        for (y, row) in (0..area.height).zip(rows) {
            buffer.set_string(area.x, area.y + y, " ".repeat(area.width.into()), Style::reset());
            row.draw(area, y, buffer, palette, Style::new());
        }
        over
    }
}
