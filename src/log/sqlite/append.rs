//! Stores drafts, in one transaction a group.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{Appended, Draft, LogError},
    keys::Keys,
    read::{columns, integer, kind_word, message, number},
};
use crate::wire::{Body, IdempotencyKey, Kind, Message, MessageId, Topic};

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
    mut last: i64,
    lists: Vec<Vec<Draft>>,
) -> Result<Vec<Vec<Appended>>, LogError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(lists.len());
    for drafts in lists {
        let outcome: Result<Vec<_>, LogError> =
            drafts.into_iter().map(|draft| store(&transaction, keys, &mut last, draft)).collect();
        outcomes.push(outcome?);
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn store(connection: &Connection, keys: &mut Keys, last: &mut i64, draft: Draft) -> Result<Appended, LogError> {
    let Draft { room, at, nick, author, kind, text, key } = draft;
    let unique = key.clone().map(|key| (author, key));
    if let Some(unique) = &unique
        && let Some(earlier) = keys.find(connection, unique)?
        && let Some(earlier) = read_again(connection, earlier)?
    {
        return Ok(Appended::Again(Arc::new(earlier)));
    }
    let id = *last + 1;
    connection
        .prepare_cached(
            "INSERT INTO messages (id, room, at, nick, kind, text, author, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id,
            room.as_str(),
            integer(at.0),
            nick.as_str(),
            kind_word(kind),
            text.as_ref().map(Body::as_str),
            author.0,
            key.as_ref().map(IdempotencyKey::as_str),
        ])?;
    if kind == Kind::Topic {
        let topic = text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
        connection
            .prepare_cached(
                "INSERT INTO rooms (room, topic) VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET topic = excluded.topic",
            )?
            .execute(params![room.as_str(), topic.as_ref().map(Topic::as_str)])?;
    }
    if let Some(unique) = unique {
        keys.note(unique, id);
    }
    *last = id;
    Ok(Appended::New(Arc::new(Message { id: MessageId(number(id)), room, at, nick, kind, text, key })))
}

fn read_again(connection: &Connection, id: i64) -> Result<Option<Message>, LogError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM messages WHERE id = ?1"))?
        .query_row([id], |row| Ok(message(row)))
        .optional()?
        .transpose()
}
