//! Consecutive entries without gaps, bounded in memory. Pure.

use std::collections::VecDeque;

use jiff::tz::TimeZone;

use super::entry::Entry;
use crate::protocol::MessageId;

/// The maximum number of entries of the room in front, and of their bytes: a day of a busy room.
pub(super) const ENTRIES: usize = 5000;
pub(super) const BYTES: usize = 2 * 1024 * 1024;

/// What is known of the messages beyond an end of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PageState {
    /// There may be some.
    #[default]
    Unknown,
    /// They were requested, starting at this ID.
    Asked(MessageId),
    /// They were requested, and the server refused.
    Refused,
    /// There are none.
    Nothing,
    /// They belong to another history, so their IDs are invalid.
    Lost,
}

/// A contiguous part of the conversation. Each entry has a serial number, which does not change
/// when entries are added or dropped at the ends.
#[derive(Debug, Default)]
pub(super) struct Segment {
    entries: VecDeque<Entry>,
    first: i64,
    bytes: usize,
    /// The message before the first entry, if known.
    before: MessageId,
    /// Whether there was no more room for its first entries.
    is_cut: bool,
    pub(super) older: PageState,
    pub(super) newer: PageState,
}

impl Segment {
    /// Returns a segment without entries. Its first entry will come after the message `before`.
    pub(super) fn beginning_after(before: MessageId) -> Self {
        Self { before, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns whether no entry was dropped since it began.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// Returns whether it contains any message of a person.
    pub(super) fn has_words(&self) -> bool {
        self.entries.iter().any(|entry| entry.content.is_said())
    }

    /// Returns whether it holds so much that no more is needed to fill a screen, even if most
    /// entries are hidden.
    pub(super) fn is_deep(&self) -> bool {
        self.entries.len() > ENTRIES / 2 || self.bytes > BYTES / 2
    }

    /// Returns the serial number of the first entry.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// Returns the serial number that the next entry will have.
    pub(super) fn end(&self) -> i64 {
        self.first + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn entry(&self, serial: i64) -> Option<&Entry> {
        self.entries.get(usize::try_from(serial - self.first).ok()?)
    }

    pub(super) fn entry_mut(&mut self, serial: i64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(serial - self.first).ok()?)
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.back()
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Entry> {
        self.entries.back_mut()
    }

    /// Returns the ID of the oldest message. All messages of the segment have this ID or a higher
    /// one.
    pub(super) fn oldest(&self) -> Option<MessageId> {
        let after = (self.before > MessageId(0)).then_some(MessageId(self.before.0 + 1));
        self.entries.iter().find_map(Entry::id).or(after)
    }

    /// Returns the ID of the latest message in it, or of the message before it, or 0.
    pub(super) fn latest(&self) -> MessageId {
        self.entries.back().map_or(self.before, |entry| entry.upto)
    }

    /// Returns the serial number of the first message after `id`.
    pub(super) fn after(&self, id: MessageId) -> Option<i64> {
        let index = self.entries.partition_point(|entry| entry.upto <= id);
        (index < self.entries.len()).then(|| self.first + i64::try_from(index).unwrap_or(i64::MAX))
    }

    /// Returns the serial number of the message with this id.
    pub(super) fn find(&self, id: MessageId) -> Option<i64> {
        let serial = self.after(MessageId(id.0.checked_sub(1)?))?;
        (self.entry(serial)?.id() == Some(id)).then_some(serial)
    }

    /// Adds an entry at the end.
    pub(super) fn push(&mut self, mut entry: Entry) {
        entry.upto = entry.upto.max(self.latest());
        let before = self.entries.back();
        entry.day = match entry.local {
            Some(local) if entry.is_dated() => Some(local.date()),
            _ => before.and_then(|before| before.day),
        };
        self.bytes += entry.weight();
        if self.entries.len() == self.entries.capacity() {
            // Doubling the capacity would waste memory in many rooms.
            self.entries.reserve_exact(self.entries.len() / 4 + 8);
        }
        self.entries.push_back(entry);
    }

    /// Converts the times of its entries from the zone `from` to the zone `to`.
    pub(super) fn change_zone(&mut self, from: &TimeZone, to: &TimeZone) {
        let mut day = None;
        for entry in &mut self.entries {
            entry.change_zone(from, to);
            if let Some(local) = entry.local.filter(|_| entry.is_dated()) {
                day = Some(local.date());
            }
            entry.day = day;
        }
    }

    /// Adds entries before the first. They must be in order and older than all entries here.
    pub(super) fn prepend(&mut self, page: Self) {
        let latest = page.latest();
        // Entries of the client before the first message now come after older messages.
        for entry in self.entries.iter_mut().take_while(|entry| entry.upto < latest) {
            entry.upto = latest;
        }
        self.bytes += page.bytes;
        for entry in page.entries.into_iter().rev() {
            self.entries.push_front(entry);
            self.first -= 1;
        }
    }

    /// Adds entries after the last. They must be in order and newer than all entries here.
    pub(super) fn append(&mut self, page: Self) {
        for entry in page.entries {
            self.push(entry);
        }
    }

    /// Forgets every ID, because their history no longer exists.
    pub(super) fn forget_ids(&mut self) {
        if self.is_empty() {
            *self = Self::default();
            return;
        }
        for entry in &mut self.entries {
            entry.upto = MessageId(0);
        }
        self.before = MessageId(0);
        self.older = PageState::Lost;
    }

    /// Returns whether it holds more than `entries` entries or `bytes` bytes.
    pub(super) fn holds_more_than(&self, entries: usize, bytes: usize) -> bool {
        self.entries.len() > entries || self.bytes > bytes
    }

    pub(super) fn drop_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.first += 1;
        self.bytes -= entry.weight();
        self.is_cut = true;
        if self.older != PageState::Lost {
            self.older = PageState::Unknown;
        }
    }

    pub(super) fn drop_last(&mut self) {
        if let Some(entry) = self.entries.pop_back() {
            self.bytes -= entry.weight();
            self.newer = PageState::Unknown;
        }
    }

    /// Removes everything before `serial` and returns it as a segment with the same serial numbers.
    pub(super) fn split_before(&mut self, serial: i64) -> Self {
        let count = usize::try_from(serial - self.first).unwrap_or(0).min(self.entries.len());
        let rest = self.entries.split_off(count);
        let bytes = |entries: &VecDeque<Entry>| entries.iter().map(Entry::weight).sum();
        let before = Self {
            bytes: bytes(&self.entries),
            entries: std::mem::replace(&mut self.entries, rest),
            first: self.first,
            before: self.before,
            is_cut: self.is_cut,
            older: self.older,
            newer: PageState::Unknown,
        };
        self.is_cut = true;
        self.bytes -= before.bytes;
        self.first = before.end();
        self.older = PageState::Unknown;
        before
    }

    /// Frees unused capacity if more than half of it is unused.
    pub(super) fn shrink(&mut self) {
        if self.entries.capacity() / 2 > self.entries.len() {
            self.entries.shrink_to_fit();
        }
    }

    /// Allows refused pages to be requested again.
    pub(super) fn forget_refusals(&mut self) {
        for beyond in [&mut self.older, &mut self.newer] {
            if *beyond == PageState::Refused {
                *beyond = PageState::Unknown;
            }
        }
    }

    /// Treats requested pages as not requested, because no answer will come.
    pub(super) fn forget_asking(&mut self) {
        for beyond in [&mut self.older, &mut self.newer] {
            if matches!(beyond, PageState::Asked(_) | PageState::Refused) {
                *beyond = PageState::Unknown;
            }
        }
    }
}
