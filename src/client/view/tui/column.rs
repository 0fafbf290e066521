//! The column beside the conversation: the open rooms, and the people in the current room. Pure.
//!
//! If both lists do not fit, each has its share of the rows, and the list of rooms scrolls to keep
//! the current room visible.

use std::ops::Range;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{fit::fit, palette::Palette, room::Room};
use crate::protocol::Nick;

/// The minimum height in rows at which the people have a share of the column: up to two fifths of
/// the rows.
const SHARED: usize = 8;

/// A cursor that writes the lines of the column from the top down.
struct Lines<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    y: u16,
}

impl Lines<'_> {
    fn put(&mut self, text: &str, style: Style) {
        if self.y < self.area.bottom() {
            self.buffer.set_string(self.area.x, self.y, fit(text, self.area.width.into()), style);
            self.y += 1;
        }
    }

    /// Returns the number of free lines.
    fn left(&self) -> usize {
        self.area.bottom().saturating_sub(self.y).into()
    }
}

/// Draws the column into `area`.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, palette: Palette, rooms: &[Room], current: usize) {
    for y in area.top()..area.bottom() {
        buffer.set_string(area.x, y, "│", palette.quiet());
    }
    let area = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    let Some(room) = rooms.get(current) else { return };
    let mut lines = Lines { buffer, area, y: area.y };
    let shown = shown(area.height, rooms, current);
    let (above, after) = (&rooms[..shown.start], &rooms[shown.end..]);
    draw_rest('↑', above, &mut lines, palette);
    for (index, room) in shown.clone().zip(&rooms[shown]) {
        let mark = if index == current { '>' } else { ' ' };
        let unread = room.unread_mark().map_or_else(String::new, |mark| format!(" {mark}"));
        let style = match (index == current, room.unread, room.mentions) {
            (true, ..) | (_, 1.., 0) => palette.selected(),
            (_, _, 1..) => palette.new_mark(),
            _ => Style::default(),
        };
        // Only the first nine tabs can be reached by their number.
        let number = if index < 9 { (index + 1).to_string() } else { " ".to_owned() };
        let label = fit(&room.label(), usize::from(area.width).saturating_sub(3 + unread.width()));
        lines.put(&format!("{mark}{number} {label}{unread}"), style);
    }
    draw_rest('↓', after, &mut lines, palette);
    lines.put("", Style::default());
    if let Some(person) = &room.person {
        let in_common: Vec<_> = in_common(rooms, &person.nick).collect();
        let words = if in_common.is_empty() { "in no room of yours" } else { "is in" };
        lines.put(&format!("{} {words}", person.nick), palette.quiet());
        for room in in_common {
            lines.put(&room.label(), Style::default());
        }
        return;
    }
    lines.put(&format!("{} here", room.people), palette.quiet());
    let free = lines.left();
    let fits = if room.people > free { free.saturating_sub(1) } else { free };
    for nick in room.names.iter().take(fits) {
        if room.ignores(nick) {
            lines.put(&format!("{nick} (ignored)"), palette.quiet());
        } else {
            lines.put(nick.as_str(), palette.nick(nick.as_str()));
        }
    }
    let more = room.people.saturating_sub(room.names.len().min(fits));
    if more > 0 {
        lines.put(&format!("and {more} more"), palette.quiet());
    }
}

/// Returns which rooms are visible in a column of `height` rows.
pub(super) fn shown(height: u16, rooms: &[Room], current: usize) -> Range<usize> {
    let Some(room) = rooms.get(current) else { return 0..0 };
    let people = room.person.as_ref().map_or(room.people, |person| in_common(rooms, &person.nick).count());
    // A blank line and the line with the number of people stand above the people.
    in_sight(rooms.len(), current, room_rows(height.into(), rooms.len(), 2 + people))
}

/// Returns the rooms in which both the user and `nick` are.
fn in_common<'a>(rooms: &'a [Room], nick: &Nick) -> impl Iterator<Item = &'a Room> {
    rooms.iter().filter(move |room| room.names.contains(nick))
}

/// Draws the number of hidden rooms on one side, and how many of them have mentions or unread
/// messages. Draws nothing if no room is hidden.
fn draw_rest(arrow: char, rooms: &[Room], lines: &mut Lines<'_>, palette: Palette) {
    if rooms.is_empty() {
        return;
    }
    let count = |matters: fn(&Room) -> bool| rooms.iter().filter(|room| matters(room)).count();
    let (called, unread) = (count(|room| room.mentions > 0), count(|room| room.unread > 0));
    let (words, style) = match (called, unread) {
        (0, 0) => (String::new(), palette.quiet()),
        (0, unread) => (format!(", {unread} unread"), palette.selected()),
        (called, _) => (format!(", {called} !"), palette.new_mark()),
    };
    lines.put(&format!(" {arrow} {} more{words}", rooms.len()), style);
}

/// Returns how many of the `height` rows the list of rooms has if the content below it needs
/// `below` rows.
fn room_rows(height: usize, rooms: usize, below: usize) -> usize {
    let kept = if height < SHARED { 0 } else { below.min((height * 2 / 5).max(3)) };
    rooms.min(height - kept)
}

/// Returns which of `count` rooms are visible in `rows` rows. The `current` room is one of them. On
/// each side with hidden rooms, one row is left for [`draw_rest`].
fn in_sight(count: usize, current: usize, rows: usize) -> Range<usize> {
    if count <= rows {
        return 0..count;
    }
    // There are too few rows to use any for `draw_rest`.
    if rows < 3 {
        return current..(current + rows.min(1));
    }
    let first = current.saturating_sub(rows / 2).min(count - rows);
    let (hidden_above, hidden_below) = (first > 0, first + rows < count);
    first + usize::from(hidden_above)..first + rows - usize::from(hidden_below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_in_front_is_in_sight_at_every_height_and_the_people_have_their_share() {
        for height in 1..60 {
            for count in 1..70 {
                for people in [1, 5, 500] {
                    let rows = room_rows(height, count, 2 + people);
                    assert!(rows >= 1 && rows <= height, "{height} {count}");
                    assert!(height < SHARED || height - rows >= 3, "somebody is seen: {height} {count} {people}");
                    for current in 0..count {
                        let shown = in_sight(count, current, rows);
                        assert!(shown.contains(&current), "{shown:?} {current} of {count} in {rows}");
                        let told = usize::from(shown.start > 0) + usize::from(shown.end < count);
                        assert!(rows < 3 || shown.len() + told == rows.min(count), "{shown:?} of {count} in {rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_fits_does_not_scroll() {
        assert_eq!((room_rows(40, 20, 12), in_sight(20, 19, 20)), (20, 0..20));
        assert_eq!((room_rows(22, 32, 202), in_sight(32, 15, 14)), (14, 9..21));
    }
}
