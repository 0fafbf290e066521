//! Stores drafts, in one transaction a group.

use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, OptionalExtension as _, ToSql, TransactionBehavior, params};

use super::{
    super::{Appended, Draft, LogError},
    keys::Keys,
    read::{columns, integer, kind_word, message, number},
};
use crate::wire::{Author, Body, IdempotencyKey, Kind, Message, MessageId, Topic};

/// Stores all drafts, in their order and with the ids after `last`, and returns what became of each, a list for each list. When this
/// returns, they are on disk and, but not earlier, readers see them.
///
/// # Errors
/// A [`LogError`] when nothing was stored: the transaction is rolled back, and the connection and the keys are as they were.
pub(super) fn append(
    connection: &mut Connection,
    keys: &mut Keys,
    last: i64,
    lists: Vec<Vec<Draft>>,
) -> Result<Vec<Vec<Appended>>, LogError> {
    let stored = store_all(connection, keys, last, lists);
    if stored.is_err() {
        keys.take_back(last);
    }
    stored
}

fn store_all(
    connection: &mut Connection,
    keys: &mut Keys,
    last: i64,
    lists: Vec<Vec<Draft>>,
) -> Result<Vec<Vec<Appended>>, LogError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut store = Store { connection: &transaction, keys, last, rows: Vec::with_capacity(ROWS) };
    let mut outcomes = Vec::with_capacity(lists.len());
    for drafts in lists {
        let outcome: Result<Vec<_>, LogError> = drafts.into_iter().map(|draft| store.take(draft)).collect();
        outcomes.push(outcome?);
    }
    store.insert_rows()?;
    transaction.commit()?;
    Ok(outcomes)
}

/// One transaction.
struct Store<'a> {
    connection: &'a Connection,
    keys: &'a mut Keys,
    last: i64,
    /// What is not inserted yet, and whose it is.
    rows: Vec<(Arc<Message>, Author)>,
}

impl Store<'_> {
    fn take(&mut self, draft: Draft) -> Result<Appended, LogError> {
        let Draft { room, at, nick, author, kind, text, key } = draft;
        let unique = key.clone().map(|key| (author, key));
        if let Some(unique) = &unique
            && let Some(earlier) = self.keys.find(self.connection, unique)?
        {
            // It may be one of these.
            self.insert_rows()?;
            if let Some(earlier) = read_again(self.connection, earlier)? {
                return Ok(Appended::Again(Arc::new(earlier)));
            }
        }
        self.last += 1;
        if kind == Kind::Topic {
            let topic = text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
            self.connection
                .prepare_cached(
                    "INSERT INTO rooms (room, topic) VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET topic = excluded.topic",
                )?
                .execute(params![room.as_str(), topic.as_ref().map(Topic::as_str)])?;
        }
        if let Some(unique) = unique {
            self.keys.note(unique, self.last);
        }
        let message = Arc::new(Message { id: MessageId(number(self.last)), room, at, nick, kind, text, key });
        self.rows.push((Arc::clone(&message), author));
        if self.rows.len() == ROWS {
            self.insert_rows()?;
        }
        Ok(Appended::New(message))
    }

    fn insert_rows(&mut self) -> Result<(), LogError> {
        for rows in self.rows.chunks(ROWS) {
            let mut insert = self.connection.prepare_cached(&INSERTS[rows.len() - 1])?;
            let mut column = 0;
            let mut bind = |value: &dyn ToSql| {
                column += 1;
                insert.raw_bind_parameter(column, value)
            };
            for (message, author) in rows {
                let Message { id, room, at, nick, kind, text, key } = &**message;
                bind(&integer(id.0))?;
                bind(&room.as_str())?;
                bind(&integer(at.0))?;
                bind(&nick.as_str())?;
                bind(&kind_word(*kind))?;
                bind(&text.as_ref().map(Body::as_str))?;
                bind(&author.0)?;
                bind(&key.as_ref().map(IdempotencyKey::as_str))?;
            }
            insert.raw_execute()?;
        }
        self.rows.clear();
        Ok(())
    }
}

/// Messages that one statement inserts: what it costs besides them is shared, and it finds the next place beside the last.
pub(super) const ROWS: usize = 16;

/// The statements that insert one message, two, and so on. Nothing of a transaction is kept where one fails, so none needs to note
/// how it could be taken back alone.
static INSERTS: LazyLock<[String; ROWS]> = LazyLock::new(|| {
    std::array::from_fn(|more| {
        let rows = "(?, ?, ?, ?, ?, ?, ?, ?), ".repeat(more) + "(?, ?, ?, ?, ?, ?, ?, ?)";
        format!("INSERT OR ROLLBACK INTO messages (id, room, at, nick, kind, text, author, key) VALUES {rows}")
    })
});

fn read_again(connection: &Connection, id: i64) -> Result<Option<Message>, LogError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM messages WHERE id = ?1"))?
        .query_row([id], |row| Ok(message(row)))
        .optional()?
        .transpose()
}
