//! Stores drafts, in one transaction a group.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{Appended, Draft, LogError},
    read::{columns, integer, kind_word, message, number},
};
use crate::wire::{Author, Body, IdempotencyKey, Kind, Message, MessageId, Topic};

/// Stores all drafts, in their order, and returns what became of each, a list for each list. When this returns, they are on disk
/// and, but not earlier, readers see them.
///
/// # Errors
/// A [`LogError`] when nothing was stored: the transaction is rolled back, and the connection is as it was.
pub(super) fn append(connection: &mut Connection, lists: Vec<Vec<Draft>>) -> Result<Vec<Vec<Appended>>, LogError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(lists.len());
    for drafts in lists {
        let outcome: Result<Vec<_>, LogError> = drafts.into_iter().map(|draft| store(&transaction, draft)).collect();
        outcomes.push(outcome?);
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn store(connection: &Connection, draft: Draft) -> Result<Appended, LogError> {
    let Draft { room, at, nick, author, kind, text, key } = draft;
    if let Some(key) = &key
        && let Some(earlier) = earlier(connection, author, key)?
    {
        return Ok(Appended::Again(Arc::new(earlier)));
    }
    connection
        .prepare_cached(
            "INSERT INTO messages (room, at, nick, kind, text, author, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            room.as_str(),
            integer(at.0),
            nick.as_str(),
            kind_word(kind),
            text.as_ref().map(Body::as_str),
            author.0,
            key.as_ref().map(IdempotencyKey::as_str),
        ])?;
    let id = MessageId(number(connection.last_insert_rowid()));
    if kind == Kind::Topic {
        let topic = text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
        connection
            .prepare_cached(
                "INSERT INTO rooms (room, topic) VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET topic = excluded.topic",
            )?
            .execute(params![room.as_str(), topic.as_ref().map(Topic::as_str)])?;
    }
    Ok(Appended::New(Arc::new(Message { id, room, at, nick, kind, text, key })))
}

/// Returns the message that the author sent under the key before.
fn earlier(connection: &Connection, author: Author, key: &IdempotencyKey) -> Result<Option<Message>, LogError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM messages WHERE author = ?1 AND key = ?2"))?
        .query_row(params![author.0, key.as_str()], |row| Ok(message(row)))
        .optional()?
        .transpose()
}
