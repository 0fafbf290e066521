//! Older and newer pages: what is asked for, where the answers belong, and what is dropped for them. Pure.

use std::sync::Arc;

use super::{
    Conversation, Position,
    entry::{Content, Entry},
    segment::{Beyond, Segment},
};
use crate::wire::{ClientMessage, Message, MessageId};

/// Messages in a page: more than the tallest screen shows.
const PAGE: u32 = 100;

/// Messages that are missing in what is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Those before this id.
    Older(MessageId),
    /// Those after this id.
    Newer(MessageId),
    /// This one, with those before it.
    Around(MessageId),
}

impl Page {
    /// Returns what to ask the server.
    #[must_use]
    pub fn request(self) -> ClientMessage {
        let (after, before) = match self {
            Self::Older(id) => (None, Some(id)),
            Self::Newer(id) => (Some(id), None),
            Self::Around(id) => (None, Some(MessageId(id.0.saturating_add(1)))),
        };
        ClientMessage::History { after, before, limit: Some(PAGE) }
    }
}

impl Conversation {
    /// Returns a page that is wanted because the last drawing came near its place. Each is wanted once, until
    /// [`Self::take_page`] has brought it or the connection is lost.
    pub fn wanted_page(&mut self) -> Option<Page> {
        let near = self.near;
        let segment = self.detached.as_mut().unwrap_or(&mut self.live);
        if near.0
            && segment.older == Beyond::Unknown
            && let Some(oldest) = segment.oldest()
        {
            segment.older = Beyond::Asked(oldest);
            return Some(Page::Older(oldest));
        }
        let detached = self.detached.as_mut()?;
        if near.1 && detached.newer == Beyond::Unknown {
            let latest = detached.latest();
            detached.newer = Beyond::Asked(latest);
            return Some(Page::Newer(latest));
        }
        None
    }

    /// Takes the messages of one `history` event that answers the request of `page`, oldest first; `complete` when no other
    /// event of the page follows.
    pub fn take_page(&mut self, page: Page, messages: &[Arc<Message>], complete: bool) {
        self.page.extend_from_slice(messages);
        if !complete {
            return;
        }
        let messages = std::mem::take(&mut self.page);
        match page {
            Page::Older(before) => self.take_older(before, &messages),
            Page::Newer(after) => self.take_newer(after, &messages),
            Page::Around(id) => self.take_around(id, &messages),
        }
        self.trim();
    }

    /// Takes what `/history` brought: it is in the scrollback already, or goes there, and comes in sight.
    pub(super) fn typed_history(&mut self, messages: &[Arc<Message>], complete: bool) {
        self.page.extend_from_slice(messages);
        if !complete {
            return;
        }
        let messages = std::mem::take(&mut self.page);
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return };
        let oldest = self.live.oldest();
        if self.live.older != Beyond::Lost && oldest.is_none_or(|oldest| last.id.0 + 1 >= oldest.0) {
            let older = self.segment(messages.iter().filter(|message| oldest.is_none_or(|oldest| message.id < oldest)));
            self.live.older = Beyond::Unknown;
            self.live.prepend(older);
        }
        self.detached = None;
        self.jump_to(first.id);
        self.hit = None;
        self.trim();
    }

    /// Counts nothing as asked for: the connection that should have brought it is gone.
    pub(super) fn forget_asking(&mut self) {
        self.page.clear();
        self.live.forget_asking();
        if let Some(detached) = &mut self.detached {
            detached.forget_asking();
        }
    }

    /// Keeps what is here, to be read; its ids mean nothing any more.
    pub(super) fn forget_ids(&mut self) {
        self.detached = None;
        self.hit = None;
        self.live.forget_ids();
        self.reading.forget_ids();
        self.close_results();
    }

    fn take_older(&mut self, before: MessageId, messages: &[Arc<Message>]) {
        let older = self.segment(messages.iter().filter(|message| message.id < before));
        let mut segments = self.detached.iter_mut().chain([&mut self.live]);
        // What was asked for may have been dropped meanwhile, and with it the place of the answer.
        let Some(segment) = segments.find(|segment| segment.older == Beyond::Asked(before)) else { return };
        segment.older = if older.is_empty() { Beyond::Nothing } else { Beyond::Unknown };
        segment.prepend(older);
    }

    fn take_newer(&mut self, after: MessageId, messages: &[Arc<Message>]) {
        let live = self.live.oldest();
        let is_missing = |id: MessageId| id > after && live.is_none_or(|live| id < live);
        let newer = self.segment(messages.iter().filter(|message| is_missing(message.id)));
        let Some(detached) = self.detached.as_mut().filter(|detached| detached.newer == Beyond::Asked(after)) else {
            return;
        };
        detached.newer = Beyond::Unknown;
        let reaches = messages.last().is_none_or(|last| live.is_some_and(|live| last.id >= live));
        detached.append(newer);
        if reaches {
            self.join();
        }
    }

    fn take_around(&mut self, id: MessageId, messages: &[Arc<Message>]) {
        if self.live.find(id).is_none() && messages.last().is_some_and(|last| last.id == id) {
            self.detached = Some(self.segment(messages));
        }
        self.close_results();
        if !self.jump_to(id) {
            let local = self.live.last().and_then(|last| last.local);
            let words = "that message is gone: the server no longer has it".to_owned();
            self.live.push(Entry::new(Content::Refused(words), MessageId(0), local));
            self.follow();
        }
    }

    /// Makes one of the detached segment and the live one: nothing is missing between them any more.
    fn join(&mut self) {
        let Some(detached) = self.detached.take() else { return };
        if let Position::At(anchor) = self.position {
            self.position = Position::At(anchor.moved(self.live.first() - detached.end()));
        }
        self.live.older = detached.older;
        self.live.prepend(detached);
    }

    fn segment<'a>(&self, messages: impl IntoIterator<Item = &'a Arc<Message>>) -> Segment {
        let mut segment = Segment::default();
        for message in messages {
            // Whatever a server sends: ids rise.
            if message.id > segment.latest() {
                segment.push(self.message_entry(message));
            }
        }
        segment
    }

    /// Drops what is farthest from what is looked at, once there is too much.
    pub(super) fn trim(&mut self) {
        let anchor = match self.position {
            Position::Bottom => i64::MAX,
            Position::At(anchor) => anchor.serial,
        };
        if let Some(detached) = &mut self.detached {
            while detached.is_too_large() {
                if anchor - detached.first() > detached.end() - anchor {
                    detached.drop_first();
                } else {
                    detached.drop_last();
                }
            }
        }
        while self.live.is_too_large() {
            let quarter = (self.live.end() - self.live.first()) / 4;
            if self.detached.is_none() && anchor < self.live.first() + quarter {
                // What is read stays; the live end must too.
                self.detached = Some(self.live.split_before(anchor.max(self.live.first()) + quarter.max(1)));
            } else {
                self.live.drop_first();
            }
        }
    }
}
