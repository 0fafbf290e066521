//! The column beside the conversation: the rooms that are open, and who is in this one. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{fit::fit, palette::Palette, room::Room};

/// Draws the column into `area`.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, palette: Palette, rooms: &[Room], current: usize) {
    for y in area.top()..area.bottom() {
        buffer.set_string(area.x, y, "│", palette.quiet());
    }
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    let mut y = inner.y;
    let mut line = |text: &str, style: Style| {
        if y < inner.bottom() {
            buffer.set_string(inner.x, y, fit(text, inner.width.into()), style);
            y += 1;
        }
    };
    for (index, room) in rooms.iter().enumerate() {
        let mark = if index == current { '>' } else { ' ' };
        let unread = match (room.unread, room.mentions) {
            (0, _) => String::new(),
            (unread, 0) => format!(" {unread}"),
            (unread, _) => format!(" {unread}!"),
        };
        let style = match (index == current, room.unread, room.mentions) {
            (true, ..) | (_, 1.., 0) => palette.selected(),
            (_, _, 1..) => palette.new_mark(),
            _ => Style::default(),
        };
        // Only so many can be reached by their number.
        let number = if index < 9 { (index + 1).to_string() } else { " ".to_owned() };
        let label = fit(&room.label(), usize::from(inner.width).saturating_sub(3 + unread.width()));
        line(&format!("{mark}{number} {label}{unread}"), style);
    }
    let Some(room) = rooms.get(current) else { return };
    line("", Style::default());
    if let Some(person) = &room.person {
        line(&format!("{} is in", person.nick), palette.quiet());
        for room in rooms.iter().filter(|room| room.names.contains(&person.nick)) {
            line(&room.label(), Style::default());
        }
        return;
    }
    line(&format!("{} here", room.people), palette.quiet());
    let free = usize::from(inner.bottom().saturating_sub(inner.y)).saturating_sub(rooms.len() + 2);
    let fits = if room.people > free { free.saturating_sub(1) } else { free };
    for nick in room.names.iter().take(fits) {
        if room.ignores(nick) {
            line(&format!("{nick} (ignored)"), palette.quiet());
        } else {
            line(nick.as_str(), palette.nick(nick.as_str()));
        }
    }
    let more = room.people.saturating_sub(room.names.len().min(fits));
    if more > 0 {
        line(&format!("and {more} more"), palette.quiet());
    }
}
