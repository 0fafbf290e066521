//! Any order of events against a model so simple that it is right by sight: what is kept is a list.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    Appended, Draft, Keep, Store,
    conformance::{LONG, draft},
    search_query::Query,
};
use crate::protocol::{Author, Hex, Message, MessageId, RoomName, Timestamp};

const ROOMS: [&str; 3] = ["a", "b-1", "c_2"];
const TEXTS: [&str; 5] = ["tea", "Tea and coffee", "coffee, Téa", "teams", "学生 coffee"];
const QUERIES: [&str; 6] = ["te", "\"tea\"", "cof tea", "生", "\"tea and\" co", "\"\" ("];

#[derive(Debug, Clone)]
enum Event {
    Append(Vec<(usize, usize, u8, Option<u8>)>),
    Page { room: usize, after: u64, limit: u32 },
    Cursor { room: usize, before: Option<u64>, count: u32 },
    Since { room: usize, at: u64 },
    Search { room: usize, query: usize, limit: u32 },
    Tidy,
    Reopen,
}

fn event() -> impl Strategy<Value = Event> {
    let said = (0..ROOMS.len(), 0..TEXTS.len(), 0..3_u8, proptest::option::of(0..6_u8));
    let room = 0..ROOMS.len();
    prop_oneof![
        4 => proptest::collection::vec(said, 1..6).prop_map(Event::Append),
        3 => (room.clone(), 0..40_u64, 0..8_u32).prop_map(|(room, after, limit)| Event::Page { room, after, limit }),
        2 => (room.clone(), proptest::option::of(0..40_u64), 0..8_u32)
            .prop_map(|(room, before, count)| Event::Cursor { room, before, count }),
        1 => (room.clone(), 0..40_u64).prop_map(|(room, at)| Event::Since { room, at }),
        3 => (room, 0..QUERIES.len(), 0..5_u32).prop_map(|(room, query, limit)| Event::Search { room, query, limit }),
        2 => Just(Event::Tidy),
        1 => Just(Event::Reopen),
    ]
}

/// What a log is: all that was ever said, and how much of its beginning is deleted.
struct Model {
    said: Vec<(Author, Arc<Message>)>,
    deleted: usize,
}

impl Model {
    fn kept(&self, room: &RoomName) -> Vec<Arc<Message>> {
        let kept = self.said[self.deleted..].iter().map(|(_, message)| Arc::clone(message));
        kept.filter(|message| message.room == *room).collect()
    }

    fn pruned_up_to(&self, room: &RoomName) -> MessageId {
        let gone = self.said[..self.deleted].iter().rev().find(|(_, message)| message.room == *room);
        gone.map_or(MessageId(0), |(_, message)| message.id)
    }

    /// Takes what the log made of a draft, and checks it.
    fn append(&mut self, draft: &Draft, outcome: &Appended) {
        let before = draft.key.as_ref().and_then(|key| {
            let kept = self.said[self.deleted..].iter();
            kept.clone().find(|(author, message)| *author == draft.author && message.key.as_ref() == Some(key))
        });
        match (before, outcome) {
            (Some((_, before)), Appended::Duplicate(message)) => assert_eq!(before, message),
            (None, Appended::New(message)) => {
                let Draft { room, at, nick, author, kind, text, key } = draft.clone();
                let id = MessageId(self.said.len() as u64 + 1);
                assert_eq!(**message, Message { id, room, at, nick, kind, text, key });
                self.said.push((author, Arc::clone(message)));
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn check(open: impl Fn() -> Store, can_reopen: bool, most: u64, events: Vec<Event>) {
    let mut store = open();
    let mut model = Model { said: Vec::new(), deleted: 0 };
    let room = |index: usize| RoomName::new(ROOMS[index]).unwrap();
    for event in events {
        match event {
            Event::Append(said) => {
                let at = Timestamp(model.said.len() as u64 / 3);
                let drafts: Vec<_> = said
                    .into_iter()
                    .map(|(room, text, author, key)| {
                        let key = key.map(|key| key.to_string());
                        Draft { at, author: Hex([author; 16]), ..draft(ROOMS[room], TEXTS[text], key.as_deref()) }
                    })
                    .collect();
                let outcomes = store.append(drafts.clone()).await.unwrap();
                assert_eq!(outcomes.len(), drafts.len());
                drafts.iter().zip(&outcomes).for_each(|(draft, outcome)| model.append(draft, outcome));
            }
            Event::Page { room: index, after, limit } => {
                let room = room(index);
                let page = store.page(&room, MessageId(after), limit).await.unwrap();
                let mut expected = model.kept(&room);
                expected.retain(|message| message.id.0 > after);
                assert_eq!(page.more, expected.len() > limit as usize);
                expected.truncate(limit as usize);
                assert_eq!(page.messages, expected);
                assert_eq!(page.gap, MessageId(after) < model.pruned_up_to(&room));
            }
            Event::Cursor { room: index, before, count } => {
                let room = room(index);
                let cursor = store.cursor(&room, before.map(MessageId), count).await.unwrap();
                let mut older = model.kept(&room);
                older.retain(|message| before.is_none_or(|before| message.id.0 < before));
                let expected = older.iter().rev().nth(count as usize).map(|message| message.id);
                assert_eq!(cursor, expected.unwrap_or_else(|| model.pruned_up_to(&room)));
                assert!(!store.page(&room, cursor, 1).await.unwrap().gap);
            }
            Event::Since { room: index, at } => {
                let room = room(index);
                let cursor = store.since(&room, Timestamp(at)).await.unwrap();
                let page = store.page(&room, cursor, 1000).await.unwrap();
                let mut expected = model.kept(&room);
                expected.retain(|message| message.at.0 >= at);
                assert_eq!((page.messages, page.gap), (expected, false));
            }
            Event::Search { room: index, query, limit } => {
                let room = room(index);
                let found = store.search_within(LONG, &room, QUERIES[query], limit).await.unwrap();
                let mut expected = model.kept(&room);
                let query = Query::parse(QUERIES[query]);
                let finds = |text: &str| query.as_ref().is_some_and(|query| query.finds(text));
                expected.retain(|message| message.text.as_ref().is_some_and(|text| finds(text.as_str())));
                expected.reverse();
                expected.truncate(limit as usize);
                assert_eq!((found.messages, found.is_incomplete), (expected, false));
            }
            Event::Tidy => {
                // A log deletes what it does not keep at a time of its own; here it is told when.
                if let Store::Sqlite(sqlite) = &store {
                    sqlite.maintain_as(Keep { age: None, messages: Some(most) }, Timestamp(1_000_000)).await.unwrap();
                }
                model.deleted = model.deleted.max(model.said.len().saturating_sub(usize::try_from(most).unwrap()));
            }
            Event::Reopen if can_reopen => {
                store.close().await;
                store = open();
            }
            Event::Reopen => {}
        }
        assert_eq!(store.last().unwrap().0, model.said.len() as u64);
        assert_eq!(store.count().await.unwrap(), (model.said.len() - model.deleted) as u64);
    }
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn memory_is_the_model(events in proptest::collection::vec(event(), 1..60)) {
        let run = check(|| Store::memory(Hex([1; 8])), false, u64::MAX, events);
        tokio::runtime::Runtime::new().unwrap().block_on(run);
    }

    #[test]
    fn a_file_is_the_model(most in prop_oneof![Just(u64::MAX), 0..20_u64], events in proptest::collection::vec(event(), 1..40)) {
        let directory = TempDir::new().unwrap();
        let run = check(|| Store::open(&directory.path().join("chat.db"), Keep::default()).unwrap(), true, most, events);
        tokio::runtime::Runtime::new().unwrap().block_on(run);
    }
}
