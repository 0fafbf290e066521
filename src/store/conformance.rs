//! What every kind of log must do, as one suite of tests.

use std::time::Duration;

use super::{Appended, Draft, Found, Search, Store, Total};
use crate::protocol::{
    Body, Hex, IdempotencyKey, Kind, Limits, MessageId, Nick, RoomName, Timestamp, Topic, TopicBy, search::Filters,
};

/// More than a search takes, however slow the machine is.
pub(super) const LONG: Duration = Duration::from_hours(1);

/// Runs the suite; `fresh` opens a new, empty log each time.
pub(super) async fn run(fresh: impl Fn() -> Store) {
    ids_increase_over_all_rooms(fresh()).await;
    a_page_is_a_gapless_stretch_of_one_room(fresh()).await;
    a_page_is_bounded_by_bytes_and_goes_on(fresh()).await;
    a_cursor_goes_back_from_the_end_or_from_an_id(fresh()).await;
    a_key_counts_once_an_author(fresh()).await;
    the_last_topic_is_the_topic(fresh()).await;
    a_search_finds_the_newest_first_in_one_room(fresh()).await;
    emoji_and_signs_are_found(fresh()).await;
    a_search_takes_filters_and_several_rooms(fresh()).await;
    a_search_goes_on_before_an_id_and_counts(fresh()).await;
    a_search_counts_only_so_many(fresh()).await;
    a_time_has_a_cursor(fresh()).await;
    messages_are_counted(fresh()).await;
}

/// Returns a draft of one author.
pub(super) fn draft(room: &str, text: &str, key: Option<&str>) -> Draft {
    Draft {
        room: RoomName::new(room).unwrap(),
        at: Timestamp(1),
        nick: Nick::new("ada").unwrap(),
        author: Hex([7; 16]),
        kind: Kind::Say,
        text: Some(Body::new(text).unwrap()),
        key: key.map(|key| IdempotencyKey::new(key).unwrap()),
    }
}

fn id(appended: &Appended) -> u64 {
    let (Appended::New(message) | Appended::Duplicate(message)) = appended;
    message.id.0
}

async fn texts(store: &Store, room: &str, after: u64, limit: u32) -> (Vec<String>, bool) {
    let page = store.page(&RoomName::new(room).unwrap(), MessageId(after), limit).await.unwrap();
    assert!(!page.gap);
    (page.messages.iter().map(|message| message.text.as_ref().unwrap().to_string()).collect(), page.more)
}

async fn ids_increase_over_all_rooms(store: Store) {
    assert_eq!(store.last().unwrap(), MessageId(0));
    let first = store.append(vec![draft("a", "1", None), draft("b", "2", None)]).await.unwrap();
    let second = store.append(vec![draft("a", "3", None)]).await.unwrap();
    assert!(0 < id(&first[0]) && id(&first[0]) < id(&first[1]) && id(&first[1]) < id(&second[0]));
    assert_eq!(store.last().unwrap().0, id(&second[0]));
}

async fn a_page_is_a_gapless_stretch_of_one_room(store: Store) {
    let mut ids = Vec::new();
    for text in ["1", "2", "3", "4"] {
        ids.push(id(&store.append(vec![draft("a", text, None), draft("b", "x", None)]).await.unwrap()[0]));
    }
    assert_eq!(texts(&store, "a", 0, 10).await, (vec!["1".into(), "2".into(), "3".into(), "4".into()], false));
    assert_eq!(texts(&store, "a", ids[0], 2).await, (vec!["2".into(), "3".into()], true));
    assert_eq!(texts(&store, "a", ids[3], 2).await, (vec![], false));
    assert_eq!(texts(&store, "empty", 0, 2).await, (vec![], false));
}

async fn a_page_is_bounded_by_bytes_and_goes_on(store: Store) {
    let full = "x".repeat(Limits::MESSAGE);
    let count = 2 * Limits::BATCH / Limits::MESSAGE;
    for _ in 0..count {
        store.append(vec![draft("a", &full, None)]).await.unwrap();
    }
    let (mut cursor, mut seen) = (MessageId(0), 0);
    loop {
        let page = store.page(&RoomName::new("a").unwrap(), cursor, 1000).await.unwrap();
        let bytes: usize = page.messages.iter().map(|message| message.text.as_ref().unwrap().as_str().len()).sum();
        assert!(bytes <= Limits::BATCH && !page.messages.is_empty());
        seen += page.messages.len();
        cursor = page.messages.last().unwrap().id;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, count);
}

async fn a_cursor_goes_back_from_the_end_or_from_an_id(store: Store) {
    let room = RoomName::new("a").unwrap();
    let mut ids = Vec::new();
    for text in ["1", "2", "3", "4"] {
        ids.push(id(&store.append(vec![draft("b", "x", None), draft("a", text, None)]).await.unwrap()[1]));
    }
    for (before, count, expected) in
        [(None, 2, vec!["3", "4"]), (None, 9, vec!["1", "2", "3", "4"]), (Some(ids[2]), 1, vec!["2", "3", "4"])]
    {
        let cursor = store.cursor(&room, before.map(MessageId), count).await.unwrap();
        assert_eq!(texts(&store, "a", cursor.0, 10).await.0, expected);
    }
    let cursor = store.cursor(&room, None, 0).await.unwrap();
    assert_eq!(texts(&store, "a", cursor.0, 10).await.0, Vec::<String>::new());
}

async fn a_key_counts_once_an_author(store: Store) {
    let first = store.append(vec![draft("a", "1", Some("k")), draft("a", "1", Some("k"))]).await.unwrap();
    let (Appended::New(one), Appended::Duplicate(two)) = (&first[0], &first[1]) else { panic!("{first:?}") };
    assert_eq!(one, two);
    let again = store.append(vec![draft("b", "other words", Some("k"))]).await.unwrap();
    assert_eq!(again, [Appended::Duplicate(one.clone())]);
    let other = Draft { author: Hex([8; 16]), ..draft("a", "2", Some("k")) };
    assert!(matches!(store.append(vec![other]).await.unwrap()[..], [Appended::New(_)]));
    assert_eq!(texts(&store, "a", 0, 10).await.0, ["1", "2"]);
}

async fn the_last_topic_is_the_topic(store: Store) {
    let room = RoomName::new("a").unwrap();
    assert_eq!(store.topic(&room).await.unwrap(), None);
    let topic = |text: Option<&str>| Draft {
        kind: Kind::Topic,
        text: text.map(|text| Body::new(text).unwrap()),
        ..draft("a", "x", None)
    };
    store.append(vec![topic(Some("tea")), topic(Some("coffee")), draft("a", "x", None)]).await.unwrap();
    assert_eq!(
        store.topic(&room).await.unwrap(),
        Some(TopicBy { topic: Topic::new("coffee").unwrap(), by: Some(Nick::new("ada").unwrap()) })
    );
    store.append(vec![topic(None)]).await.unwrap();
    assert_eq!(store.topic(&room).await.unwrap(), None);
}

async fn a_search_finds_the_newest_first_in_one_room(store: Store) {
    let room = RoomName::new("a-room").unwrap();
    for text in ["Über alles Tee", "coffee", "tea and coffee", "teams: 学生です"] {
        store.append(vec![draft("a-room", text, None), draft("a", text, None)]).await.unwrap();
    }
    let cleared = Draft { kind: Kind::Topic, text: None, ..draft("a-room", "x", None) };
    store.append(vec![cleared]).await.unwrap();
    // What is found is the same whether it is in an index already or not.
    for _ in 0..2 {
        for (query, limit, expected) in [
            ("te", 9, vec!["teams: 学生です", "tea and coffee", "Über alles Tee"]),
            ("te", 2, vec!["teams: 学生です", "tea and coffee"]),
            ("te", 0, vec![]),
            ("COF tea", 9, vec!["tea and coffee"]),
            ("\"tea\"", 9, vec!["tea and coffee"]),
            ("\"and coffee\"", 9, vec!["tea and coffee"]),
            ("\"coffee and\"", 9, vec![]),
            ("uber", 9, vec!["Über alles Tee"]),
            ("学生", 9, vec!["teams: 学生です"]),
            ("生学", 9, vec![]),
            ("room", 9, vec![]),
            ("words:te) OR \"", 9, vec![]),
            ("' -- \"; *", 9, vec![]),
            ("", 9, vec![]),
        ] {
            let found = store.search_within(LONG, &room, query, limit).await.unwrap();
            let found: Vec<_> = found.messages.iter().map(|message| message.text.as_ref().unwrap().as_str()).collect();
            assert_eq!(found, expected, "{query}");
        }
        store.maintain().await.unwrap();
    }
}

async fn emoji_and_signs_are_found(store: Store) {
    let room = RoomName::lobby();
    for text in ["C and env", "C++ 🎉", "C# in .env", "die Straße 👍🏽", "STRASSE"] {
        store.append(vec![draft("lobby", text, None)]).await.unwrap();
    }
    for _ in 0..2 {
        for (query, expected) in [
            ("c++", vec!["C++ 🎉"]),
            ("C#", vec!["C# in .env"]),
            ("c", vec!["C# in .env", "C++ 🎉", "C and env"]),
            (".env", vec!["C# in .env"]),
            ("\".env\" c", vec!["C# in .env"]),
            ("🎉", vec!["C++ 🎉"]),
            ("👍", vec!["die Straße 👍🏽"]),
            ("🎈", vec![]),
            ("strasse", vec!["STRASSE", "die Straße 👍🏽"]),
            ("Straße", vec!["STRASSE", "die Straße 👍🏽"]),
        ] {
            let found = store.search_within(LONG, &room, query, 9).await.unwrap();
            let found: Vec<_> = found.messages.iter().map(|message| message.text.as_ref().unwrap().as_str()).collect();
            assert_eq!(found, expected, "{query}");
        }
        store.maintain().await.unwrap();
    }
}

/// Returns the ids that a search for `words` in all of `rooms` finds; `change` says what else is
/// wanted.
async fn found(store: &Store, rooms: &[&str], words: &str, change: impl FnOnce(&mut Search)) -> Found {
    let filters = Filters { words: words.to_owned(), ..Filters::default() };
    let rooms = rooms.iter().map(|room| RoomName::new(room).unwrap()).collect();
    let mut search = Search { rooms, filters, limit: 9, ..Search::default() };
    change(&mut search);
    store.find(LONG, search).await.unwrap()
}

fn ids(found: &Found) -> Vec<u64> {
    found.messages.iter().map(|message| message.id.0).collect()
}

async fn a_search_takes_filters_and_several_rooms(store: Store) {
    let said = [("a", 10, "ada", "tea"), ("b", 20, "Bob", "tea"), ("c", 30, "ada", "tea"), ("a", 40, "bob", "no")];
    for (room, at, nick, text) in said {
        let nick = Nick::new(nick).unwrap();
        store.append(vec![Draft { at: Timestamp(at), nick, ..draft(room, text, None) }]).await.unwrap();
    }
    let by = |nick: &str| vec![nick.to_owned()];
    for _ in 0..2 {
        assert_eq!(ids(&found(&store, &["a", "b"], "tea", |_| {}).await), [2, 1]);
        assert_eq!(ids(&found(&store, &["c", "a", "b"], "te", |_| {}).await), [3, 2, 1]);
        assert_eq!(ids(&found(&store, &["a", "b"], "tea", |search| search.filters.from = by("bob")).await), [2]);
        assert_eq!(ids(&found(&store, &["a"], "", |search| search.filters.from = by("bob")).await), [4]);
        assert_eq!(ids(&found(&store, &["b", "a"], "", |search| search.filters.from = by("bob")).await), [4, 2]);
        assert_eq!(
            ids(&found(&store, &["a", "b", "c"], "tea", |search| search.filters.since = Some(Timestamp(20))).await),
            [3, 2]
        );
        assert_eq!(
            ids(&found(&store, &["a", "b", "c"], "tea", |search| search.filters.until = Some(Timestamp(30))).await),
            [2, 1]
        );
        assert_eq!(ids(&found(&store, &["a"], "", |search| search.filters.since = Some(Timestamp(11))).await), [4]);
        assert_eq!(
            ids(&found(&store, &["a"], ":-)", |search| search.filters.since = Some(Timestamp(1))).await),
            [0; 0]
        );
        assert_eq!(ids(&found(&store, &[], "tea", |_| {}).await), [0; 0]);
        assert_eq!(ids(&found(&store, &["a", "none"], "", |_| {}).await), [0; 0]);
        store.maintain().await.unwrap();
    }
}

async fn a_search_goes_on_before_an_id_and_counts(store: Store) {
    for number in 0..10 {
        store.append(vec![draft(["a", "b"][number % 2], &format!("tea {number}"), None)]).await.unwrap();
    }
    for _ in 0..2 {
        let page = |rooms: &'static [&str], before: Option<u64>| {
            found(&store, rooms, "tea", move |search| {
                (search.before, search.limit, search.counts) = (before.map(MessageId), 2, before.is_none());
            })
        };
        let first = page(&["a"], None).await;
        assert_eq!((ids(&first), first.is_incomplete), (vec![9, 7], false));
        assert_eq!(first.total, Some(Total { count: 5, or_more: false }));
        let second = page(&["a"], Some(7)).await;
        assert_eq!((ids(&second), second.total), (vec![5, 3], None));
        assert_eq!(ids(&page(&["a"], Some(3)).await), [1]);
        assert_eq!(ids(&page(&["a"], Some(1)).await), [0; 0]);
        assert_eq!(ids(&page(&["a"], Some(0)).await), [0; 0]);
        let both = page(&["a", "b"], None).await;
        assert_eq!((ids(&both), both.total.map(|total| total.count)), (vec![10, 9], Some(10)));
        assert_eq!(ids(&page(&["a", "b"], Some(9)).await), [8, 7]);
        let none = found(&store, &["a"], "coffee", |search| search.counts = true).await;
        assert_eq!(none.total, Some(Total { count: 0, or_more: false }));
        store.maintain().await.unwrap();
    }
}

async fn a_search_counts_only_so_many(store: Store) {
    let most = Limits::FOUND_COUNTED;
    for _ in 0..=most / 1000 {
        store.append((0..1000).map(|_| draft("a", "tea", None)).collect()).await.unwrap();
    }
    for _ in 0..2 {
        let found = found(&store, &["a"], "tea", |search| search.counts = true).await;
        let total = found.total.unwrap();
        assert_eq!((found.messages.len(), found.is_incomplete), (9, false));
        // A slow machine counts fewer in its time.
        assert!(total.or_more && (9..=most).contains(&total.count), "{total:?}");
        store.maintain().await.unwrap();
    }
}

async fn a_time_has_a_cursor(store: Store) {
    let room = RoomName::new("a").unwrap();
    assert_eq!(store.last_at().await.unwrap(), Timestamp(0));
    for (at, text) in [(10, "1"), (20, "2"), (20, "3"), (30, "4")] {
        let other = Draft { at: Timestamp(at), ..draft("b", "x", None) };
        store.append(vec![Draft { at: Timestamp(at), ..draft("a", text, None) }, other]).await.unwrap();
    }
    assert_eq!(store.last_at().await.unwrap(), Timestamp(30));
    for (at, expected) in [
        (0, vec!["1", "2", "3", "4"]),
        (10, vec!["1", "2", "3", "4"]),
        (11, vec!["2", "3", "4"]),
        (20, vec!["2", "3", "4"]),
        (30, vec!["4"]),
        (31, vec![]),
        (u64::MAX, vec![]),
    ] {
        let cursor = store.since(&room, Timestamp(at)).await.unwrap();
        assert_eq!(texts(&store, "a", cursor.0, 10).await.0, expected, "{at}");
    }
}

async fn messages_are_counted(store: Store) {
    assert_eq!(store.count().await.unwrap(), 0);
    store.append(vec![draft("a", "1", Some("k")), draft("b", "2", None), draft("a", "1", Some("k"))]).await.unwrap();
    assert_eq!(store.count().await.unwrap(), 2);
}
