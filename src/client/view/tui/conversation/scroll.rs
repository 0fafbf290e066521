//! Which rows are visible. Pure.

use super::{
    super::clock::Timestamps,
    Conversation,
    entry::{Content, Context, Entry, NARROW},
    segment::{PageState, Segment},
};
use crate::protocol::MessageId;

/// How far to scroll. Positive is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// A number of rows.
    Lines(i32),
    /// A number of screens, minus two rows that stay visible.
    Pages(i32),
    /// To the oldest known message.
    Top,
    /// To the latest message.
    Bottom,
}

/// Where the reader wants to be while messages on the way are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// At the beginning of the history.
    Top {
        /// Whether it was requested.
        asked: bool,
    },
    /// A number of messages above the entry `from`.
    Older {
        /// The number of messages.
        count: usize,
        /// The serial number of the entry.
        from: i64,
    },
}

/// What the viewport is anchored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// The end is visible and stays visible.
    Bottom,
    /// This row of this entry is in the first line.
    At(Anchor),
}

/// A row from which the viewport can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The serial number of the entry.
    pub(super) serial: i64,
    /// The row of the entry. The rules above the entry have negative numbers, so that they may
    /// appear and disappear.
    row: i32,
    /// The number of rows it had, and the width of the screen. On another width, the anchor is the
    /// same part of the entry. Back on this width, it is the same row.
    rows: i32,
    width: u16,
}

impl Anchor {
    /// Returns the same row of an entry whose serial number is higher by `by`.
    pub(super) fn moved(self, by: i64) -> Self {
        Self { serial: self.serial + by, ..self }
    }
}

/// A row: the serial number of an entry and the number of the row in it. The row after the last one
/// is the first of the next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) serial: i64,
    pub(super) row: usize,
}

impl Conversation {
    /// Scrolls as far as possible.
    pub fn scroll(&mut self, by: Scroll) {
        let height = usize::from(self.size.1);
        self.goal = None;
        if matches!(by, Scroll::Top | Scroll::Lines(..0) | Scroll::Pages(..0)) {
            self.looks_back();
        }
        match by {
            Scroll::Lines(rows) => self.move_by(rows),
            Scroll::Pages(pages) => {
                let rows = i32::from(self.size.1).saturating_sub(2).max(1);
                self.move_by(pages.saturating_mul(rows));
            }
            Scroll::Top => {
                let first = Spot { serial: self.shown().first(), row: 0 };
                self.hang_on(first);
                self.top(height);
                self.goal = self.may_be_older().then_some(Goal::Top { asked: false });
            }
            Scroll::Bottom => self.follow(),
        }
    }

    /// Scrolls up by `count` messages, or as far as there are messages.
    pub fn show_older(&mut self, count: usize) {
        self.looks_back();
        let from = self.top(usize::from(self.size.1)).serial;
        self.goal = Some(Goal::Older { count, from });
        self.pursue();
    }

    /// Continues towards the goal of the reader, as far as the loaded messages allow.
    pub(super) fn pursue(&mut self) {
        let Some(Goal::Older { mut count, from }) = self.goal.take() else { return };
        let first = self.shown().first();
        let mut serial = from;
        while count > 0 && serial > first {
            serial -= 1;
            let counts = self.entry(serial).is_some_and(|entry| entry.id().is_some() && !entry.hidden);
            count -= usize::from(counts);
        }
        if count > 0 && self.may_be_older() {
            self.goal = Some(Goal::Older { count, from: serial });
        }
        self.hang_on(Spot { serial, row: 0 });
        self.top(usize::from(self.size.1));
    }

    /// Returns whether the server may have messages before the visible segment.
    fn may_be_older(&self) -> bool {
        let shown = self.shown();
        !matches!(shown.older, PageState::Nothing | PageState::Lost) && shown.oldest().is_some()
    }

    /// Records that the reader wants to see older messages.
    fn looks_back(&mut self) {
        self.cleared = false;
        self.live.forget_refusals();
        if let Some(detached) = &mut self.detached {
            detached.forget_refusals();
        }
    }

    /// Returns whether the latest message is visible and stays visible when more arrive.
    #[must_use]
    pub fn is_at_bottom(&self) -> bool {
        self.position == Position::Bottom && self.detached.is_none()
    }

    /// Scrolls to the message, a third of the screen below the top. Returns whether it is known.
    ///
    /// If it is not, ask for [`Page::Around`](super::Page::Around) it.
    pub fn jump_to(&mut self, id: MessageId) -> bool {
        let in_detached = self.detached.as_ref().and_then(|detached| detached.find(id));
        let Some(serial) = in_detached.or_else(|| self.live.find(id)) else { return false };
        if in_detached.is_none() {
            self.detached = None;
        }
        self.hit = Some(id);
        self.goal = None;
        self.lay(serial);
        let row = self.entry(serial).map_or(0, Entry::above);
        let spot = self.up(Spot { serial, row }, usize::from(self.size.1) / 3);
        self.hang_on(spot);
        true
    }

    pub(super) fn follow(&mut self) {
        self.detached = None;
        self.hit = None;
        self.goal = None;
        self.position = Position::Bottom;
        self.look();
    }

    fn move_by(&mut self, rows: i32) {
        let height = usize::from(self.size.1);
        let top = self.top(height);
        let distance = usize::try_from(rows.unsigned_abs()).unwrap_or(usize::MAX);
        let spot = if rows < 0 { self.up(top, distance) } else { self.down(top, distance) };
        self.hang_on(spot);
        self.top(height);
    }

    /// Returns the visible segment.
    pub(super) fn shown(&self) -> &Segment {
        self.detached.as_ref().unwrap_or(&self.live)
    }

    /// Returns the serial number after the last drawn entry. Pending texts have the numbers after
    /// the live segment.
    pub(super) fn end(&self) -> i64 {
        match &self.detached {
            Some(detached) => detached.end(),
            None => self.live.end() + i64::try_from(self.pending.len()).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn entry(&self, serial: i64) -> Option<&Entry> {
        match &self.detached {
            Some(detached) => detached.entry(serial),
            None => self.live.entry(serial).or_else(|| self.pending.get(self.pending_index(serial)?)),
        }
    }

    pub(super) fn entry_mut(&mut self, serial: i64) -> Option<&mut Entry> {
        let index = self.pending_index(serial);
        match &mut self.detached {
            Some(detached) => detached.entry_mut(serial),
            None => self.live.entry_mut(serial).or_else(|| self.pending.get_mut(index?)),
        }
    }

    fn pending_index(&self, serial: i64) -> Option<usize> {
        usize::try_from(serial - self.live.end()).ok()
    }

    /// Lays out an entry for the width of the screen. Returns its number of rows.
    pub(super) fn lay(&mut self, serial: i64) -> usize {
        if self.entry(serial).is_some_and(|entry| entry.hidden) {
            return 0;
        }
        let width = self.size.0;
        let Some(context) = self.context(serial) else { return 0 };
        self.is_laid(serial);
        self.entry_mut(serial).map_or(0, |entry| {
            entry.lay(width, context);
            entry.rows().len()
        })
    }

    fn context(&self, serial: i64) -> Option<Context> {
        let shown = self.shown();
        let entry = self.entry(serial)?;
        let before =
            (shown.first()..serial).rev().filter_map(|before| self.entry(before)).find(|before| !before.hidden);
        let day = entry.day.filter(|day| entry.is_dated() && before.and_then(|before| before.day) != Some(*day));
        let is_new = |entry: &Entry| self.reading.rule().is_some_and(|rule| entry.upto > rule);
        let minute = |entry: &Entry| entry.local.map(|local| (local.date(), local.hour(), local.minute()));
        let same_time = before.is_some_and(|before| minute(before) == minute(entry));
        let is_pending = matches!(entry.content, Content::Pending(..));
        Some(Context {
            beginning: before.is_none() && shown.older == PageState::Nothing,
            day,
            new: is_new(entry) && !before.is_some_and(is_new),
            time: self.size.0 >= NARROW && !is_pending && (!same_time || self.times.stamps == Timestamps::Each),
            clock: self.times.clock,
            hit: self.hit.is_some() && entry.id() == self.hit,
        })
    }

    /// Returns the row in the first line of the screen.
    pub(super) fn top(&mut self, height: usize) -> Spot {
        let last = self.up(Spot { serial: self.end(), row: 0 }, height);
        let Position::At(anchor) = self.position else { return last };
        let spot = self.spot(anchor);
        if spot < last {
            return spot;
        }
        if self.detached.is_none() {
            self.position = Position::Bottom;
            self.look();
        }
        last
    }

    pub(super) fn hang_on(&mut self, Spot { serial, row }: Spot) {
        let rows = signed(self.lay(serial));
        let above = self.entry(serial).map_or(0, |entry| signed(entry.above()));
        self.position =
            Position::At(Anchor { serial, row: signed(row) - above, rows: rows - above, width: self.size.0 });
    }

    fn spot(&mut self, anchor: Anchor) -> Spot {
        let first = self.shown().first();
        let serial = anchor.serial.clamp(first, self.end().max(first));
        let rows = signed(self.lay(serial));
        let above = self.entry(serial).map_or(0, |entry| signed(entry.above()));
        let row = if anchor.width == self.size.0 || anchor.row <= 0 {
            anchor.row
        } else {
            anchor.row.saturating_mul(rows - above) / anchor.rows.max(1)
        };
        let row = (above + row).min((rows - 1).max(0));
        match usize::try_from(row) {
            Ok(row) => Spot { serial, row },
            // There were more rules above the entry.
            Err(_) => self.up(Spot { serial, row: 0 }, usize::try_from(row.unsigned_abs()).unwrap_or(0)),
        }
    }

    /// Returns the row `rows` rows above, or the first row.
    pub(super) fn up(&mut self, mut spot: Spot, mut rows: usize) -> Spot {
        let first = self.shown().first();
        while rows > spot.row {
            if spot.serial <= first {
                return Spot { serial: first, row: 0 };
            }
            rows -= spot.row;
            let serial = spot.serial - 1;
            spot = Spot { serial, row: self.lay(serial) };
        }
        Spot { row: spot.row - rows, ..spot }
    }

    /// Returns the row `rows` rows below, or the one after the last row.
    pub(super) fn down(&mut self, mut spot: Spot, mut rows: usize) -> Spot {
        let end = self.end();
        while spot.serial < end {
            let left = self.lay(spot.serial).saturating_sub(spot.row);
            if rows < left {
                return Spot { row: spot.row + rows, ..spot };
            }
            rows -= left;
            spot = Spot { serial: spot.serial + 1, row: 0 };
        }
        spot
    }
}

/// Returns a count of rows as a signed number, saturated at `i32::MAX`.
fn signed(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
