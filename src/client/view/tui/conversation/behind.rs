//! How much of a conversation is kept while another is in front, and how much of it is laid out.
//! Pure.
//!
//! Many rooms can be open, so all of them together are bounded. What is dropped comes back from the
//! server on scrolling up.

use super::{
    Conversation,
    entry::Entry,
    segment::{self, PageState, Segment},
};
use crate::protocol::Limits;

/// Entries kept of a room behind the one in front, and their bytes: what a server sends at once,
/// and 6 MiB for 31 rooms.
const ENTRIES: usize = Limits::HISTORY as usize;
const BYTES: usize = 192 * 1024;

/// The same for what no server sends again.
const ENTRIES_KEPT_HERE: usize = 2000;
const BYTES_KEPT_HERE: usize = 512 * 1024;

/// Entries out of sight that stay laid out on either side, and the most between the first and the
/// last that is.
const LAID_AROUND: i64 = 200;
const LAID: i64 = 1000;

impl Conversation {
    /// Takes that another conversation is in front from now on, until this one is drawn again.
    pub fn go_behind(&mut self) {
        self.in_front = false;
        for segment in self.detached.iter_mut().chain([&mut self.live]) {
            segment.entries_mut().for_each(Entry::forget_rows);
        }
        self.laid = None;
        self.trim();
        self.detached.iter_mut().chain([&mut self.live]).for_each(Segment::shrink);
    }

    /// Returns how many entries a segment may have, and how many bytes.
    pub(super) fn most(&self) -> (usize, usize) {
        if self.in_front {
            (segment::ENTRIES, segment::BYTES)
        } else if self.is_kept_here || self.live.older == PageState::Lost {
            (ENTRIES_KEPT_HERE, BYTES_KEPT_HERE)
        } else {
            (ENTRIES, BYTES)
        }
    }

    /// Takes that the entry is laid out.
    pub(super) fn is_laid(&mut self, serial: i64) {
        let (first, last) = self.laid.unwrap_or((serial, serial));
        self.laid = Some((first.min(serial), last.max(serial)));
    }

    /// Forgets the rows of what is far out of sight, once there are many.
    pub(super) fn forget_far_rows(&mut self) {
        let Some((first, last)) = self.laid.filter(|(first, last)| last - first > LAID) else { return };
        let near = self.in_sight.0 - LAID_AROUND..=self.in_sight.1 + LAID_AROUND;
        for serial in (first..=last).filter(|serial| !near.contains(serial)) {
            if let Some(entry) = self.entry_mut(serial) {
                entry.forget_rows();
            }
        }
        self.laid = Some((first.max(*near.start()), last.min(*near.end())));
    }
}
