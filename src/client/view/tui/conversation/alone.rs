//! A conversation with one person alone. The server keeps nothing of it, so nothing is asked for.
//! Pure.

use jiff::tz::TimeZone;

use super::{Conversation, entry::Content, scroll::Position};
use crate::protocol::{MessageId, Private};

/// Entries kept of a conversation with one person, and their bytes: anybody can write to one, under
/// many nicks.
const ENTRIES: usize = 1000;
const BYTES: usize = 256 * 1024;

/// What an empty one says.
const EMPTY: [&str; 2] = ["only the two of you read this", "nothing of it is kept when you leave"];

impl Conversation {
    /// Returns a conversation with one person in which nothing has been said; it tells the time of
    /// `zone`.
    #[must_use]
    pub fn with_one(zone: TimeZone) -> Self {
        let mut conversation = Self { alone: true, ..Self::new(zone) };
        conversation.went_live();
        conversation
    }

    /// Returns how a private message is shown here, and its place: in a conversation with one
    /// person they are counted, as there are no messages of the log.
    pub(super) fn private_content(&self, private: &Private, own: bool) -> (Content, MessageId) {
        if self.alone {
            (Content::Alone(Box::new(private.clone()), own), MessageId(self.live.latest().0 + 1))
        } else {
            (Content::Private(Box::new(private.clone()), own), MessageId(0))
        }
    }

    /// Drops the oldest where there is too much; what is in sight moves only where it is dropped
    /// itself.
    pub(super) fn trim_alone(&mut self) {
        while self.live.holds_more_than(ENTRIES, BYTES) {
            self.live.drop_first();
        }
        let first = self.live.first();
        if let Position::At(anchor) = &mut self.position
            && anchor.serial < first
        {
            *anchor = anchor.moved(first - anchor.serial);
        }
    }

    /// Returns what stands in it while it is empty.
    pub(super) fn empty_words(&self) -> &'static [&'static str] {
        if self.alone { &EMPTY } else { &super::draw::EMPTY }
    }
}
