//! The log that lives as long as the process: bounded, it forgets the oldest message first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use super::{
    Appended, Draft, Found, Page, Runs,
    budget::Budget,
    lock, size,
    wanted::{Finding, Next, Wanted},
};
use crate::protocol::{
    Author, Epoch, IdempotencyKey, Kind, Limits, Message, MessageId, RoomName, Timestamp, Topic, TopicBy,
};

/// Messages in the order of their ids, and what is derived from them: each room's ids, and which
/// keys were used.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    runs: Arc<Runs>,
    last: MessageId,
    /// The highest id that was forgotten: everything up to it is gone, in every room.
    pruned_up_to: MessageId,
    /// Their ids have no gaps, and the last of them has the last id.
    messages: VecDeque<Stored>,
    rooms: HashMap<RoomName, Room>,
    keys: HashMap<(Author, IdempotencyKey), MessageId>,
    /// Bytes of text in `messages`.
    text: usize,
    most_messages: usize,
    most_text: usize,
}

#[derive(Debug)]
struct Stored {
    message: Arc<Message>,
    author: Author,
}

#[derive(Debug, Default)]
struct Room {
    ids: VecDeque<MessageId>,
    topic: Option<TopicBy>,
    /// The highest id of this room that was forgotten.
    pruned_up_to: MessageId,
}

impl Memory {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self::bounded(epoch, Limits::MEMORY_MESSAGES, Limits::MEMORY_TEXT)
    }

    /// Returns an empty log that keeps at most so many messages and so many bytes of text.
    pub(super) fn bounded(epoch: Epoch, most_messages: usize, most_text: usize) -> Self {
        Self {
            epoch,
            // Its epoch is born with it, and nothing comes after it.
            runs: Arc::new(Runs::first(epoch)),
            last: MessageId(0),
            pruned_up_to: MessageId(0),
            messages: VecDeque::new(),
            rooms: HashMap::new(),
            keys: HashMap::new(),
            text: 0,
            most_messages,
            most_text,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn runs(&self) -> Arc<Runs> {
        Arc::clone(&self.runs)
    }

    pub(super) fn last(&self) -> MessageId {
        self.last
    }

    pub(super) fn last_at(&self) -> Timestamp {
        self.messages.back().map(|stored| stored.message.at).unwrap_or_default()
    }

    pub(super) fn append(&mut self, draft: Draft) -> Appended {
        let Draft { room, at, nick, author, kind, text, key } = draft;
        let unique = key.clone().map(|key| (author, key));
        if let Some(stored) = unique.as_ref().and_then(|unique| self.keys.get(unique)).and_then(|id| self.stored(*id)) {
            return Appended::Duplicate(Arc::clone(&stored.message));
        }
        self.last = MessageId(self.last.0 + 1);
        let id = self.last;
        if let Some(unique) = unique {
            self.keys.insert(unique, id);
        }
        let entry = self.rooms.entry(room.clone()).or_default();
        entry.ids.push_back(id);
        if kind == Kind::Topic {
            let topic = text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
            entry.topic = topic.map(|topic| TopicBy { topic, by: Some(nick.clone()) });
        }
        let message = Arc::new(Message { id, room, at, nick, kind, text, key });
        self.text += size(&message);
        self.messages.push_back(Stored { message: Arc::clone(&message), author });
        while self.messages.len() > self.most_messages || self.text > self.most_text && self.messages.len() > 1 {
            self.forget_oldest();
        }
        Appended::New(message)
    }

    fn stored(&self, id: MessageId) -> Option<&Stored> {
        let from_the_end = self.last.0.checked_sub(id.0)?;
        let index = (self.messages.len() as u64).checked_sub(1 + from_the_end)?;
        self.messages.get(usize::try_from(index).ok()?)
    }

    fn forget_oldest(&mut self) {
        let Some(Stored { message, author }) = self.messages.pop_front() else { return };
        self.text -= size(&message);
        self.pruned_up_to = message.id;
        if let Some(key) = &message.key {
            self.keys.remove(&(author, key.clone()));
        }
        if let Some(room) = self.rooms.get_mut(&message.room) {
            room.ids.pop_front();
            room.pruned_up_to = message.id;
            if room.ids.is_empty() {
                self.rooms.remove(&message.room);
            }
        }
    }

    pub(super) fn page(&self, room: &RoomName, after: MessageId, limit: u32) -> Page {
        let Some(room) = self.rooms.get(room) else {
            // Whether this very room lost messages is not known any more: better one gap too many
            // than one unsaid.
            return Page { messages: Vec::new(), more: false, gap: after < self.pruned_up_to };
        };
        let start = room.ids.partition_point(|id| *id <= after);
        let mut text = 0;
        let mut messages = Vec::new();
        for id in room.ids.iter().skip(start) {
            let Some(stored) = self.stored(*id) else { continue };
            text += size(&stored.message);
            if messages.len() >= limit as usize || text > Limits::BATCH && !messages.is_empty() {
                break;
            }
            messages.push(Arc::clone(&stored.message));
        }
        Page { more: start + messages.len() < room.ids.len(), gap: after < room.pruned_up_to, messages }
    }

    pub(super) fn cursor(&self, room: &RoomName, before: Option<MessageId>, count: u32) -> MessageId {
        let Some(room) = self.rooms.get(room) else { return self.pruned_up_to };
        let end = before.map_or(room.ids.len(), |before| room.ids.partition_point(|id| *id < before));
        match end.checked_sub(count as usize) {
            // Nothing is lost by starting there: what is older was not asked for, or is gone.
            Some(0) | None => room.pruned_up_to,
            Some(start) => room.ids[start - 1],
        }
    }

    pub(super) fn topic(&self, room: &RoomName) -> Option<TopicBy> {
        self.rooms.get(room).and_then(|room| room.topic.clone())
    }

    pub(super) fn count(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(super) fn since(&self, room: &RoomName, at: Timestamp) -> MessageId {
        let Some(room) = self.rooms.get(room) else { return self.pruned_up_to };
        let is_earlier = |id: &MessageId| self.stored(*id).is_none_or(|stored| stored.message.at < at);
        room.ids.partition_point(is_earlier).checked_sub(1).map_or(room.pruned_up_to, |index| room.ids[index])
    }

    /// Returns the last `count` messages of `rooms` before `before`, newest first.
    fn newest(&self, rooms: &[RoomName], before: MessageId, count: usize) -> Vec<Arc<Message>> {
        let rooms = rooms.iter().filter_map(|room| self.rooms.get(room));
        // How many ids of each room are still to be taken.
        let mut left: Vec<_> = rooms.map(|room| (&room.ids, room.ids.partition_point(|id| *id < before))).collect();
        let last =
            |(ids, left): &(&VecDeque<MessageId>, usize)| left.checked_sub(1).and_then(|index| ids.get(index)).copied();
        let mut newest = Vec::new();
        while newest.len() < count
            && let Some(latest) = left.iter_mut().max_by_key(|room| last(room))
            && let Some(id) = last(latest)
        {
            latest.1 -= 1;
            newest.extend(self.stored(id).map(|stored| Arc::clone(&stored.message)));
        }
        newest
    }
}

/// Returns what is wanted. Blocks while it looks at each message, and holds the lock only to take a
/// few of them: looking takes longer than those may wait who say something.
pub(super) fn search(memory: &Mutex<Memory>, wanted: &Wanted, budget: &Budget) -> Found {
    /// Messages taken at one time: some 10 µs.
    const SLICE: usize = 256;
    let (mut finding, mut budget) = (Finding::new(wanted), budget.clone());
    let mut before = wanted.before;
    loop {
        let slice = lock(memory).newest(&wanted.rooms, before, SLICE);
        let Some(oldest) = slice.last() else { return finding.end(true) };
        before = oldest.id;
        for message in slice {
            let next = finding.next();
            // Times do not fall as ids rise.
            if wanted.since.is_some_and(|since| message.at < since) {
                return finding.end(true);
            }
            if next == Next::Enough || budget.is_spent_before(message.text_len()) {
                return finding.end(false);
            }
            if wanted.takes(&message) {
                if next == Next::Wanted { finding.add(message) } else { finding.count() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::super::{Search, Store, conformance, conformance::draft};
    use super::*;
    use crate::protocol::{Hex, search::Filters};

    #[tokio::test]
    async fn conforms() {
        conformance::run(|| Store::memory(Hex([1; 8]))).await;
    }

    #[tokio::test]
    async fn the_oldest_is_forgotten_first_and_the_gap_is_told() {
        let store = Store::Memory(Arc::new(Mutex::new(Memory::bounded(Hex([1; 8]), 3, usize::MAX))));
        let room = RoomName::lobby();
        for text in ["1", "2", "3", "4", "5"] {
            store.append(vec![draft("lobby", text, Some(text))]).await.unwrap();
        }
        let ids = |page: &Page| page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>();
        let page = store.page(&room, MessageId(1), 10).await.unwrap();
        assert_eq!((ids(&page), page.gap), (vec![3, 4, 5], true));
        let page = store.page(&room, MessageId(2), 10).await.unwrap();
        assert_eq!((ids(&page), page.gap), (vec![3, 4, 5], false));
        let start = store.cursor(&room, None, 50).await.unwrap();
        assert!(!store.page(&room, start, 10).await.unwrap().gap, "what was not asked for is no gap");
    }

    #[test]
    fn a_search_without_time_finds_nothing_and_says_so() {
        let mut memory = Memory::bounded(Hex([1; 8]), 1000, usize::MAX);
        (0..1000).for_each(|_| drop(memory.append(draft("lobby", "tea", None))));
        let (memory, token) = (Mutex::new(memory), CancellationToken::new());
        let search = |time, limit| {
            let filters = Filters { words: "te".to_owned(), ..Filters::default() };
            let search = Search { rooms: vec![RoomName::lobby()], filters, limit, ..Search::default() };
            super::search(&memory, &Wanted::new(search).unwrap(), &Budget::new(time, token.clone()))
        };
        let (none, much) = (Duration::ZERO, Duration::from_hours(1));
        assert_eq!(search(none, 10), Found { is_incomplete: true, ..Found::default() });
        let ids = search(much, 700).messages.iter().map(|message| message.id.0).collect::<Vec<_>>();
        assert_eq!(ids, (301..=1000).rev().collect::<Vec<_>>());
        assert_eq!((search(much, 2000).messages.len(), search(much, 2000).is_incomplete), (1000, false));
        token.cancel();
        assert!(search(much, 10).is_incomplete, "nobody waits for it any more");
    }

    #[tokio::test]
    async fn text_is_bounded_by_its_bytes() {
        let store = Store::Memory(Arc::new(Mutex::new(Memory::bounded(Hex([1; 8]), usize::MAX, 40_000))));
        for _ in 0..10 {
            store.append(vec![draft("lobby", &"x".repeat(10_000), None)]).await.unwrap();
        }
        let page = store.page(&RoomName::lobby(), MessageId(0), 100).await.unwrap();
        assert_eq!(page.messages.len(), 3);
    }

    #[tokio::test]
    async fn a_room_whose_messages_are_all_gone_takes_no_memory() {
        let mut memory = Memory::bounded(Hex([1; 8]), 2, usize::MAX);
        for name in ["a", "b", "c", "d"] {
            memory.append(draft(name, "x", Some(name)));
        }
        assert_eq!((memory.rooms.len(), memory.keys.len()), (2, 2));
    }
}
