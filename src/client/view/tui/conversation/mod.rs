//! What one room's conversation looks like. Pure. (A stand-in until it is there.)

use jiff::{Timestamp as Moment, tz::TimeZone};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::palette::Palette;
use crate::{
    client::{app::Shown, view::plain::Plain},
    wire::{MessageId, Nick, ServerMessage},
};

/// How much something concerns the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "a stand-in")]
pub enum Attention {
    None,
    Said,
    Mention,
    Private,
}

/// How far to scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "a stand-in")]
pub enum Scroll {
    Lines(i32),
    Pages(i32),
    Top,
    Bottom,
}

/// The lines of a room.
#[derive(Debug)]
pub struct Conversation {
    plain: Plain,
    lines: Vec<String>,
}

#[expect(missing_docs, clippy::unused_self, reason = "a stand-in")]
impl Conversation {
    pub fn new(zone: TimeZone) -> Self {
        Self { plain: Plain::new(zone, false), lines: Vec::new() }
    }
    pub fn take(&mut self, shown: &Shown, me: Option<&Nick>, _at: Moment) -> Attention {
        let Some(block) = self.plain.render(shown) else { return Attention::None };
        self.lines.extend(block.text.lines().map(str::to_owned));
        match shown {
            Shown::Event { event: ServerMessage::Private(_), .. } => Attention::Private,
            Shown::Event { event: ServerMessage::Message(message), .. } => {
                let text = message.text.as_ref().map_or("", |text| text.as_str());
                if me.is_some_and(|me| text.contains(me.as_str())) { Attention::Mention } else { Attention::Said }
            }
            _ => Attention::None,
        }
    }
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, _palette: Palette) {
        let from = self.lines.len().saturating_sub(area.height.into());
        for (y, line) in (area.y..).zip(&self.lines[from..]) {
            buffer.set_stringn(area.x, y, line, area.width.into(), Style::default());
        }
    }
    pub fn scroll(&mut self, _by: Scroll) {}
    pub fn is_at_bottom(&self) -> bool {
        true
    }
    pub fn new_below(&self) -> usize {
        0
    }
    pub fn wants_older(&self) -> Option<MessageId> {
        None
    }
    pub fn mark_read_up_to(&mut self) {}
    pub fn clear(&mut self) {
        self.lines.clear();
    }
    pub fn speakers(&self) -> impl Iterator<Item = &Nick> {
        std::iter::empty()
    }
}
