//! Which keys were used, so that what is said twice counts once. Keys come in no order, and each is
//! at another place of their table: so the newest are kept in memory until there are many, and go
//! into the table sorted, when those of one author are side by side.
//!
//! Nothing of this is lost by a crash: a key is stored with its message, and those that the table
//! may lack are read from there.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::StoreError,
    holes::{complain, is_unreadable, skip},
    read,
};
use crate::protocol::{Author, Hex, IdempotencyKey};

/// Keys that are in memory, past which they go into the table even while others wait: some 3 MB.
const MOST: usize = 30_000;
/// Messages without a key after which the table is told that it lacks none of theirs: as many are
/// looked at when the log is opened.
const UNTOLD: i64 = 100_000;
/// Keys that go into the table in one step: some 2 ms.
const STEP: usize = 500;

/// The messages with a key from an id on.
const LACKING: &str = "SELECT id, author, key FROM messages WHERE id >= ?1 AND key IS NOT NULL ORDER BY id";

type Unique = (Author, IdempotencyKey);

/// What the thread that writes knows of keys. The ids are those of the messages that were sent
/// under them.
#[derive(Debug, Default)]
pub(super) struct Keys {
    newest: BTreeMap<Unique, i64>,
    /// Those that are on their way into the table, the first first.
    leaving: BTreeMap<Unique, i64>,
    /// The table has the keys of all messages up to here.
    keyed: i64,
    /// And up to here, once `leaving` is empty.
    left: i64,
}

impl Keys {
    /// Returns the keys of the database.
    ///
    /// # Errors
    /// A [`StoreError`] when they cannot be read.
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let keyed = connection.query_row("SELECT value FROM meta WHERE name = 'keyed'", [], |row| row.get(0))?;
        let mut keys = Self { keyed, ..Self::default() };
        let mut from = keyed.saturating_add(1);
        while let Err(error) = keys.read(connection, &mut from) {
            if !is_unreadable(&error) {
                return Err(error);
            }
            complain(&error);
            let next = skip(i64::MAX - from, |by| first_lacking(connection, from + by))?;
            let Some(next) = next else { break };
            from = next;
        }
        Ok(keys)
    }

    /// Reads the keys of the messages from an id on, which is then past the last that could be
    /// read.
    fn read(&mut self, connection: &Connection, from: &mut i64) -> Result<(), StoreError> {
        let mut lacking = connection.prepare(LACKING)?;
        let mut rows = lacking.query([*from])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            *from = id.saturating_add(1);
            // What somebody has changed by hand is no key of anybody, and no reason not to start.
            let key = read::text(row, 2)?.and_then(|key| IdempotencyKey::new(&key).ok());
            if let (Ok(author), Some(key)) = (row.get(1), key) {
                self.newest.insert((Hex(author), key), id);
            }
        }
        Ok(())
    }

    /// Returns which message was sent under a key.
    ///
    /// # Errors
    /// A [`StoreError`] when the table cannot be read.
    pub(super) fn find(&self, connection: &Connection, unique: &Unique) -> Result<Option<i64>, StoreError> {
        if let Some(id) = self.newest.get(unique).or_else(|| self.leaving.get(unique)) {
            return Ok(Some(*id));
        }
        let mut table = connection.prepare_cached("SELECT id FROM keys WHERE author = ?1 AND key = ?2")?;
        Ok(table.query_row(params![unique.0.0, unique.1.as_str()], |row| row.get(0)).optional()?)
    }

    /// Notes under which key a message was sent.
    pub(super) fn note(&mut self, unique: Unique, id: i64) {
        self.newest.insert(unique, id);
    }

    /// Forgets what was noted of messages after `last`, which were not stored after all.
    pub(super) fn take_back(&mut self, last: i64) {
        self.newest.retain(|_, id| *id <= last);
    }

    /// Forgets the keys of messages up to `id`, which were deleted together with what the table had
    /// of them.
    pub(super) fn delete(&mut self, id: i64) {
        // The oldest go first, and theirs have mostly left.
        if id > self.keyed {
            for keys in [&mut self.newest, &mut self.leaving] {
                keys.retain(|_, of| *of > id);
            }
        }
    }

    /// Returns whether the table should be fed even while others wait; `last` is the last message.
    pub(super) fn press(&self, last: i64) -> bool {
        self.newest.len() + self.leaving.len() > MOST || last - self.keyed > UNTOLD
    }

    /// Returns whether the table may lack keys.
    pub(super) fn lacks(&self, last: i64) -> bool {
        self.keyed < last
    }

    /// Puts the next keys into the table, when all messages up to `last` are noted. A crash between
    /// two steps leaves some in the table that are read again as lacking, which does no harm.
    ///
    /// # Errors
    /// A [`StoreError`] when the table cannot be written; they are still to come then.
    pub(super) fn feed(&mut self, connection: &mut Connection, last: i64) -> Result<(), StoreError> {
        if self.leaving.is_empty() {
            self.leaving = std::mem::take(&mut self.newest);
            self.left = last;
        }
        let rest = self.leaving.keys().nth(STEP).cloned();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO keys (author, key, id) VALUES (?1, ?2, ?3)")?;
            for ((author, key), id) in self.leaving.iter().take(STEP) {
                insert.execute(params![author.0, key.as_str(), id])?;
            }
        }
        if rest.is_none() {
            transaction.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'keyed'")?.execute([self.left])?;
        }
        transaction.commit()?;
        self.leaving = rest.map(|next| self.leaving.split_off(&next)).unwrap_or_default();
        if self.leaving.is_empty() {
            self.keyed = self.left;
        }
        Ok(())
    }
}

/// Returns the first message with a key from an id on.
fn first_lacking(connection: &Connection, from: i64) -> Result<Option<i64>, StoreError> {
    Ok(connection.prepare_cached(LACKING)?.query_row([from], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{append, db_location::DbLocation, maintenance, schema},
        *,
    };
    use crate::{
        protocol::Timestamp,
        store::{Appended, Keep, conformance::draft},
    };

    /// What the writer has, without its thread.
    struct Writer {
        connection: Connection,
        keys: Keys,
        last: i64,
    }

    impl Writer {
        fn new() -> Self {
            let place = DbLocation::in_memory();
            let mut connection = place.writer().unwrap();
            schema::migrate(&mut connection, place.path()).unwrap();
            let keys = Keys::load(&connection).unwrap();
            Self { connection, keys, last: 0 }
        }

        /// Says something under each key, and returns the ids that it got or had already, those as
        /// negative numbers.
        fn say(&mut self, keys: impl Iterator<Item = usize>) -> Vec<i64> {
            let drafts = keys.map(|key| draft("lobby", "hi", Some(&key.to_string()))).collect();
            let outcomes = append::append(&mut self.connection, &mut self.keys, self.last, vec![drafts]).unwrap();
            let id = |id: u64| i64::try_from(id).unwrap();
            let ids = outcomes.iter().flatten().map(|outcome| match outcome {
                Appended::New(message) => {
                    self.last = id(message.id.0);
                    self.last
                }
                Appended::Duplicate(message) => -id(message.id.0),
            });
            ids.collect()
        }

        fn feed(&mut self) {
            self.keys.feed(&mut self.connection, self.last).unwrap();
        }

        fn in_table(&self) -> i64 {
            self.connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap()
        }
    }

    #[test]
    fn a_key_counts_once_wherever_it_is_on_its_way() {
        let step = i64::try_from(STEP).unwrap();
        let mut writer = Writer::new();
        writer.say(0..=STEP);
        let last = step + 1;
        writer.feed();
        assert_eq!((writer.in_table(), writer.keys.leaving.len()), (step, 1), "a step is bounded");
        assert_eq!(writer.say([STEP + 1].into_iter()), [last + 1], "the newest");
        let again: Vec<_> = (1..=last + 1).map(|id| -id).collect();
        for _ in 0..3 {
            assert_eq!(writer.say(0..STEP + 2), again);
            writer.feed();
        }
        assert_eq!((writer.in_table(), writer.keys.lacks(writer.last)), (last + 1, false));
        // A crash leaves what the tables have: all of it, or not the last key, or the first of two
        // steps, or none.
        for (keyed, in_table) in [(last + 1, last + 1), (last, last), (0, step), (0, 0)] {
            writer.connection.execute("UPDATE meta SET value = ?1 WHERE name = 'keyed'", [keyed]).unwrap();
            writer.connection.execute("DELETE FROM keys WHERE id > ?1", [in_table]).unwrap();
            writer.keys = Keys::load(&writer.connection).unwrap();
            assert_eq!(writer.say(0..STEP + 2), again);
        }
    }

    #[test]
    fn a_key_goes_with_its_message() {
        let mut writer = Writer::new();
        writer.say(0..3);
        writer.feed();
        writer.say(3..6);
        let keep = Keep { age: None, messages: Some(1) };
        let delete = |writer: &mut Writer, seconds: u64| {
            let Writer { connection, keys, last } = writer;
            maintenance::delete(connection, keys, last.unsigned_abs(), keep, Timestamp(seconds * 1000)).unwrap();
        };
        delete(&mut writer, 599);
        assert_eq!(writer.say(0..6), [-1, -2, -3, -4, -5, -6], "it is sent again for so long");
        delete(&mut writer, 601);
        assert_eq!((writer.in_table(), writer.keys.newest.len()), (0, 1));
        assert_eq!(writer.say(0..6), [7, 8, 9, 10, 11, -6]);
    }

    #[test]
    fn who_never_sends_a_key_is_not_looked_at_again_and_again() {
        let mut writer = Writer::new();
        let drafts = vec![draft("lobby", "hi", None)];
        append::append(&mut writer.connection, &mut writer.keys, 0, vec![drafts]).unwrap();
        writer.last = 1;
        assert!(writer.keys.lacks(1) && !writer.keys.press(1) && writer.keys.press(1 + UNTOLD));
        writer.feed();
        assert!(!writer.keys.lacks(1) && !Keys::load(&writer.connection).unwrap().lacks(1));
    }

    #[test]
    fn what_was_not_stored_was_not_said() {
        let mut writer = Writer::new();
        writer.say(0..1);
        writer
            .connection
            .execute_batch(
                "CREATE TRIGGER t BEFORE INSERT ON messages WHEN new.id = 3 BEGIN SELECT raise(ABORT, 'no'); END",
            )
            .unwrap();
        let drafts = ["1", "2"].map(|key| draft("lobby", "hi", Some(key))).to_vec();
        append::append(&mut writer.connection, &mut writer.keys, writer.last, vec![drafts]).unwrap_err();
        writer.connection.execute_batch("DROP TRIGGER t").unwrap();
        assert_eq!(writer.say(0..3), [-1, 2, 3]);
    }
}
