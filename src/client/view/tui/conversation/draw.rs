//! From rows in sight to cells. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::{palette::Palette, styled::Role},
    Conversation,
    entry::{Content, Entry, NARROW},
    scroll::{Position, Spot},
    wrap::{Row, columns, cut_rows},
};
use crate::{
    client::{chat::Pending, picture::Picture},
    protocol::MessageId,
};

/// What an empty room says, above how others join it.
pub(super) const EMPTY: [&str; 4] = [
    "nothing has been said here yet",
    "type, and Enter says it to everybody",
    "/help: the commands; F1: the keys",
    "Tab completes names and commands",
];

impl Conversation {
    /// Draws what is in sight into `area`, whose cells must be empty, and returns what of it are
    /// links; below the latest stands what is `pending`, oldest first.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer, palette: Palette, pending: &[Pending]) -> Picture {
        let area = area.intersection(*buffer.area());
        let mut picture = Picture::default();
        if area.is_empty() {
            return picture;
        }
        self.in_front = true;
        self.take_pending(pending);
        self.size = (area.width, area.height);
        let height = usize::from(area.height);
        let top = self.top(height);
        let (blank, last) = self.draw_rows(top, area, buffer, palette, &mut picture);
        self.in_sight = (top.serial, last);
        self.near.0 = (self.position != Position::Bottom || blank > 0 || self.goal.is_some())
            && self.up(top, height) == Spot { serial: self.shown().first(), row: 0 };
        self.near.1 = self.detached.is_some() && self.down(top, 2 * height).serial >= self.end();
        self.forget_far_rows();
        if self.detached.is_none() {
            self.saw(last);
        }
        if let Some(results) = self.results.as_mut().filter(|results| results.is_open()) {
            for position in area.positions() {
                buffer[position].reset();
            }
            results.draw(area, buffer, palette, &self.zone, self.times.clock);
            picture.cover(area);
        } else if self.reading.live && !self.shown().has_words() && self.pending.is_empty() && !self.cleared {
            // Who comes and goes may be told below.
            self.draw_empty(Rect { height: blank, ..area }, buffer, palette);
        }
        picture
    }

    /// Returns how many rows are blank above the first, and the last entry that is whole in sight.
    fn draw_rows(
        &mut self,
        top: Spot,
        area: Rect,
        buffer: &mut Buffer,
        palette: Palette,
        picture: &mut Picture,
    ) -> (u16, i64) {
        let mut rows = Vec::with_capacity(usize::from(area.height));
        let mut spot = top;
        while rows.len() < usize::from(area.height) && spot.serial < self.end() {
            let count = self.lay(spot.serial);
            let room = usize::from(area.height) - rows.len();
            rows.extend((spot.row..count).take(room).map(|row| Spot { row, ..spot }));
            if count.saturating_sub(spot.row) > room {
                break;
            }
            spot = Spot { serial: spot.serial + 1, row: 0 };
        }
        // Few rows stand at the bottom, beside what is typed.
        let blank = area.height.saturating_sub(u16::try_from(rows.len()).unwrap_or(u16::MAX));
        let mut timed = area.width < NARROW;
        for (y, at) in (blank..).zip(rows) {
            let Some(entry) = self.entry(at.serial) else { continue };
            let Some(row) = entry.rows().get(at.row) else { continue };
            let is_pending = matches!(entry.content, Content::Pending(..));
            let over = if is_pending { palette.quiet() } else { Style::new() };
            row.draw(area, y, buffer, palette, over);
            picture.links.extend(row.links(area, y, at.serial, entry.links()));
            if row.goes_on && y + 1 < area.height && area.width == buffer.area.width {
                picture.wrapped.push(area.y + y);
            }
            // The first entry on the screen tells its time, whatever stands above it out of sight.
            if !timed && at.row == entry.above() && !is_pending {
                Row::of(0, entry.time(self.times.clock), Role::Quiet).draw(area, y, buffer, palette, Style::new());
                timed = true;
            }
        }
        (blank, spot.serial - 1)
    }

    /// Draws what an empty conversation says into the middle of `area`.
    fn draw_empty(&self, area: Rect, buffer: &mut Buffer, palette: Palette) {
        let words = self.empty_words().iter().map(|words| (*words, Role::Quiet));
        let invitation = self.invitation.iter().flat_map(|(words, command)| {
            let command = cut_rows(command, area.width).into_iter().map(|row| (row, Role::Text));
            [("", Role::Quiet), (words.as_str(), Role::Quiet)].into_iter().chain(command)
        });
        let lines: Vec<_> = words.chain(invitation.filter(|_| !self.alone)).collect();
        let first = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX)) / 2;
        for (y, (words, role)) in (first..area.height).zip(lines) {
            let wide = u16::try_from(columns(words)).unwrap_or(0);
            Row::of(area.width.saturating_sub(wide) / 2, words, role).draw(area, y, buffer, palette, Style::new());
        }
    }

    fn take_pending(&mut self, pending: &[Pending]) {
        if self.drawn_pending == pending {
            return;
        }
        self.drawn_pending = pending.to_vec();
        let me = &self.me;
        let entry =
            |pending: &Pending| Entry::new(Content::Pending(Box::new(pending.clone()), me.clone()), MessageId(0), None);
        self.pending = pending.iter().map(entry).collect();
    }
}
