//! The tables of the log, and how a file of an earlier version gets those of this one.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{OpenError, Runs, StoreError, runs},
    read,
};
use crate::protocol::{Epoch, Hex, MessageId, Run};

/// Marks a file as ours (`PRAGMA application_id`): "bcht".
const APPLICATION: i64 = 0x6263_6874;

/// What makes a file of version n one of version n + 1 (`PRAGMA user_version`). Only ever added to.
const MIGRATIONS: [&[&str]; 5] = [
    // The index for searches has no content of its own and may be behind: `indexed` in `meta` says
    // up to which id. Its words are folded already, so that the tokenizer has only to part them at
    // spaces; one to three letters have indexes of their own, because so many words begin with
    // them.
    &["CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
     INSERT INTO meta VALUES ('indexed', 0);
     CREATE TABLE messages (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         room TEXT NOT NULL,
         at INTEGER NOT NULL,
         nick TEXT NOT NULL,
         kind TEXT NOT NULL,
         text TEXT,
         author BLOB NOT NULL,
         key TEXT
     ) STRICT;
     CREATE INDEX messages_by_room ON messages (room, id);
     CREATE UNIQUE INDEX messages_by_key ON messages (author, key) WHERE key IS NOT NULL;
     CREATE TABLE rooms (room TEXT PRIMARY KEY, topic TEXT, forgotten INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
     CREATE VIRTUAL TABLE search USING fts5(
         room, words, content='', contentless_delete=1, tokenize=\"ascii tokenchars '-_'\", prefix='1 2 3'
     );"],
    // Keys have a table that may be behind: `keyed` in `meta` says up to which id. Ids are given by
    // the thread that writes, which costs less than AUTOINCREMENT; that none comes back after its
    // message was deleted is known from `rooms`.
    &["CREATE TABLE keys (
         author BLOB NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (author, key)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO keys SELECT author, key, id FROM messages WHERE key IS NOT NULL ORDER BY author, key;
     INSERT INTO meta SELECT 'keyed', coalesce(max(id), 0) FROM messages;
     ALTER TABLE messages RENAME TO earlier;
     DROP INDEX messages_by_room;
     CREATE TABLE messages (
         id INTEGER PRIMARY KEY,
         room TEXT NOT NULL,
         at INTEGER NOT NULL,
         nick TEXT NOT NULL,
         kind TEXT NOT NULL,
         text TEXT,
         author BLOB NOT NULL,
         key TEXT
     ) STRICT;
     INSERT INTO messages SELECT id, room, at, nick, kind, text, author, key FROM earlier ORDER BY id;
     DROP TABLE earlier;
     CREATE INDEX messages_by_room ON messages (room, id);"],
    &[
        // Words in the index for searches bear a mark of their room.
        NEW_INDEX,
        // Each start of the server begins a run, and `first` is the first id that it may give.
        "CREATE TABLE runs (number INTEGER PRIMARY KEY, run BLOB NOT NULL, first INTEGER NOT NULL) STRICT;",
        // Who is where, for the next start.
        "CREATE TABLE seats (
             author BLOB NOT NULL, room TEXT NOT NULL, nick TEXT NOT NULL, person INTEGER, PRIMARY KEY (author, room)
         ) STRICT, WITHOUT ROWID;",
    ],
    // Who set the topic; of those that are set already, nobody knows.
    &["ALTER TABLE rooms ADD COLUMN topic_by TEXT;"],
    // Emoji are words in the index for searches, and `ß` is `ss`.
    &[NEW_INDEX],
];

/// Replaces the index for searches by an empty one, which is then fed as that of a new file is. Its
/// words begin with the mark of a room, of 8 characters (`words`); so many and one, two or three
/// more have indexes of their own.
pub(super) const NEW_INDEX: &str = "DROP TABLE IF EXISTS search;
     CREATE VIRTUAL TABLE search USING fts5(words, content='', contentless_delete=1, tokenize='ascii', prefix='9 10 11');
     UPDATE meta SET value = 0 WHERE name = 'indexed';";

/// Gives the database the tables of this version and returns its epoch, born here if the file is
/// new.
///
/// # Errors
/// An [`OpenError`] when the database is another program's or a newer version's, or cannot be read
/// or written.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<Epoch, OpenError> {
    let failed = |error| OpenError::of_sqlite(path, &error);
    let found = version(connection, path)?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(found) {
        let mut migrated = step(connection, number, migration, path);
        if matches!(migrated, Err(OpenError::Damaged { .. })) && number > 1 {
            // If it is the index, nothing is lost without it.
            forget_index(connection).map_err(failed)?;
            migrated = step(connection, number, migration, path);
        }
        migrated?;
    }
    let epoch: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    epoch
        .and_then(|epoch| epoch.parse().ok())
        .ok_or_else(|| OpenError::Damaged { path: path.to_path_buf(), reason: "it has no epoch".to_owned() })
}

fn step(connection: &mut Connection, number: i64, migration: &[&str], path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::of_sqlite(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for statements in migration {
        transaction.execute_batch(statements).map_err(failed)?;
    }
    if number == 1 {
        let epoch = Hex(random(path)?).to_string();
        transaction.execute("INSERT INTO meta VALUES ('epoch', ?1)", [epoch]).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    }
    transaction.pragma_update(None, "user_version", number).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Forgets the tables of an index for searches that is too damaged to be dropped. Its pages stay
/// unused.
pub(super) fn forget_index(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let pruned_up_to = connection.execute_batch(
        "DELETE FROM sqlite_schema WHERE tbl_name IN
         ('search', 'search_data', 'search_idx', 'search_content', 'search_docsize', 'search_config')",
    );
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    pruned_up_to
}

/// Makes the index of the messages of each room anew, whatever is left of the one before, whose
/// pages stay unused.
///
/// # Errors
/// When it cannot be made, such as where the messages themselves cannot be read. The one before is
/// still there then.
pub(super) fn renew_room_index(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let renewed = connection.execute_batch(
        "BEGIN IMMEDIATE;
         CREATE INDEX messages_by_room_anew ON messages (room, id);
         DELETE FROM sqlite_schema WHERE name = 'messages_by_room';
         UPDATE sqlite_schema SET name = 'messages_by_room', sql = 'CREATE INDEX messages_by_room ON messages (room, id)'
         WHERE name = 'messages_by_room_anew';
         COMMIT",
    );
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    renewed
}

/// Begins a run of the history `epoch` and returns all that are remembered. It is on disk when this
/// returns.
///
/// # Errors
/// An [`OpenError`] when the database cannot be read or written.
pub(super) fn begin_run(connection: &mut Connection, epoch: Epoch, path: &Path) -> Result<Runs, OpenError> {
    let run = Hex(random(path)?);
    store_run(connection, epoch, run).map_err(|error| match error {
        StoreError::Full => OpenError::NoSpace(path.to_path_buf()),
        error => OpenError::Damaged { path: path.to_path_buf(), reason: error.to_string() },
    })
}

fn store_run(connection: &mut Connection, epoch: Epoch, run: Run) -> Result<Runs, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let first = MessageId(read::last(&transaction)?.0.saturating_add(1));
    let earlier = transaction
        .prepare("SELECT run, first FROM runs ORDER BY number DESC LIMIT ?1")?
        .query_map([runs::MOST - 1], |row| {
            // What cannot be a run is nobody's.
            let run = row.get(0).unwrap_or_default();
            Ok((Hex(run), MessageId(read::number(row.get(1)?))))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.execute("INSERT INTO runs (run, first) VALUES (?1, ?2)", params![run.0, read::integer(first.0)])?;
    let number = read::number(transaction.last_insert_rowid());
    transaction.execute("DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?1", [runs::MOST])?;
    transaction.commit()?;
    Ok(Runs::new(epoch, earlier.into_iter().rev().collect(), (run, first), number))
}

/// Returns bytes that no other log has.
fn random(path: &Path) -> Result<[u8; 8], OpenError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| OpenError::Open { path: path.to_path_buf(), reason: error.to_string() })?;
    Ok(bytes)
}

/// Returns how many migrations the database has had. Writes nothing.
///
/// # Errors
/// An [`OpenError`] when it is another program's or a newer version's, or cannot be read.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let read = || {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (application, found, tables) = read().map_err(|error| OpenError::of_sqlite(path, &error))?;
    let known = MIGRATIONS.len();
    match usize::try_from(found) {
        Ok(0) if tables == 0 && application == 0 => Ok(0),
        Ok(version) if application == APPLICATION && (1..=known).contains(&version) => Ok(version),
        Ok(version) if application == APPLICATION && version > known => {
            let known = i64::try_from(known).unwrap_or(i64::MAX);
            Err(OpenError::Newer { path: path.to_path_buf(), found, known })
        }
        _ => Err(OpenError::Foreign(path.to_path_buf())),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::Known, *};

    #[test]
    fn the_newest_runs_are_remembered() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("chat.db");
        let epoch = migrate(&mut connection, path).unwrap();
        let first = begin_run(&mut connection, epoch, path).unwrap().present();
        let second = begin_run(&mut connection, epoch, path).unwrap().present();
        assert_ne!(first, second);
        let knows = |runs: &Runs, run| {
            let known = Known { run: Some(run), ..Known::default() };
            runs.shared(known, MessageId(0)) == Some(MessageId(7))
        };
        connection
            .execute_batch(
                "INSERT INTO rooms (room, forgotten) VALUES ('lobby', 7); UPDATE runs SET first = 8 WHERE number = 2",
            )
            .unwrap();
        let runs = begin_run(&mut connection, epoch, path).unwrap();
        assert!(knows(&runs, first) && knows(&runs, second), "their ids end where the next begins");
        connection.execute("UPDATE runs SET number = number + ?1 WHERE number > 1", [runs::MOST - 3]).unwrap();
        assert!(knows(&begin_run(&mut connection, epoch, path).unwrap(), first));
        let runs = begin_run(&mut connection, epoch, path).unwrap();
        assert!(!knows(&runs, first) && knows(&runs, second));
        let count: i64 = connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 4);
    }

    #[test]
    fn a_file_of_the_first_version_keeps_its_messages_its_keys_and_its_last_id() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(&format!(
                "{} INSERT INTO meta VALUES ('epoch', '0102030405060708');
                 PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1;
                 INSERT INTO messages (room, at, nick, kind, text, author, key)
                 VALUES ('lobby', 1, 'ada', 'say', 'hi', x'01', 'b'), ('rust', 2, 'bob', 'say', 'ho', x'02', NULL),
                        ('rust', 3, 'bob', 'topic', NULL, x'02', 'a');
                 INSERT INTO rooms (room, forgotten) VALUES ('rust', 3);
                 UPDATE meta SET value = 3 WHERE name = 'indexed';
                 DELETE FROM messages WHERE id = 3;",
                MIGRATIONS[0].concat()
            ))
            .unwrap();
        let epoch = migrate(&mut connection, Path::new("chat.db")).unwrap();
        assert_eq!(epoch, Hex([1, 2, 3, 4, 5, 6, 7, 8]));
        let all = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(
            all("SELECT concat_ws(' ', id, room, at, nick, kind, text, hex(author), key) FROM messages ORDER BY id"),
            ["1 lobby 1 ada say hi 01 b", "2 rust 2 bob say ho 02"]
        );
        assert_eq!(all("SELECT concat_ws(' ', hex(author), key, id) FROM keys"), ["01 b 1"]);
        assert_eq!(all("SELECT value || '' FROM meta WHERE name = 'keyed'"), ["2"]);
        assert_eq!(all("SELECT value || '' FROM meta WHERE name = 'indexed'"), ["0"], "its index is made anew");
        assert_eq!(super::super::read::last(&connection).unwrap().0, 3);
        assert_eq!(all("PRAGMA integrity_check"), ["ok"]);
        assert_eq!(version(&connection, Path::new("chat.db")).unwrap(), MIGRATIONS.len());
        // All tables are those of a new file.
        let tables = |connection: &Connection| -> Vec<String> {
            let mut statement =
                connection.prepare("SELECT name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut new = Connection::open_in_memory().unwrap();
        migrate(&mut new, Path::new("chat.db")).unwrap();
        assert_eq!(tables(&connection), tables(&new));
    }

    #[test]
    fn a_file_of_an_earlier_version_whose_index_is_damaged_gets_a_new_one() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("chat.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&MIGRATIONS[..2].concat().concat()).unwrap();
        connection
            .execute_batch(&format!(
                "INSERT INTO meta VALUES ('epoch', '0102030405060708');
                 PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 2;
                 INSERT INTO search (rowid, room, words) VALUES (1, 'lobby', 'tea');"
            ))
            .unwrap();
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'search_data'";
        let page: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
        drop(connection);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.chunks_mut(4096).nth(page as usize - 1).unwrap().fill(0xa5);
        std::fs::write(&path, bytes).unwrap();

        let mut connection = Connection::open(&path).unwrap();
        assert_eq!(migrate(&mut connection, &path), Ok(Hex([1, 2, 3, 4, 5, 6, 7, 8])));
        connection.execute_batch("INSERT INTO search (rowid, words) VALUES (1, 'tea')").unwrap();
    }
}
