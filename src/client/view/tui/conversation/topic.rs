//! The whole of a long topic, over the conversation of its room. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::{
        palette::Palette,
        styled::{self, Role},
    },
    entry::rule,
    wrap::{Margins, Row, wrap},
};

/// Draws `topic` at the top of `area`, below `title`; returns where.
pub fn draw_topic(area: Rect, buffer: &mut Buffer, palette: Palette, title: &str, topic: &str) -> Rect {
    let mut rows = vec![Row::of(1, title, Role::Quiet)];
    let width = area.width.saturating_sub(1);
    wrap(styled::parts(topic, None), Margins { first: 1, rest: 1, width }, &mut rows);
    // Of one that is higher than the screen, the beginning.
    rows.truncate(area.height.saturating_sub(1).into());
    rows.push(rule(&["any key closes"], area.width, Role::Quiet));
    let over = Rect { height: u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height), ..area };
    for (y, row) in (0..area.height).zip(rows) {
        buffer.set_string(area.x, area.y + y, " ".repeat(area.width.into()), Style::reset());
        row.draw(area, y, buffer, palette, Style::new());
    }
    over
}
