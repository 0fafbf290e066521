//! The room as bare text. There is nothing beside the text and no indentation, so a selection with
//! the terminal's mouse copies the text as it was sent. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    conversation::{Conversation, cut_rows},
    fit::fit,
    palette::Palette,
};
use crate::client::picture::Picture;

/// The number of lines to keep. It is more than the rows of any screen.
const LINES: usize = 1000;

/// The hint in the last row.
const RETURNS: &str = "bare text, to be selected; any key returns";

/// A snapshot of the text. It does not change while it is shown, so that a selection stays in
/// place.
#[derive(Debug)]
pub(super) struct Bare {
    lines: Vec<String>,
}

impl Bare {
    /// Takes a snapshot of the lines in the viewport and of those before them.
    pub(super) fn new(conversation: &Conversation) -> Self {
        Self { lines: conversation.bare(LINES) }
    }

    /// Draws the end of the text into `area`, which is the whole screen. Lists the rows whose line
    /// continues in the next row in [`Picture::wrapped`], so that the terminal selects them as one
    /// line.
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
