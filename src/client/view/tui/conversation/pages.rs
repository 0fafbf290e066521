//! Older and newer pages: what is asked for, where the answers belong, and what is dropped for
//! them. Pure.

use std::sync::Arc;

use super::{
    Conversation, Position,
    entry::{Content, Entry},
    scroll::{Goal, Spot},
    segment::{PageState, Segment},
};
use crate::protocol::{ClientMessage, Message, MessageId, Timestamp, sanitize};

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
    /// Those from this moment on.
    Since(Timestamp),
    /// Those after this id, the first of which was not read.
    Unread(MessageId),
    /// The first that the server has.
    First,
}

impl Page {
    /// Returns what to ask the server.
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
    /// Returns a page that is wanted because the last drawing came near its place. Each is wanted
    /// once, until
    /// [`Self::take_page`] has brought it or the connection is lost.
    pub fn wanted_page(&mut self) -> Option<Page> {
        if let Some(Goal::Top { asked }) = &mut self.goal {
            return (!std::mem::replace(asked, true)).then_some(Page::First);
        }
        let near = self.near;
        // Who has scrolled nowhere gets a screen full, and not what is out of sight on purpose.
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

    /// Takes the messages that answer the request of `page`, oldest first.
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

    /// Takes that the server does not give `page`, for this reason. It is not asked for again
    /// before the reader scrolls.
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

    /// Counts nothing as asked for: the connection that should have brought it is gone.
    pub(super) fn forget_asking(&mut self) {
        if let Some(Goal::Top { asked }) = &mut self.goal {
            *asked = false;
        }
        self.live.forget_asking();
        if let Some(detached) = &mut self.detached {
            detached.forget_asking();
        }
    }

    /// Keeps what is here, to be read; its ids mean nothing any more.
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
        // What was asked for may have been dropped meanwhile, and with it the place of the answer.
        let Some(segment) = segments.find(|segment| segment.older == PageState::Asked(before)) else { return };
        segment.older = if older.is_empty() { PageState::Nothing } else { PageState::Unknown };
        segment.prepend(older);
        drop(segments);
        self.pursue();
    }

    /// Takes the beginning of the history, and shows it to who still wants to be there.
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

    /// Takes what was said from a moment on, and shows its beginning.
    fn take_since(&mut self, at: Timestamp, messages: &[Arc<Message>]) {
        // A server of an earlier version sends the latest, whatever moment it is asked for.
        let Some(first) = messages.first().filter(|first| first.at >= at) else {
            return self.complain("nothing has been said since then".to_owned());
        };
        let oldest = self.live.oldest();
        if self.live.find(first.id).is_none() {
            // What is here already follows when the reader comes to it.
            let missing = messages.iter().filter(|message| oldest.is_none_or(|oldest| message.id < oldest));
            self.detached = Some(self.segment(missing));
        }
        self.jump_to(first.id);
    }

    /// Takes what was said after what was read, and shows its beginning.
    fn take_unread(&mut self, after: MessageId, messages: &[Arc<Message>]) {
        let Some(first) = messages.first().filter(|first| first.id > after) else {
            return self.complain("what was new is gone: the server no longer has it".to_owned());
        };
        let oldest = self.live.oldest();
        let serial = self.live.find(first.id);
        if serial.is_none() {
            // What is here already follows when the reader comes to it.
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

    /// Tells, at the end, why something that the reader wants to see is not shown.
    fn complain(&mut self, words: String) {
        let local = self.live.last().and_then(|last| last.local);
        self.live.push(Entry::new(Content::Refused(words), MessageId(0), local));
        self.follow();
    }

    /// Makes one of the detached segment and the live one: nothing is missing between them any
    /// more.
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
                segment.push(self.message_entry(message, None));
            }
        }
        segment
    }

    /// Drops what is farthest from what is looked at, once there is too much.
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
                // What is read stays; the live end must too.
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
