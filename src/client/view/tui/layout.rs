//! Divides the screen into its parts, and draws them all. Pure.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};
use unicode_width::UnicodeWidthStr as _;

use super::{LEAVING, Tui, column, command, fit::fit, palette::Palette, status};
use crate::client::{
    chat::{App, Connection},
    completion,
    picture::Picture,
};

/// The minimum width at which the column is shown by default. It leaves at least 80 columns for the
/// conversation.
const WIDE: u16 = 110;

/// The minimum width of a screen with a column. Below it the column is hidden, even if the user
/// asked for it.
const NARROW: u16 = 50;

/// The width of the column: it has room for most nicks, and for the mark of unread messages.
const COLUMN: u16 = 24;

/// The prompt before the input.
const PROMPT: &str = "> ";

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    conversation: Rect,
    status: Rect,
    input: Rect,
    column: Option<Rect>,
}

impl Tui {
    /// Draws the screen into `area`. Returns what the picture has besides the cells, such as links
    /// and the cursor.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, now: Duration, apps: &[&App]) -> Picture {
        self.width = area.width;
        if let Some(bare) = &self.bare {
            return bare.draw(area, buffer, self.choices.palette);
        }
        let (current, palette) = (self.current, self.choices.palette);
        let shows_column = self.shows_column();
        let mut picture = Picture::default();
        let Some(app) = apps.get(self.app_of(current)) else { return picture };
        let pending = self.pending(current, apps);
        let Some(room) = self.rooms.get_mut(current) else { return picture };
        let text_width = area.width.saturating_sub(2).max(1);
        let typed = room.editor.layout(text_width, (area.height / 3).max(1));
        let parts = parts(area, u16::try_from(typed.rows.len()).unwrap_or(1), shows_column);
        if app.connection() == Connection::Connecting && app.room().is_none() && room.person.is_none() {
            draw_joining(parts.conversation, buffer, palette, &room.label());
        } else {
            picture = room.conversation.draw(parts.conversation, buffer, palette, &pending);
        }
        self.links_in_sight = picture.distinct_links();
        for (y, row) in (parts.input.top()..parts.input.bottom()).zip(&typed.rows) {
            let (first, last) = (y == parts.input.top(), y + 1 == parts.input.bottom());
            let mark = match (first, last) {
                (true, _) if typed.above == 0 => PROMPT,
                (true, _) => "↑ ",
                (_, true) if typed.below > 0 => "↓ ",
                _ => "  ",
            };
            buffer.set_stringn(parts.input.x, y, mark, area.width.into(), palette.quiet());
            if area.width > 2 {
                buffer.set_stringn(parts.input.x + 2, y, row, text_width.into(), Style::new());
            }
        }
        if let Some(column) = parts.column {
            column::draw(column, buffer, palette, &self.rooms, current);
        }
        match self.hint() {
            _ if parts.status.is_empty() => {}
            Some(words) => {
                status::rule(parts.status, buffer, palette);
                let words = format!(" {} ", fit(&words, usize::from(area.width).saturating_sub(4)));
                buffer.set_string(area.x + 1, parts.status.y, words, status::on_rule(palette.selected()));
            }
            None => {
                let seen = parts.column.map_or(0..0, |area| column::shown(area.height, &self.rooms, current));
                status::draw(parts.status, buffer, palette, now, (&self.rooms, current, seen), app);
            }
        }
        if let Some(list) = &self.link_list {
            let over = list.draw(Rect { width: area.width, ..parts.conversation }, buffer, palette);
            picture.cover(over);
        }
        // Close the topic page if the topic was cleared meanwhile.
        let topic = self.rooms.get(current).and_then(|room| Some((room, room.shown_topic()?)));
        self.topic = self.topic.take_if(|_| topic.is_some());
        if let (Some(page), Some((room, topic))) = (&mut self.topic, topic) {
            let by = room.topic_by().map_or_else(String::new, |nick| format!(", set by {nick}"));
            let title = format!("topic of {}{by}", room.label());
            picture.cover(page.draw(parts.conversation, buffer, palette, &title, topic.as_str()));
        }
        if let Some(help) = &mut self.help {
            let over = Rect { width: area.width, ..parts.conversation };
            help.draw(over, buffer, palette);
            picture.cover(over);
        }
        let x = (parts.input.x + 2 + typed.cursor.0).min(area.right().saturating_sub(1));
        picture.cursor = Some(Position::new(x, (parts.input.y + typed.cursor.1).min(area.bottom().saturating_sub(1))));
        picture
    }

    pub(super) fn shows_column(&self) -> bool {
        self.width >= NARROW && self.column.unwrap_or(self.width >= WIDE)
    }

    /// Returns the text that replaces the status line, if any.
    fn hint(&self) -> Option<String> {
        if let Some(question) = &self.question {
            return Some(question.words());
        }
        if let Some(words) = &self.told {
            return Some(words.clone());
        }
        if self.leaving {
            return Some(LEAVING.to_owned());
        }
        let room = self.rooms.get(self.current)?;
        if let Some((query, found)) = room.editor.searching() {
            let nothing = if found.is_none() && !query.is_empty() { " (nothing)" } else { "" };
            return Some(format!("sent before: {query}{nothing}"));
        }
        let (text, cursor) = (room.editor.text(), room.editor.cursor());
        if let Some((options, chosen)) = room.completer.options(text, cursor).filter(|(options, _)| options.len() > 1) {
            let (before, after) = options.split_at(chosen);
            let in_turn: Vec<_> = after.iter().chain(before).map(|option| option.trim_end()).collect();
            return Some(format!("[{}] {}", in_turn[0], in_turn[1..].join(" ")));
        }
        if self.choices.no_commands {
            return None;
        }
        if room.editor.is_verbatim() && text.starts_with('/') {
            return Some("pasted, and said as it is: no command".to_owned());
        }
        let commands: Vec<_> = command::all().collect();
        completion::hint(text, &commands).map(|hint| hint.to_string())
    }
}

/// Draws the conversation area before the room is known.
fn draw_joining(area: Rect, buffer: &mut Buffer, palette: Palette, label: &str) {
    let words = fit(&format!("connecting to {label}"), area.width.into());
    let x = area.x + area.width.saturating_sub(u16::try_from(words.width()).unwrap_or(0)) / 2;
    if !area.is_empty() {
        buffer.set_string(x, area.y + area.height / 2, words, palette.quiet());
    }
}

/// Divides `area`. The input needs `typed` rows, and gets at most a third of the height.
fn parts(area: Rect, typed: u16, column: bool) -> Parts {
    let input = typed.clamp(1, (area.height / 3).max(1)).min(area.height);
    let status = u16::from(area.height > input + 1);
    let rest = area.height - input - status;
    let column = column.then(|| Rect { x: area.right() - COLUMN, width: COLUMN, height: rest, ..area });
    let conversation = Rect { height: rest, width: area.width - column.map_or(0, |column| column.width), ..area };
    Parts {
        conversation,
        status: Rect { y: area.y + rest, height: status, ..area },
        input: Rect { y: area.y + rest + status, height: input, ..area },
        column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_its_parts_and_none_overlap() {
        for width in 1..120 {
            for height in 1..40 {
                for typed in 1..20 {
                    let area = Rect::new(0, 0, width, height);
                    let parts = parts(area, typed, width >= NARROW);
                    let heights = parts.conversation.height + parts.status.height + parts.input.height;
                    assert_eq!(heights, height, "{area:?}");
                    assert!(parts.input.height >= 1 && parts.input.height <= (height / 3).max(1));
                    assert_eq!(parts.conversation.width + parts.column.map_or(0, |column| column.width), width);
                }
            }
        }
    }
}
