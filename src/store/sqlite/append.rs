//! Stores drafts, in one transaction a group.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{Appended, Draft, StoreError},
    dedup::Keys,
    read::{columns, message, number},
    rows::{self, Row},
};
use crate::protocol::{Kind, Message, MessageId, Topic};

/// Stores all drafts, in their order and with the ids after `last`, and returns what became of
/// each, a list for each list. When this returns, they are on disk and, but not earlier, readers
/// see them.
///
/// # Errors
/// A [`StoreError`] when nothing was stored: the transaction is rolled back, and the connection and
/// the keys are as they were.
pub(super) fn append(
    connection: &mut Connection,
    keys: &mut Keys,
    last: i64,
    lists: Vec<Vec<Draft>>,
) -> Result<Vec<Vec<Appended>>, StoreError> {
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
) -> Result<Vec<Vec<Appended>>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut store =
        Store { connection: &transaction, keys, last, is_begun: false, rows: Vec::with_capacity(rows::MOST) };
    let mut outcomes = Vec::with_capacity(lists.len());
    for drafts in lists {
        let outcome: Result<Vec<_>, StoreError> = drafts.into_iter().map(|draft| store.take(draft)).collect();
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
    /// Whether a message is inserted.
    is_begun: bool,
    /// What is not inserted yet.
    rows: Vec<Row>,
}

impl Store<'_> {
    fn take(&mut self, draft: Draft) -> Result<Appended, StoreError> {
        let Draft { room, at, nick, author, kind, text, key } = draft;
        let unique = key.clone().map(|key| (author, key));
        if let Some(unique) = &unique
            && let Some(earlier) = self.keys.find(self.connection, unique)?
        {
            // It may be one of these.
            self.insert_rows()?;
            if let Some(earlier) = read_again(self.connection, earlier)? {
                return Ok(Appended::Duplicate(Arc::new(earlier)));
            }
        }
        self.last = self.last.checked_add(1).ok_or_else(|| StoreError::Damaged("there is no id left".to_owned()))?;
        if kind == Kind::Topic {
            let topic = text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
            self.connection
                .prepare_cached(
                    "INSERT INTO rooms (room, topic, topic_by) VALUES (?1, ?2, ?3)
                     ON CONFLICT (room) DO UPDATE SET topic = excluded.topic, topic_by = excluded.topic_by",
                )?
                .execute(params![room.as_str(), topic.as_ref().map(Topic::as_str), nick.as_str()])?;
        }
        if let Some(unique) = unique {
            self.keys.note(unique, self.last);
        }
        let message = Arc::new(Message { id: MessageId(number(self.last)), room, at, nick, kind, text, key });
        self.rows.push((Arc::clone(&message), author));
        // The first is inserted alone, under its id, and the others follow it.
        if !self.is_begun || self.rows.len() == rows::MOST {
            self.is_begun = true;
            self.insert_rows()?;
        }
        Ok(Appended::New(message))
    }

    fn insert_rows(&mut self) -> Result<(), StoreError> {
        rows::insert(self.connection, &self.rows)?;
        self.rows.clear();
        Ok(())
    }
}

fn read_again(connection: &Connection, id: i64) -> Result<Option<Message>, StoreError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM messages WHERE id = ?1"))?
        .query_row([id], |row| Ok(message(row)))
        .optional()?
        .transpose()
}
