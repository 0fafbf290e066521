//! Shows the links on the screen as a list, and copies the selected one. Pure.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{fit::fit, palette::Palette, status};

/// The hint about the keys, in a long and a short form.
const KEYS: [&str; 2] = ["links: Up, Down, 1 to 9; Enter copies; Esc closes", "Enter copies; Esc closes"];

/// A list of links, one of them selected.
#[derive(Debug)]
pub(super) struct LinkList {
    links: Vec<Arc<str>>,
    selected: usize,
}

/// The effect of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pressed {
    /// The list stays open.
    Stays,
    /// The list closes.
    Closes,
    /// This link is to be copied.
    Copies(Arc<str>),
    /// The key is for something else. The list closes first.
    Otherwise,
}

impl LinkList {
    /// Creates the list with the last link selected, or returns `None` if there are no links.
    pub(super) fn new(links: Vec<Arc<str>>) -> Option<Self> {
        let selected = links.len().checked_sub(1)?;
        Some(Self { links, selected })
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Pressed {
        let control = key.modifiers == KeyModifiers::CONTROL;
        let last = self.links.len() - 1;
        match key.code {
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down => self.selected = (self.selected + 1).min(last),
            KeyCode::PageUp | KeyCode::Home => self.selected = 0,
            KeyCode::PageDown | KeyCode::End => self.selected = last,
            KeyCode::Char(digit @ '1'..='9') if key.modifiers.is_empty() => {
                let chosen = self.links.get(digit as usize - '1' as usize);
                return chosen.map_or(Pressed::Stays, |link| Pressed::Copies(Arc::clone(link)));
            }
            KeyCode::Enter => return Pressed::Copies(Arc::clone(&self.links[self.selected])),
            KeyCode::Esc => return Pressed::Closes,
            KeyCode::Char('c') if control => return Pressed::Closes,
            KeyCode::Char('l' | 'L') if key.modifiers == KeyModifiers::ALT => return Pressed::Closes,
            _ => return Pressed::Otherwise,
        }
        Pressed::Stays
    }

    /// Moves the selection down by `by` links.
    pub(super) fn select(&mut self, by: i32) {
        let step = isize::try_from(by).unwrap_or(0);
        self.selected = self.selected.saturating_add_signed(step).min(self.links.len() - 1);
    }

    /// Draws the list over the last rows of `area`. Returns the area that it covers.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer, palette: Palette) -> Rect {
        let height = u16::try_from(self.links.len() + 1).unwrap_or(u16::MAX).min(area.height);
        let over = Rect { y: area.bottom() - height, height, ..area };
        if over.is_empty() {
            return over;
        }
        for position in over.positions() {
            buffer[position].reset();
        }
        let width = usize::from(area.width);
        status::rule(Rect { height: 1, ..over }, buffer, palette);
        let keys = KEYS.into_iter().find(|keys| keys.width() + 4 <= width).unwrap_or_default();
        if !keys.is_empty() {
            buffer.set_string(over.x + 1, over.y, format!(" {keys} "), status::on_rule(palette.selected()));
        }
        let room = usize::from(height - 1);
        let top = (self.selected + 1).saturating_sub(room);
        for (y, index) in (over.y + 1..over.bottom()).zip(top..) {
            let Some(link) = self.links.get(index) else { break };
            let selected = index == self.selected;
            let (mark, style) = if selected { (">", palette.selected()) } else { (" ", Style::new()) };
            let row = format!("{mark}{:>2} {link}", index + 1);
            buffer.set_string(over.x, y, fit(&row, width), style);
        }
        over
    }
}
