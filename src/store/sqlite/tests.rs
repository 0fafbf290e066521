//! What only a log on disk must do: survive, refuse, recover.

use std::{cell::RefCell, fs, path::PathBuf, sync::Arc, time::Duration};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{
    super::{
        Known, Salvaged, Store, conformance,
        conformance::{LONG, draft},
    },
    *,
};
use crate::protocol::{Body, Hex, Kind, Limits, Message, Nick, PersonId, Topic, TopicBy};

fn tea_by_ada() -> TopicBy {
    TopicBy { topic: Topic::new("tea").unwrap(), by: Some(Nick::new("ada").unwrap()) }
}

#[tokio::test]
async fn a_file_conforms() {
    let directories = RefCell::new(Vec::new());
    conformance::run(|| {
        let directory = TempDir::new().unwrap();
        let store = Store::open(&directory.path().join("chat.db"), Keep::default()).unwrap();
        directories.borrow_mut().push(directory);
        store
    })
    .await;
}

#[tokio::test]
async fn memory_conforms() {
    conformance::run(|| in_memory(Keep::default())).await;
}

fn in_memory(keep: Keep) -> Store {
    Store::Sqlite(Arc::new(Sqlite::in_memory(keep).unwrap()))
}

/// Returns a directory and a path in it.
fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("data").join("chat.db");
    (directory, path)
}

fn open(path: &Path) -> Store {
    Store::open(path, Keep::default()).unwrap()
}

fn refusal(path: &Path) -> OpenError {
    Store::open(path, Keep::default()).unwrap_err()
}

async fn say(store: &Store, text: &str) -> Result<u64, StoreError> {
    match &store.append(vec![draft("lobby", text, None)]).await?[..] {
        [Appended::New(message)] => Ok(message.id.0),
        other => panic!("{other:?}"),
    }
}

/// Returns the ids of the lobby's messages after `after`, and whether there is a gap before them.
async fn ids(store: &Store, after: u64) -> (Vec<u64>, bool) {
    let page = store.page(&RoomName::lobby(), MessageId(after), 1000).await.unwrap();
    (page.messages.iter().map(|message| message.id.0).collect(), page.gap)
}

/// Does something to the connection that writes.
async fn to_writer(store: &Store, deed: impl FnOnce(&mut Connection) + Send + 'static) {
    let Store::Sqlite(sqlite) = store else { panic!("no writer") };
    let (done, is_done) = oneshot::channel();
    let deed = Box::new(move |connection: &mut Connection| {
        deed(connection);
        done.send(()).unwrap();
    });
    sqlite.sender(|senders| &senders.writes).unwrap().send(Request::Do(deed)).await.unwrap();
    is_done.await.unwrap();
}

#[tokio::test]
async fn a_message_waits_for_the_disk_and_a_chore_does_not() {
    /// What `PRAGMA synchronous` answers.
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;
    let (_directory, path) = place();
    let store = open(&path);
    let asked = async || {
        let (answer, answered) = oneshot::channel::<i64>();
        to_writer(&store, |connection| {
            answer.send(connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()).unwrap();
        })
        .await;
        answered.await.unwrap()
    };
    for _ in 0..2 {
        // The writer is held until the message and the question wait for it: between them it must
        // not find time for a chore.
        let (go, may_go) = std::sync::mpsc::channel();
        let held = to_writer(&store, move |_| may_go.recv().unwrap());
        let ((), said, synchronous, ()) = tokio::join!(held, say(&store, "x"), asked(), async { go.send(()).unwrap() });
        assert_eq!((said.is_ok(), synchronous), (true, FULL));
        store.maintain().await.unwrap();
        assert_eq!(asked().await, NORMAL);
    }
}

#[tokio::test]
async fn what_was_said_is_there_after_a_restart() {
    let (_directory, path) = place();
    let store = open(&path);
    let epoch = store.epoch();
    store.append(vec![draft("lobby", "1", Some("k"))]).await.unwrap();
    let topic = Draft { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), ..draft("lobby", "x", None) };
    store.append(vec![topic]).await.unwrap();
    let before = store.page(&RoomName::lobby(), MessageId(0), 10).await.unwrap();
    store.close().await;
    assert_eq!(say(&store, "x").await, Err(StoreError::Closed));
    assert_eq!(store.last(), Err(StoreError::Closed));
    assert!(!path.with_extension("db-wal").exists(), "the write-ahead log is put away");

    let store = open(&path);
    assert_eq!(store.epoch(), epoch);
    assert_eq!(store.page(&RoomName::lobby(), MessageId(0), 10).await.unwrap(), before);
    assert_eq!(store.topic(&RoomName::lobby()).await.unwrap(), Some(tea_by_ada()));
    let again = store.append(vec![draft("lobby", "1", Some("k"))]).await.unwrap();
    assert_eq!(again, [Appended::Duplicate(Arc::clone(&before.messages[0]))]);
    assert_eq!(say(&store, "3").await, Ok(3));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_what_is_created() {
    let (_directory, path) = place();
    let store = open(&path);
    say(&store, "secret").await.unwrap();
    let mode =
        |path: &Path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for extension in ["db", "db-wal", "db-shm", "db.lock"] {
        assert_eq!(mode(&path.with_extension(extension)), 0o600, "{extension}");
    }
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_is_gone() {
    let (_directory, path) = place();
    let store = open(&path);
    say(&store, "1").await.unwrap();
    let refused = refusal(&path);
    assert!(matches!(refused, OpenError::InUse(_)) && refused.hint().is_some());
    assert_eq!(refused.to_string(), format!("{} is in use by another server", path.canonicalize().unwrap().display()));
    #[cfg(unix)]
    {
        let link = path.parent().unwrap().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(refusal(&link), OpenError::InUse(_)), "another name is the same file");
    }
    say(&store, "2").await.unwrap();
    store.close().await;
    assert_eq!(ids(&open(&path), 0).await.0, [1, 2]);
}

#[tokio::test]
async fn what_is_no_log_of_ours_is_refused_and_left_as_it_is() {
    let (_directory, path) = place();
    open(&path).close().await;
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();

    change("PRAGMA user_version = 1000");
    assert!(matches!(refusal(&path), OpenError::Newer { found: 1000, known: 5, .. }));
    change("PRAGMA application_id = 7");
    assert!(matches!(refusal(&path), OpenError::Foreign(_)));
    change("PRAGMA application_id = 0; PRAGMA user_version = 0");
    assert!(matches!(refusal(&path), OpenError::Foreign(_)), "it has tables");

    let note = "a note of mine\n".repeat(1000);
    fs::write(&path, &note).unwrap();
    assert!(matches!(refusal(&path), OpenError::NotADatabase(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), note);

    assert!(matches!(refusal(path.parent().unwrap()), OpenError::Open { .. }));
    assert!(matches!(refusal(&path.join("chat.db")), OpenError::Create { .. }), "a file is no directory");
    assert!(matches!(refusal(Path::new("")), OpenError::Create { .. }));
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let (_directory, path) = place();
    let store = open(&path);
    for _ in 0..20 {
        say(&store, &"x".repeat(10_000)).await.unwrap();
    }
    store.close().await;
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 20);
    for page in 0..pages {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let Ok(store) = Store::open(&path, Keep::default()) else { continue };
        // Each may fail or not, as it meets the damage.
        drop(store.page(&RoomName::lobby(), MessageId(0), 1000).await);
        drop(store.cursor(&RoomName::lobby(), None, 50).await);
        drop(store.search(&RoomName::lobby(), "x", 50).await);
        drop(store.count().await);
        drop(store.append(vec![draft("lobby", "y", Some("k"))]).await);
        drop(store.maintain().await);
        store.close().await;
    }
    fs::write(&path, &whole[..8192]).unwrap();
    drop(Store::open(&path, Keep::default()));
}

#[tokio::test]
async fn a_full_disk_loses_only_what_was_refused() {
    let (_directory, path) = place();
    let store = open(&path);
    say(&store, "1").await.unwrap();
    to_writer(&store, |connection| {
        // Or there are free pages.
        connection.execute_batch("VACUUM").unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
    })
    .await;
    let large = "x".repeat(16_000);
    assert_eq!(say(&store, &large).await, Err(StoreError::Full));
    let both = vec![draft("lobby", "small", Some("small")), draft("lobby", &large, Some("large"))];
    assert_eq!(store.append(both.clone()).await, Err(StoreError::Full));
    assert_eq!(ids(&store, 0).await.0, [1], "all of them are stored, or none");
    assert_eq!(store.topic(&RoomName::lobby()).await, Ok(None));
    to_writer(&store, |connection| {
        connection.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    })
    .await;
    assert!(matches!(store.append(both).await.unwrap()[..], [Appended::New(_), Appended::New(_)]));
    assert_eq!(say(&store, &large).await, Ok(4));
    assert_eq!(ids(&store, 0).await.0, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_crash_in_mid_transaction_leaves_what_was_committed() {
    let (directory, path) = place();
    let store = open(&path);
    say(&store, "1").await.unwrap();
    store.close().await;

    // As the writer does it, but too large for its cache, so that pages are in the files before the
    // commit.
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size = 5; BEGIN IMMEDIATE;
             WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
             INSERT INTO messages (room, at, nick, kind, text, author)
             SELECT 'lobby', 1, 'ada', 'say', hex(zeroblob(500)), zeroblob(16) FROM number;",
        )
        .unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    assert!(fs::metadata(copy.with_extension("db-wal")).unwrap().len() > 500_000);

    let store = open(&copy);
    assert_eq!(ids(&store, 0).await.0, [1]);
    assert_eq!(say(&store, "2").await, Ok(2));
}

#[tokio::test]
async fn a_process_that_dies_leaves_what_it_was_told_is_stored() {
    let (directory, path) = place();
    let store = open(&path);
    for text in ["1", "2"] {
        say(&store, text).await.unwrap();
    }
    // The files as they are when an append returns are what a killed process leaves.
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    assert_eq!(ids(&open(&copy), 0).await.0, [1, 2]);
}

#[tokio::test]
async fn an_id_never_comes_back_and_a_topic_stays() {
    let (_directory, path) = place();
    let keep = Keep { age: None, messages: Some(0) };
    let store = Store::open(&path, keep).unwrap();
    let topic = Draft { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), ..draft("lobby", "x", None) };
    store.append(vec![topic]).await.unwrap();
    assert_eq!(say(&store, "word").await, Ok(2));
    store.maintain().await.unwrap();
    assert_eq!((store.count().await, store.last()), (Ok(0), Ok(MessageId(2))));
    store.close().await;
    let store = Store::open(&path, keep).unwrap();
    assert_eq!(store.last(), Ok(MessageId(2)));
    assert_eq!(store.topic(&RoomName::lobby()).await, Ok(Some(tea_by_ada())));
    assert_eq!(ids(&store, 1).await, (vec![], true));
    let cursor = store.cursor(&RoomName::lobby(), None, 50).await.unwrap();
    assert_eq!(ids(&store, cursor.0).await, (vec![], false));
    assert_eq!(say(&store, "3").await, Ok(3));
}

#[tokio::test]
async fn what_is_too_old_is_deleted_oldest_first() {
    // The log itself would delete what it does not keep at a time of its own.
    let keep = Keep { age: Some(Duration::from_millis(10)), messages: None };
    let store = in_memory(Keep::default());
    let Store::Sqlite(sqlite) = &store else { panic!() };
    // More than one step deletes, so that there are several.
    for at in 1..=20 {
        let draft = |room| Draft { at: Timestamp(at), ..draft(room, "word", None) };
        store.append((0..50).flat_map(|_| [draft("lobby"), draft("b")]).collect()).await.unwrap();
    }
    sqlite.maintain_as(keep, Timestamp(20)).await.unwrap();
    // Ten milliseconds are not more than ten milliseconds.
    assert_eq!(store.count().await, Ok(1100));
    let (left, gap) = ids(&store, 0).await;
    assert_eq!((left.len(), left[0], gap), (550, 901, true));
    assert!(!ids(&store, 899).await.1, "900 was of the other room");
    assert_eq!(store.search_within(LONG, &RoomName::lobby(), "word", 1000).await.unwrap().messages.len(), 550);
    sqlite.maintain_as(keep, Timestamp(1000)).await.unwrap();
    assert_eq!(store.count().await, Ok(0));
    assert_eq!(store.search_within(LONG, &RoomName::lobby(), "word", 1000).await.unwrap().messages, []);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_shown_as_well_as_it_can_be() {
    let (_directory, path) = place();
    let store = open(&path);
    for number in 0..12 {
        let key = number.to_string();
        store.append(vec![draft("lobby", "tea", Some(&key))]).await.unwrap();
    }
    store.close().await;
    // Without types, so that anything can be in it.
    let columns = "id, room, at, nick, kind, text, author, key";
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TABLE changed (id INTEGER PRIMARY KEY, room, at, nick, kind, text, author, key);
             INSERT INTO changed SELECT {columns} FROM messages;
             DROP TABLE messages;
             ALTER TABLE changed RENAME TO messages;
             CREATE INDEX messages_by_room ON messages (room, id);
             UPDATE messages SET nick = 'a b' WHERE id = 1;
             UPDATE messages SET nick = NULL, at = -7 WHERE id = 2;
             UPDATE messages SET nick = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2', at = 'noon' WHERE id = 3;
             UPDATE messages SET kind = 'sing' WHERE id = 4;
             UPDATE messages SET text = NULL WHERE id = 5;
             UPDATE messages SET text = x'746561ff' WHERE id = 6;
             UPDATE messages SET text = 7, author = 'ada', key = 'no key' WHERE id = 7;
             UPDATE messages SET text = '{}' WHERE id = 8;
             UPDATE messages SET text = char(8203), kind = 'topic' WHERE id = 9;
             UPDATE messages SET text = char(27) || '[31mred', author = x'00', key = x'ff' WHERE id = 10;
             UPDATE messages SET room = 'a room' WHERE id = 11;
             UPDATE meta SET value = 0 WHERE name IN ('indexed', 'keyed');
             DELETE FROM search;
             INSERT INTO rooms (room, topic) VALUES ('lobby', char(27)) ON CONFLICT DO UPDATE SET topic = excluded.topic;",
            "tea ".repeat(1_000_000)
        ))
        .unwrap();
    drop(connection);
    let store = open(&path);
    let page = store.page(&RoomName::lobby(), MessageId(0), 100).await.unwrap();
    let shown = |message: &Arc<Message>| {
        let text: String = message.text.iter().flat_map(|text| text.as_str().chars().take(31)).collect();
        format!("{} {} {:?} {text}", message.id.0, message.nick, message.kind)
    };
    let lines: Vec<_> = page.messages.iter().map(shown).collect();
    assert_eq!(
        lines,
        [
            "1 a\u{fffd}b Say tea",
            "2 \u{fffd} Say tea",
            "3 xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2 Say tea",
            "4 ada Say tea",
            "5 ada Say (this message cannot be shown)",
            "6 ada Say tea\u{fffd}",
            "7 ada Say 7",
            "8 ada Say tea tea tea tea tea tea tea tea",
            "9 ada Topic (this message cannot be shown)",
            "10 ada Say red",
            "12 ada Say tea",
        ]
    );
    assert!(page.messages.iter().all(|message| message.text_len() <= Limits::MESSAGE));
    assert_eq!(store.topic(&RoomName::lobby()).await.unwrap().unwrap().topic.as_str(), "(this topic cannot be shown)");
    // Found before and after it is in the index.
    for _ in 0..2 {
        let found = store.search(&RoomName::lobby(), "tea", 100).await.unwrap();
        assert_eq!(found.messages.iter().map(|message| message.id.0).collect::<Vec<_>>(), [12, 8, 6, 4, 3, 2, 1]);
        store.maintain().await.unwrap();
    }
    store.since(&RoomName::lobby(), Timestamp(1)).await.unwrap();
    // A key that was not changed still counts once, and what was said under one that was is said
    // again.
    let drafts = [draft("lobby", "tea", Some("0")), draft("lobby", "tea", Some("9"))].to_vec();
    let [Appended::Duplicate(first), Appended::New(_)] = &store.append(drafts).await.unwrap()[..] else { panic!() };
    assert_eq!(first.nick.as_str(), "a\u{fffd}b");
    let Store::Sqlite(sqlite) = &store else { panic!() };
    sqlite.maintain_as(Keep { age: Some(Duration::from_secs(1)), messages: None }, Timestamp(1000)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn many_messages_are_served_in_pages() {
    let (_directory, path) = place();
    open(&path).close().await;
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
             INSERT INTO messages (room, at, nick, kind, text, author)
             SELECT 'lobby', n, 'ada', 'say', 'message ' || n, zeroblob(16) FROM number;",
        )
        .unwrap();
    let store = open(&path);
    assert_eq!((store.count().await, store.last()), (Ok(100_000), Ok(MessageId(100_000))));
    let cursor = store.cursor(&RoomName::lobby(), None, 50).await.unwrap();
    assert_eq!(ids(&store, cursor.0).await.0, (99_951..=100_000).collect::<Vec<_>>());
    let found = store.search_within(LONG, &RoomName::lobby(), "\"message 77777\"", 5).await.unwrap();
    assert_eq!(found.messages.iter().map(|message| message.id.0).collect::<Vec<_>>(), [77_777], "none is indexed yet");
}

#[tokio::test]
async fn many_at_once_each_get_their_own_answer() {
    let store = in_memory(Keep::default());
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..45 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..20 {
                let text = format!("{sender} {number}");
                let outcome = store.append(vec![draft("lobby", &text, None)]).await.unwrap();
                let [Appended::New(message)] = &outcome[..] else { panic!("{outcome:?}") };
                assert_eq!(message.text.as_ref().unwrap().as_str(), text);
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(ids(&store, 0).await.0, (1..=900).collect::<Vec<_>>());
}

/// Returns the ids of what `query` finds in the lobby within `time`, and whether that may not be
/// all.
async fn found(store: &Store, query: &str, time: Duration) -> Result<(Vec<u64>, bool), StoreError> {
    let found = store.search_within(time, &RoomName::lobby(), query, 100).await?;
    Ok((found.messages.iter().map(|message| message.id.0).collect(), found.is_incomplete))
}

#[tokio::test]
async fn a_search_ends_with_its_time_and_says_so() {
    let store = in_memory(Keep::default());
    let drafts: Vec<_> = (0..2000).map(|_| draft("lobby", "tea", None)).collect();
    store.append(drafts).await.unwrap();
    // None of them is indexed, and then all are.
    for _ in 0..2 {
        let (ids, is_incomplete) = found(&store, "te", Duration::ZERO).await.unwrap();
        assert!(is_incomplete && ids.len() < 100, "{ids:?}");
        assert_eq!(found(&store, "te", LONG).await.unwrap().0.len(), 100, "the next has its own time");
        store.maintain().await.unwrap();
    }
    assert_eq!(found(&store, "coffee", LONG).await, Ok((vec![], false)));
    // So few that SQLite does not look at the clock.
    store.append((0..10).map(|_| draft("lobby", &"x".repeat(16_000), None)).collect()).await.unwrap();
    assert_eq!(found(&store, "xx", Duration::ZERO).await, Ok((vec![], true)));
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_ends_and_so_does_one_in_a_log_that_closes() {
    let store = in_memory(Keep::default());
    store.append((0..2000).map(|_| draft("lobby", "tea", None)).collect()).await.unwrap();
    let Store::Sqlite(sqlite) = &store else { panic!() };
    // The thread is held until the search waits for it and the log closes.
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let job: Job = Box::new(move |_| _ = may_go.recv());
    sqlite.sender(|senders| &senders.searches).unwrap().send(job).await.unwrap();
    let closing = async {
        // After the search was asked, as these are polled in their order.
        drop(sqlite.lock().take());
        drop(go);
        store.close().await;
    };
    let (searched, ()) = tokio::join!(found(&store, "nothing", LONG), closing);
    assert_eq!(searched, Err(StoreError::Closed));
}

#[tokio::test]
async fn a_search_that_panics_is_not_the_last() {
    let store = in_memory(Keep::default());
    say(&store, "tea").await.unwrap();
    let Store::Sqlite(sqlite) = &store else { panic!() };
    let job: Job = Box::new(|_| panic!("on purpose"));
    sqlite.sender(|senders| &senders.searches).unwrap().send(job).await.unwrap();
    assert_eq!(found(&store, "tea", LONG).await, Ok((vec![1], false)));
}

/// Ways in which the index for searches may be damaged.
const DAMAGES: [&str; 6] = [
    "UPDATE search_data SET block = CAST(replace(hex(zeroblob(length(block) / 2 + 1)), '00', 'xy') AS BLOB)",
    "UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10",
    "DELETE FROM search_data WHERE id > 10",
    "DROP TABLE search_docsize",
    "DROP TABLE search",
    PAGE,
];

/// The first page of one of its tables is no page any more.
const PAGE: &str = "SELECT 1";

/// Makes a file with three messages and a damaged index.
async fn damaged(path: &Path, damage: &str) {
    let store = open(path);
    for text in ["tea", "coffee", "teas"] {
        say(&store, text).await.unwrap();
    }
    store.maintain().await.unwrap();
    store.close().await;
    let connection = Connection::open(path).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'search_data'";
    let page: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
    let page = page as usize;
    connection.execute_batch(damage).unwrap();
    drop(connection);
    if damage == PAGE {
        let mut bytes = fs::read(path).unwrap();
        bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_index_is_made_anew_and_meanwhile_it_is_said() {
    for damage in DAMAGES {
        let (_directory, path) = place();
        damaged(&path, damage).await;
        let store = open(&path);
        let first = found(&store, "te", LONG).await;
        if !damage.contains("docsize") {
            assert!(matches!(first, Err(StoreError::Damaged(_))), "{damage}: {first:?}");
        }
        store.maintain().await.unwrap();
        assert_eq!(found(&store, "te", LONG).await, Ok((vec![3, 1], false)), "{damage}");
        let indexed = path.clone();
        store.close().await;
        let connection = Connection::open(&indexed).unwrap();
        connection.execute_batch("INSERT INTO search (search) VALUES ('integrity-check')").unwrap();
    }
}

#[tokio::test]
async fn a_damaged_index_keeps_nothing_from_being_deleted() {
    for damage in DAMAGES {
        let (_directory, path) = place();
        damaged(&path, damage).await;
        let store = open(&path);
        let Store::Sqlite(sqlite) = &store else { panic!() };
        sqlite.maintain_as(Keep { age: None, messages: Some(1) }, Timestamp(1_000_000)).await.unwrap();
        assert_eq!(store.count().await, Ok(1), "{damage}");
        assert!(ids(&store, 0).await.1);
        // Whether or not to delete was to look at what is damaged: who searches does.
        drop(found(&store, "te", LONG).await);
        store.maintain().await.unwrap();
        assert_eq!(found(&store, "te", LONG).await, Ok((vec![3], false)), "{damage}");
    }
}

#[tokio::test]
async fn a_log_that_was_put_back_knows_how_far_it_is_what_it_was() {
    let (directory, path) = place();
    let store = open(&path);
    let seen = |store: &Store, after| Known { epoch: Some(store.epoch()), run: Some(store.runs().present()), after };
    for text in ["1", "2"] {
        say(&store, text).await.unwrap();
    }
    store.close().await;
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();

    let store = open(&path);
    for text in ["3", "4"] {
        say(&store, text).await.unwrap();
    }
    let (gone, first) = (seen(&store, Some(MessageId(4))), store.runs());
    store.close().await;
    fs::copy(&copy, &path).unwrap();

    let store = open(&path);
    for number in 3..=9 {
        assert_eq!(say(&store, "other").await, Ok(number), "ids are given again");
    }
    let last = store.last().unwrap();
    assert_eq!(store.runs().shared(gone, last), Some(MessageId(0)), "nobody here knows that run");
    let before = Known { run: first.earlier(0), ..gone };
    assert_eq!(store.runs().shared(before, last), Some(MessageId(2)), "the histories part there");
    assert_eq!(store.runs().shared(Known { after: Some(MessageId(2)), ..before }, last), None);
    let present = seen(&store, Some(last));
    store.close().await;
    let store = open(&path);
    assert_eq!(store.runs().shared(present, last), None, "a restart is no other history");
}

#[tokio::test]
async fn of_a_log_that_was_cut_every_earlier_run_has_what_is_left_in_common() {
    let (_directory, path) = place();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let store = open(&path);
        for _ in 0..5 {
            say(&store, "x").await.unwrap();
        }
        runs.push(store.runs().present());
        store.close().await;
    }
    Connection::open(&path).unwrap().execute("DELETE FROM messages WHERE id > 3", []).unwrap();
    let store = open(&path);
    for number in 4..=9 {
        assert_eq!(say(&store, "other").await, Ok(number));
    }
    let last = store.last().unwrap();
    for (run, after, shared) in [(0, 3, None), (0, 5, Some(3)), (1, 8, Some(3)), (1, 3, None)] {
        let known = Known { epoch: Some(store.epoch()), run: Some(runs[run]), after: Some(MessageId(after)) };
        assert_eq!(store.runs().shared(known, last), shared.map(MessageId), "{run} {after}");
    }
}

/// Fills pages of a table or an index with what is no page: so many of its leaves, in parts of 100.
fn spoil(path: &Path, of: &str, parts: std::ops::Range<usize>) {
    let connection = Connection::open(path).unwrap();
    let root: u32 =
        connection.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [of], |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = fs::read(path).unwrap();
    let root = &bytes[(root as usize - 1) * 4096..][..4096];
    // The root is an interior page (file format, 1.6): cells with a child each, in an array after
    // the header of 12 bytes.
    assert!([2, 5].contains(&root[0]));
    let number = |at: usize| usize::from(root[at]) << 8 | usize::from(root[at + 1]);
    let cells = (0..number(3)).map(|cell| number(12 + 2 * cell));
    let children: Vec<_> = cells.map(|cell| number(cell) << 16 | number(cell + 2)).collect();
    for child in &children[children.len() * parts.start / 100..children.len() * parts.end / 100] {
        bytes[(child - 1) * 4096..child * 4096].fill(0xa5);
    }
    fs::write(path, bytes).unwrap();
}

/// Returns the ids of the lobby by one page after the other, and whether there was a gap.
async fn all(store: &Store) -> (Vec<u64>, bool) {
    let (mut all, mut gap) = (Vec::new(), false);
    loop {
        let page = store.page(&RoomName::lobby(), MessageId(all.last().copied().unwrap_or(0)), 40).await.unwrap();
        all.extend(page.messages.iter().map(|message| message.id.0));
        gap |= page.gap;
        if !page.more {
            return (all, gap);
        }
    }
}

/// Returns the same, read backwards, a few at a time.
async fn all_backwards(store: &Store) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    loop {
        let before = all.first().map(|id| MessageId(*id));
        let is_before = |id: MessageId| before.is_none_or(|before| id < before);
        let mut cursor = store.cursor(&RoomName::lobby(), before, 7).await.unwrap();
        let mut more = Vec::new();
        loop {
            let page = store.page(&RoomName::lobby(), cursor, 7).await.unwrap();
            let ids = page.messages.iter().map(|message| message.id);
            more.extend(ids.filter(|id| is_before(*id)).map(|id| id.0));
            match page.messages.last() {
                Some(last) if page.more && is_before(last.id) => cursor = last.id,
                _ => break,
            }
        }
        if more.is_empty() {
            return all;
        }
        all.splice(0..0, more);
    }
}

#[tokio::test]
async fn what_cannot_be_read_keeps_nobody_from_the_rest() {
    let (directory, path) = place();
    let store = open(&path);
    let said = |number: u64| {
        let room = if number.is_multiple_of(5) { "b" } else { "lobby" };
        Draft { at: Timestamp(number), ..draft(room, &format!("tea {number} {}", "x".repeat(100)), None) }
    };
    store.append((1..=3000).map(said).collect()).await.unwrap();
    store.close().await;
    let whole: Vec<_> = (1..=3000).filter(|id| id % 5 != 0).collect();
    for (number, of, parts) in [
        (0, "messages", 50..50),
        (1, "messages", 0..10),
        (2, "messages", 50..60),
        (3, "messages", 90..100),
        (4, "messages", 2..98),
    ] {
        let copy = directory.path().join(format!("{number}.db"));
        fs::copy(&path, &copy).unwrap();
        spoil(&copy, of, parts.clone());
        let store = open(&copy);
        let ((read, gap), lost) = (all(&store).await, !parts.is_empty());
        assert!(read.is_sorted_by(|a, b| a < b) && read.iter().all(|id| whole.contains(id)));
        assert_eq!((gap, read == whole), (lost, !lost), "{of} {parts:?}");
        let part = whole.len() * parts.len() / 100;
        assert!(read.len() + part + part / 5 + 100 >= whole.len(), "{of} {parts:?}: {} were read", read.len());
        if of == "messages" {
            assert_eq!(all_backwards(&store).await, read, "{parts:?}");
        }
        // None is indexed yet, and then all that can be.
        for is_indexed in [false, true] {
            let found = store.search_within(LONG, &RoomName::lobby(), "tea", 1000).await.unwrap();
            if of == "messages" {
                let ids: Vec<_> = found.messages.iter().map(|message| message.id.0).collect();
                let wanted: Vec<_> = read.iter().rev().take(1000).copied().collect();
                let differs = ids.iter().zip(&wanted).find(|(a, b)| a != b);
                assert!(ids == wanted, "{parts:?} {is_indexed} {differs:?}");
            }
            store.maintain().await.unwrap();
        }
        for at in [0, 1, 299, 1500, 1700, 2900, 3000] {
            let since = store.since(&RoomName::lobby(), Timestamp(at)).await.unwrap();
            let (next, wanted) = (|id: &&u64| **id > since.0, |id: &&u64| **id >= at);
            assert_eq!(read.iter().find(next), read.iter().find(wanted), "{of} {parts:?} {at}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_damaged_index_of_rooms_is_made_anew() {
    for damage in 0..3 {
        let (_directory, path) = place();
        let store = open(&path);
        store.append((1..=3000).map(|id| draft("lobby", &format!("tea {id}"), None)).collect()).await.unwrap();
        store.close().await;
        let root = || {
            let connection = Connection::open(&path).unwrap();
            let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_by_room'";
            connection.query_row(root, [], |row| row.get::<_, u32>(0)).unwrap()
        };
        match damage {
            0 => spoil(&path, "messages_by_room", 50..90),
            1 => {
                let (page, mut bytes) = (root() as usize, fs::read(&path).unwrap());
                bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
                fs::write(&path, bytes).unwrap();
            }
            _ => spoil(&path, "messages", 50..60),
        }
        let before = root();
        let store = open(&path);
        let lobby = RoomName::lobby();
        drop(store.page(&lobby, MessageId(0), 3000).await);
        drop(store.cursor(&lobby, None, 3000).await);
        // What the writer was asked is done before this.
        to_writer(&store, |_| {}).await;
        let (read, gap) = all(&store).await;
        assert_eq!((read.len() == 3000, gap), (damage < 2, damage == 2), "{damage}");
        store.append(vec![draft("lobby", "more", None)]).await.unwrap();
        assert_eq!(all(&store).await.0.last(), Some(&3001));
        store.close().await;
        assert_eq!(root() != before, damage < 2, "{damage}: it is left as it is where the messages are damaged");
        let connection = Connection::open(&path).unwrap();
        if damage < 2 {
            let sound = "SELECT * FROM pragma_integrity_check WHERE integrity_check NOT LIKE '%never used%'";
            let found: String = connection.query_row(sound, [], |row| row.get(0)).unwrap_or_default();
            assert!(found.is_empty() || found == "ok", "{found}");
        }
    }
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_file_is_saved() {
    let (directory, path) = place();
    let store = open(&path);
    let (epoch, run) = (store.epoch(), store.runs().present());
    let topic = Draft { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), ..draft("lobby", "x", None) };
    store.append(vec![topic]).await.unwrap();
    for number in 2..=80 {
        let said = draft("lobby", &format!("{number} {}", "x".repeat(1000)), Some(&number.to_string()));
        store.append(vec![said]).await.unwrap();
    }
    store.close().await;
    let saved = |number: usize| directory.path().join(format!("saved-{number}.db"));
    assert_eq!(Store::salvage(&path, &saved(0)), Ok(Salvaged { messages: 80, holes: 0 }));
    assert!(matches!(Store::salvage(&path, &saved(0)), Err(OpenError::Create { .. })), "nothing is written over");
    assert_eq!(open(&saved(0)).topic(&RoomName::lobby()).await, Ok(Some(tea_by_ada())));

    let whole = fs::read(&path).unwrap();
    let (mut most_lost, mut has_hole) = (0, false);
    for page in 1..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let Ok(salvaged) = Store::salvage(&path, &saved(page)) else { continue };
        let store = open(&saved(page));
        assert_eq!(store.count().await.unwrap() > 0, salvaged.messages > 0);
        if salvaged.messages == 0 {
            // The root of the messages, or what says where it is.
            continue;
        }
        most_lost = most_lost.max(80 - salvaged.messages);
        has_hole |= salvaged.holes > 0;
        let known = Known { epoch: Some(epoch), run: Some(run), after: Some(MessageId(1)) };
        if store.epoch() == epoch && store.runs().shared(known, store.last().unwrap()).is_none() {
            let again = store.append(vec![draft("lobby", "x", Some("80"))]).await.unwrap();
            assert!(matches!(&again[..], [Appended::Duplicate(message)] if message.id.0 == 80) || salvaged.holes > 0);
        }
        assert!(store.last().unwrap().0 >= salvaged.messages);
        store.close().await;
    }
    assert!(has_hole && most_lost < 20, "one page of messages costs what is on it, and no more: {most_lost}");
}

/// Fills a new log with so many messages of 1000 bytes, half of them in an earlier run, and returns
/// what a client knows that came in then and has seen those.
async fn fill(path: &Path, count: u64) -> Known {
    let mut known = Known { after: Some(MessageId(count / 2)), ..Known::default() };
    for half in [1..=count / 2, count / 2 + 1..=count] {
        let store = open(path);
        known.epoch = Some(store.epoch());
        known.run = known.run.or(Some(store.runs().present()));
        let said = |number| draft("lobby", &format!("{number} {}", "x".repeat(1000)), None);
        store.append(half.map(said).collect()).await.unwrap();
        store.close().await;
    }
    known
}

/// Returns the ids of the messages in a file that was saved, each of which must be whole.
fn saved_ids(path: &Path) -> Vec<i64> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT id, text FROM messages ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let whole = |(id, text): (i64, String)| {
        assert_eq!(text, format!("{id} {}", "x".repeat(1000)));
        id
    };
    rows.map(Result::unwrap).map(whole).collect()
}

#[tokio::test]
async fn what_is_left_of_a_file_that_was_cut_short_is_saved() {
    let (directory, path) = place();
    let known = fill(&path, 300).await;
    let whole = fs::read(&path).unwrap();
    let mut before = 0;
    for tenth in [1, 4, 6, 9] {
        let pages = whole.len() / 4096 * usize::try_from(tenth).unwrap() / 10;
        for bytes in [pages * 4096, pages * 4096 + 1777, pages * 4096 + 3777] {
            fs::write(&path, &whole[..bytes]).unwrap();
            let saved = directory.path().join(format!("{bytes}.db"));
            let Salvaged { messages, holes } = Store::salvage(&path, &saved).unwrap();
            assert!(messages >= before && holes > 0, "{bytes}: {messages}");
            assert!(messages * 10 >= 300 * (tenth - 1), "{bytes} of {}: {messages}", whole.len());
            assert_eq!(saved_ids(&saved).len() as u64, messages);
            assert_eq!(fs::read(&path).unwrap(), whole[..bytes], "the damaged one stays as it is");
            before = messages;
            let store = open(&saved);
            let last = store.last().unwrap();
            assert_eq!(store.runs().shared(known, last).is_some(), last < MessageId(150), "ids are given again");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn messages_are_saved_whatever_else_is_gone() {
    let (directory, path) = place();
    fill(&path, 80).await;
    let whole = fs::read(&path).unwrap();
    let roots: Vec<(String, u32)> = {
        let connection = Connection::open(&path).unwrap();
        let mut roots = connection
            .prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0 AND name != 'messages'")
            .unwrap();
        let roots = roots.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        roots.unwrap().map(Result::unwrap).collect()
    };
    assert!(roots.len() > 8, "{roots:?}");
    for (name, page) in roots {
        for is_past_the_end in [false, true] {
            fs::write(&path, &whole).unwrap();
            if is_past_the_end {
                let connection = Connection::open(&path).unwrap();
                connection
                    .execute_batch(&format!(
                        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999 WHERE name = '{name}'"
                    ))
                    .unwrap();
            } else {
                let mut bytes = whole.clone();
                bytes.chunks_mut(4096).nth(page as usize - 1).unwrap().fill(0);
                fs::write(&path, bytes).unwrap();
            }
            let saved = directory.path().join(format!("{name}-{is_past_the_end}.db"));
            assert_eq!(Store::salvage(&path, &saved), Ok(Salvaged { messages: 80, holes: 0 }), "{name}");
            assert_eq!(saved_ids(&saved).len(), 80);
            open(&saved).close().await;
        }
    }
}

#[tokio::test]
async fn a_page_between_many_that_are_gone_is_saved() {
    let (directory, path) = place();
    fill(&path, 300).await;
    let whole = fs::read(&path).unwrap();
    let is_leaf =
        |page: &[u8]| page[0] == 0x0d && page.windows(500).any(|bytes| bytes.iter().all(|byte| *byte == b'x'));
    let leaves: Vec<_> = (0..whole.len() / 4096).filter(|page| is_leaf(&whole[page * 4096..][..4096])).collect();
    assert!(leaves.len() > 80, "{leaves:?}");
    for kept in leaves.iter().step_by(12) {
        let mut bytes = whole.clone();
        for page in leaves.iter().filter(|page| *page != kept) {
            bytes[page * 4096..][..4096].fill(0);
        }
        fs::write(&path, bytes).unwrap();
        let saved = directory.path().join(format!("{kept}.db"));
        let Salvaged { messages, .. } = Store::salvage(&path, &saved).unwrap();
        assert_eq!(saved_ids(&saved).len() as u64, messages);
        assert!((2..10).contains(&messages), "{kept}: {messages}");
    }
}

#[tokio::test]
async fn what_could_not_be_saved_does_not_count_as_kept() {
    let (directory, path) = place();
    fill(&path, 300).await;
    let mut bytes = fs::read(&path).unwrap();
    let third = bytes.len() / 4096 / 3 * 4096;
    bytes[third..third + 3 * 4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let saved = directory.path().join("saved.db");
    let Salvaged { messages, .. } = Store::salvage(&path, &saved).unwrap();
    assert!(messages < 300 && saved_ids(&saved).last() == Some(&300), "{messages}");
    for keep in [messages + 1, messages, messages - 9, 1] {
        let stored = saved_ids(&saved).len() as u64;
        let store = Store::open(&saved, Keep { age: None, messages: Some(keep) }).unwrap();
        store.maintain().await.unwrap();
        let kept = keep.min(stored);
        assert_eq!((store.count().await, saved_ids(&saved).len() as u64), (Ok(kept), kept));
        say(&store, "more").await.unwrap();
        store.maintain().await.unwrap();
        assert_eq!(store.count().await, Ok(keep.min(kept + 1)));
        store.close().await;
        Connection::open(&saved).unwrap().execute("DELETE FROM messages WHERE text = 'more'", []).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_a_server_has_open_is_not_salvaged() {
    let (directory, path) = place();
    let store = open(&path);
    say(&store, "1").await.unwrap();
    let saved = directory.path().join("saved.db");
    assert!(matches!(Store::salvage(&path, &saved), Err(OpenError::InUse(_))));
    assert!(!saved.exists());
    store.close().await;
    assert_eq!(Store::salvage(&path, &saved), Ok(Salvaged { messages: 1, holes: 0 }));
}

#[tokio::test]
async fn seats_are_kept_for_the_next_start_whatever_the_rules_are_then() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.db");
    let lobby = RoomName::lobby();
    let change = |author: u8, nick: Option<&str>| MembershipChange {
        author: Hex([author; 16]),
        room: lobby.clone(),
        who: nick.map(|nick| (Nick::new(nick).unwrap(), PersonId(u64::from(author) << 32))),
    };
    let store = Store::open(&path, Keep::default()).unwrap();
    assert_eq!((store.runs().before(), store.memberships().await.unwrap()), (0, vec![]));
    store.keep_memberships(vec![change(1, Some("ada")), change(2, Some("bob")), change(3, Some("eve"))]).await.unwrap();
    store.keep_memberships(vec![change(1, Some("lovelace")), change(2, None)]).await.unwrap();
    store.close().await;
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE seats SET nick = 'e e', person = NULL WHERE nick = 'eve'", [])
        .unwrap();
    let store = Store::open(&path, Keep::default()).unwrap();
    let memberships: Vec<_> = store
        .memberships()
        .await
        .unwrap()
        .into_iter()
        .map(|member| (member.author, member.nick.to_string(), member.person))
        .collect();
    assert_eq!(
        (store.runs().before(), memberships),
        (
            1,
            vec![
                (Hex([1; 16]), "lovelace".to_owned(), Some(PersonId(1 << 32))),
                (Hex([3; 16]), "e\u{fffd}e".to_owned(), None)
            ]
        )
    );
    store.close().await;
}
