//! Older and newer pages: what is requested, where the answers belong, and what is dropped to make
//! room for them. Pure.

use std::sync::Arc;

use super::{
    Conversation, Position,
    entry::{Content, Entry},
    scroll::{Goal, Spot},
    segment::{PageState, Segment},
};
use crate::protocol::{ClientMessage, Message, MessageId, Timestamp, sanitize};

/// The number of messages in a page. It is more than the tallest screen shows.
const PAGE: u32 = 100;

/// Messages that are missing in the visible part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Those before this ID.
    Older(MessageId),
    /// Those after this ID.
    Newer(MessageId),
    /// This message and those before it.
    Around(MessageId),
    /// Those from this time on.
    Since(Timestamp),
    /// Those after this ID. The first of them was not read.
    Unread(MessageId),
    /// The first ones that the server has.
    First,
}

impl Page {
    /// Returns the request to the server.
    #[must_use]
    pub fn request(self) -> ClientMessage {
        let (after, before, at) = match self {
            Self::Older(id) => (None, Some(id), None),
            Self::Newer(id) | Self::Unread(id) => (Some(id), None, None),
            Self::Around(id) => (None, Some(MessageId(id.0.saturating_add(1))), None),
            Self::Since(at) => (None, None, Some(at)),
            Self::First => (Some(MessageId(0)), None, None),
        };
        ClientMessage::History { after, before, at, limit: Some(PAGE) }
    }
}

impl Conversation {
    /// Returns a page that is needed because the last drawing came near its place. Each page is
    /// returned once, until [`Self::take_page`] has added it or the connection is lost.
    pub fn wanted_page(&mut self) -> Option<Page> {
        if let Some(Goal::Top { asked }) = &mut self.goal {
            return (!std::mem::replace(asked, true)).then_some(Page::First);
        }
        let near = self.near;
        // A reader who has not scrolled gets one screen of messages, and nothing that was cleared
        // on purpose.
        let wants_more = self.position != Position::Bottom || self.goal.is_some();
        let segment = self.detached.as_mut().unwrap_or(&mut self.live);
        if near.0
            && (wants_more || !self.cleared && !segment.is_deep())
            && segment.older == PageState::Unknown
            && let Some(oldest) = segment.oldest()
        {
            segment.older = PageState::Asked(oldest);
            return Some(Page::Older(oldest));
        }
        let detached = self.detached.as_mut()?;
        if near.1 && detached.newer == PageState::Unknown {
            let latest = detached.latest();
            detached.newer = PageState::Asked(latest);
            return Some(Page::Newer(latest));
        }
        None
    }

    /// Adds the messages that answer the request of `page`, oldest first.
    pub fn take_page(&mut self, page: Page, messages: &[Arc<Message>]) {
        match page {
            Page::Older(before) => self.take_older(before, messages),
            Page::Newer(after) => self.take_newer(after, messages),
            Page::Around(id) => self.take_around(id, messages),
            Page::Since(at) => self.take_since(at, messages),
            Page::Unread(after) => self.take_unread(after, messages),
            Page::First => self.take_first(messages),
        }
        self.trim();
    }

    /// Records that the server refuses `page` because of `why`. It is not requested again before
    /// the reader scrolls.
    pub fn page_refused(&mut self, page: Page, why: &str) {
        for segment in self.detached.iter_mut().chain([&mut self.live]) {
            match page {
                Page::Older(before) if segment.older == PageState::Asked(before) => segment.older = PageState::Refused,
                Page::Newer(after) if segment.newer == PageState::Asked(after) => segment.newer = PageState::Refused,
                _ => {}
            }
        }
        let is_awaited = match page {
            Page::Around(_) | Page::Since(_) | Page::Unread(_) => true,
            Page::First | Page::Older(_) => self.goal.take().is_some(),
            Page::Newer(_) => false,
        };
        if is_awaited {
            self.complain(format!("older messages cannot be shown: {}", sanitize::line(why)));
        }
    }

    /// Treats all pages as not requested, because the connection with the answers is lost.
    pub(super) fn forget_asking(&mut self) {
        if let Some(Goal::Top { asked }) = &mut self.goal {
            *asked = false;
        }
        self.live.forget_asking();
        if let Some(detached) = &mut self.detached {
            detached.forget_asking();
        }
    }

    /// Keeps the messages to be read. Their IDs become invalid.
    pub(super) fn forget_ids(&mut self) {
        self.detached = None;
        self.hit = None;
        self.goal = None;
        self.live.forget_ids();
        self.reading.forget_ids(self.live.is_empty());
        self.close_results();
    }

    fn take_older(&mut self, before: MessageId, messages: &[Arc<Message>]) {
        let older = self.segment(messages.iter().filter(|message| message.id < before));
        let mut segments = self.detached.iter_mut().chain([&mut self.live]);
        // The segment that requested it may have been dropped meanwhile. Then the answer has no
        // place.
        let Some(segment) = segments.find(|segment| segment.older == PageState::Asked(before)) else { return };
        segment.older = if older.is_empty() { PageState::Nothing } else { PageState::Unknown };
        segment.prepend(older);
        drop(segments);
        self.pursue();
    }

    /// Takes the beginning of the history, and shows it if the reader still wants to be there.
    fn take_first(&mut self, messages: &[Arc<Message>]) {
        if self.goal.take_if(|goal| matches!(goal, Goal::Top { .. })).is_none() {
            return;
        }
        let oldest = self.live.oldest();
        let reaches = messages.last().is_none_or(|last| oldest.is_some_and(|oldest| last.id >= oldest));
        if reaches {
            let missing = messages.iter().filter(|message| oldest.is_some_and(|oldest| message.id < oldest));
            let older = self.segment(missing);
            self.detached = None;
            self.live.older = PageState::Nothing;
            self.live.prepend(older);
        } else {
            let mut beginning = self.segment(messages);
            beginning.older = PageState::Nothing;
            self.detached = Some(beginning);
        }
        self.hit = None;
        self.hang_on(Spot { serial: self.shown().first(), row: 0 });
    }

    /// Takes the messages since a time, and shows the first of them.
    fn take_since(&mut self, at: Timestamp, messages: &[Arc<Message>]) {
        // A server of an earlier version ignores the time and sends the latest messages.
        let Some(first) = messages.first().filter(|first| first.at >= at) else {
            return self.complain("nothing has been said since then".to_owned());
        };
        let oldest = self.live.oldest();
        if self.live.find(first.id).is_none() {
            // The messages that are here follow when the reader reaches them.
            let missing = messages.iter().filter(|message| oldest.is_none_or(|oldest| message.id < oldest));
            self.detached = Some(self.segment(missing));
        }
        self.jump_to(first.id);
    }

    /// Takes the messages after the last one that was read, and shows the first of them.
    fn take_unread(&mut self, after: MessageId, messages: &[Arc<Message>]) {
        let Some(first) = messages.first().filter(|first| first.id > after) else {
            return self.complain("what was new is gone: the server no longer has it".to_owned());
        };
        let oldest = self.live.oldest();
        let serial = self.live.find(first.id);
        if serial.is_none() {
            // The messages that are here follow when the reader reaches them.
            let missing = messages.iter().filter(|message| oldest.is_none_or(|oldest| message.id < oldest));
            self.detached = Some(self.segment(missing));
        } else {
            self.detached = None;
        }
        self.show_from(serial.unwrap_or_else(|| self.shown().first()));
    }

    fn take_newer(&mut self, after: MessageId, messages: &[Arc<Message>]) {
        let live = self.live.oldest();
        let is_missing = |id: MessageId| id > after && live.is_none_or(|live| id < live);
        let newer = self.segment(messages.iter().filter(|message| is_missing(message.id)));
        let Some(detached) = self.detached.as_mut().filter(|detached| detached.newer == PageState::Asked(after)) else {
            return;
        };
        detached.newer = PageState::Unknown;
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
            self.complain("that message is gone: the server no longer has it".to_owned());
        }
    }

    /// Reports at the end of the conversation why something is not shown.
    fn complain(&mut self, words: String) {
        let local = self.live.last().and_then(|last| last.local);
        self.live.push(Entry::new(Content::Refused(words), MessageId(0), local));
        self.follow();
    }

    /// Joins the detached segment and the live one, because nothing is missing between them.
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
            // IDs must rise, whatever a server sends.
            if message.id > segment.latest() {
                segment.push(self.message_entry(message, None));
            }
        }
        segment
    }

    /// Drops the entries that are farthest from the visible ones if there are too many.
    pub(super) fn trim(&mut self) {
        if self.alone {
            return self.trim_alone();
        }
        let anchor = match self.position {
            Position::Bottom => self.live.end(),
            Position::At(anchor) => anchor.serial,
        };
        let (entries, bytes) = self.most();
        while self.live.holds_more_than(entries, bytes) {
            let quarter = (self.live.end() - self.live.first()) / 4;
            if self.detached.is_none() && anchor < self.live.first() + quarter {
                // The visible part stays, and the live end must stay too.
                self.detached = Some(self.live.split_before(anchor.max(self.live.first()) + quarter.max(1)));
            } else {
                self.live.drop_first();
            }
        }
        let Some(detached) = &mut self.detached else { return };
        while detached.holds_more_than(entries, bytes) {
            if anchor - detached.first() > detached.end() - anchor {
                detached.drop_first();
            } else {
                detached.drop_last();
            }
        }
    }
}
