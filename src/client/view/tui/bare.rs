//! The room as bare text: nothing stands beside it and nothing is indented, so that the terminal
//! selects it as it was said. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    conversation::{Conversation, cut_rows},
    fit::fit,
    palette::Palette,
};
use crate::client::picture::Picture;

/// The lines that are kept: more than a screen has rows.
const LINES: usize = 1000;

/// What is told below.
const RETURNS: &str = "bare text, to be selected; any key returns";

/// The text, as it was when it was asked for: what is selected must stay where it is.
#[derive(Debug)]
pub(super) struct Bare {
    lines: Vec<String>,
}

impl Bare {
    /// Returns what of the conversation is in sight, and before it.
    pub(super) fn new(conversation: &Conversation) -> Self {
        Self { lines: conversation.bare(LINES) }
    }

    /// Draws the last of it into `area`, which is the whole screen. Where a line goes on in the
    /// next row the terminal itself is to go on there.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer, palette: Palette) -> Picture {
        let mut picture = Picture::default();
        let room = usize::from(area.height.saturating_sub(1));
        let mut rows: Vec<(&str, bool)> = Vec::new();
        for line in self.lines.iter().rev() {
            if rows.len() >= room {
                break;
            }
            let cut = cut_rows(line, area.width);
            let last = cut.len() - 1;
            rows.extend(cut.into_iter().enumerate().rev().map(|(index, row)| (row, index < last)));
        }
        rows.truncate(room);
        let blank = u16::try_from(room - rows.len()).unwrap_or(0);
        for (y, (row, goes_on)) in (area.y + blank..).zip(rows.into_iter().rev()) {
            buffer.set_stringn(area.x, y, row, area.width.into(), Style::new());
            if goes_on {
                picture.wrapped.push(y);
            }
        }
        if area.height > 1 {
            buffer.set_string(area.x, area.bottom() - 1, fit(RETURNS, area.width.into()), palette.quiet());
        }
        picture
    }
}
