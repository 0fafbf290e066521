//! What a search takes, what it has found, and how it counts. Pure but for the clock, by which it
//! ends.

use std::{sync::Arc, time::Instant};

use super::{Found, Search, Total, search_query::Query};
use crate::protocol::{Limits, Message, MessageId, RoomName, Timestamp};

/// What is looked for, in a form that is compared quickly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Where: one room at least.
    pub(super) rooms: Vec<RoomName>,
    /// The words; none where all that the filters let through is wanted.
    pub(super) query: Option<Query>,
    from: Vec<String>,
    /// It was said then or later.
    pub(super) since: Option<Timestamp>,
    /// It was said before.
    pub(super) until: Option<Timestamp>,
    /// The first id that is too high.
    pub(super) before: MessageId,
    limit: usize,
    counts: bool,
}

impl Wanted {
    /// Returns what `search` looks for, or nothing where there is neither a word nor a filter.
    pub(super) fn new(search: Search) -> Option<Self> {
        let Search { rooms, filters, before, limit, counts } = search;
        let query = Query::parse(&filters.words);
        let has_filter = !filters.from.is_empty() || filters.since.is_some() || filters.until.is_some();
        // Signs without a letter are no filter: they would find everything.
        let means_something = query.is_some() || has_filter && filters.words.trim_matches(['"', ' ']).is_empty();
        (means_something && !rooms.is_empty()).then(|| Self {
            rooms,
            query,
            from: filters.from,
            since: filters.since,
            until: filters.until,
            before: before.unwrap_or(MessageId(u64::MAX)),
            limit: limit.min(Limits::HISTORY) as usize,
            counts,
        })
    }

    /// Returns whether it may be said in `room`.
    pub(super) fn is_in(&self, room: &str) -> bool {
        self.rooms.iter().any(|wanted| wanted.as_str() == room)
    }

    /// Returns whether `nick` may have said it.
    pub(super) fn is_from(&self, nick: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|wanted| *wanted == nick.to_lowercase())
    }

    /// Returns whether it is in `text`, where no index knows its words.
    pub(super) fn is_in_text(&self, text: &str) -> bool {
        self.query.as_ref().is_none_or(|query| query.finds(text))
    }

    /// Returns whether it is in `text`, where an index has found its words.
    pub(super) fn is_in_found(&self, text: &str) -> bool {
        self.query.as_ref().is_none_or(|query| query.finds_literals(text))
    }

    /// Returns whether `message`, of whatever room, is wanted.
    pub(super) fn takes(&self, message: &Message) -> bool {
        message.id < self.before
            && self.since.is_none_or(|since| message.at >= since)
            && self.until.is_none_or(|until| message.at < until)
            && self.is_from(message.nick.as_str())
            && message.text.as_ref().is_some_and(|text| self.is_in_text(text.as_str()))
    }
}

/// What a search has found so far.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    wanted: &'a Wanted,
    messages: Vec<Arc<Message>>,
    count: u64,
    /// Whether some could not be read.
    lacks: bool,
    /// When counting ends, once there is nothing else to do.
    until: Option<Instant>,
}

/// What becomes of what is found next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is wanted.
    Wanted,
    /// It only counts.
    Counts,
    /// Nothing more is looked for.
    Enough,
}

impl<'a> Finding<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, messages: Vec::new(), count: 0, lacks: false, until: None }
    }

    /// Returns what becomes of what is found next. With the page full, a search goes on for
    /// [`Limits::COUNT`] at the most.
    pub(super) fn next(&mut self) -> Next {
        if self.messages.len() < self.wanted.limit {
            return Next::Wanted;
        }
        if !self.wanted.counts || self.count > Limits::FOUND_COUNTED {
            return Next::Enough;
        }
        let now = Instant::now();
        if now >= *self.until.get_or_insert(now + Limits::COUNT) { Next::Enough } else { Next::Counts }
    }

    /// Adds a message that is wanted.
    pub(super) fn add(&mut self, message: Arc<Message>) {
        self.count += 1;
        self.messages.push(message);
    }

    /// Counts one more.
    pub(super) fn count(&mut self) {
        self.count += 1;
    }

    /// Notes that something could not be read which is perhaps wanted.
    pub(super) fn lacks_some(&mut self) {
        self.lacks = true;
    }

    /// Returns what was found. A search that `is_complete` has seen all; another may have counted
    /// less than there is.
    pub(super) fn end(self, is_complete: bool) -> Found {
        let most = Limits::FOUND_COUNTED;
        let total = Total { count: self.count.min(most), or_more: !is_complete || self.lacks || self.count > most };
        // With the page full, what was not looked at is older.
        let is_incomplete = self.lacks || !is_complete && self.messages.len() < self.wanted.limit;
        Found { total: self.wanted.counts.then_some(total), messages: self.messages, is_incomplete }
    }
}
