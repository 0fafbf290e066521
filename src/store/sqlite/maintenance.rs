//! What the writer does when nobody waits for it: feeds the index for searches, and deletes what
//! need not be kept. Each step is one short transaction, whole in itself: a crash between two
//! leaves work to do and nothing to repair. So no step needs to wait for the disk either.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{Keep, StoreError, search_query},
    IndexError,
    dedup::Keys,
    holes::{complain, is_unreadable, skip},
    read::{integer, text, whole_number},
    schema,
};
use crate::protocol::Timestamp;

/// Messages deleted in one step: some 6 ms with a million stored, which is what an append may have
/// to wait.
const DELETED: u32 = 50;

/// Messages so young are kept however many there are: whoever does not know that they are stored
/// sends them again under their keys, and a key goes with its message.
const RECENT: Duration = Duration::from_mins(10);

/// Messages indexed in one step: some 3 ms, as 50,000 take 0.7 s, and more when FTS5 merges what it
/// has. Smaller steps cost more a message.
pub(super) const INDEXED: u32 = 250;

/// Bytes of text indexed in one step, past which it ends.
pub(super) const INDEXED_TEXT: u64 = 64 * 1024;

/// A step of the index.
#[derive(Debug)]
pub(super) struct Indexed {
    /// The index is complete up to here.
    pub(super) last: i64,
    /// What the messages of the step weigh.
    pub(super) weight: u64,
}

/// Returns what a message counts for that is not in the index, with so many bytes of text: how long
/// a search looks at it.
pub(super) fn weight(text: usize) -> u64 {
    /// As long as at so many bytes of text.
    const MESSAGE: u64 = 40;
    MESSAGE + text as u64
}

/// Puts the next messages into the index, past those that cannot be read, and returns how far it is
/// then, or nothing if it had all.
pub(super) fn index(connection: &mut Connection) -> Result<Option<Indexed>, IndexError> {
    // Not in the transaction that writes: after something could not be read, nothing can be written
    // there any more.
    let Some((indexed, next)) = next_words(connection).map_err(IndexError::Other)? else { return Ok(None) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")
            .map_err(IndexError::of_index)?;
        for (id, words) in next {
            insert.execute(params![id, words]).map_err(IndexError::of_index)?;
        }
    }
    transaction.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'indexed'")?.execute([indexed.last])?;
    // The index is written now, as a whole.
    transaction.commit().map_err(IndexError::of_index)?;
    Ok(Some(indexed))
}

/// The id of a message, and what the index has of it.
type Words = (i64, String);

/// Returns how far the index is after its next step, and what goes into it before, if there is a
/// message that can be read.
fn next_words(connection: &Connection) -> Result<Option<(Indexed, Vec<Words>)>, StoreError> {
    const NEXT: &str = "SELECT id, room, text FROM messages WHERE id >= ?1 ORDER BY id LIMIT ?2";
    let mut from: i64 = connection
        .prepare_cached("SELECT value + 1 FROM meta WHERE name = 'indexed'")?
        .query_row([], |row| row.get(0))?;
    let first = |from: i64| -> Result<Option<i64>, StoreError> {
        Ok(connection.prepare_cached(NEXT)?.query_row([from, 1], |row| row.get(0)).optional()?)
    };
    if let Err(error) = first(from) {
        if !is_unreadable(&error) {
            return Err(error);
        }
        complain(&error);
        let Some(next) = skip(i64::MAX - from, |by| first(from + by))? else { return Ok(None) };
        from = next;
    }
    let mut messages = connection.prepare_cached(NEXT)?;
    let mut rows = messages.query([from, INDEXED.into()])?;
    let (mut indexed, mut next): (Option<Indexed>, _) = (None, Vec::new());
    while indexed.as_ref().is_none_or(|indexed| indexed.weight < INDEXED_TEXT) {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            // It comes first in the next step.
            Err(_) if indexed.is_some() => break,
            Err(error) => return Err(error.into()),
        };
        let id: i64 = row.get(0)?;
        let room = text(row, 1)?.unwrap_or_default();
        let said = text(row, 2)?;
        let before = indexed.map_or(0, |indexed| indexed.weight);
        indexed = Some(Indexed { last: id, weight: before + weight(said.as_ref().map_or(0, |said| said.len())) });
        if let Some(said) = &said {
            next.push((id, search_query::indexed(&room, said)));
        }
    }
    Ok(indexed.map(|indexed| (indexed, next)))
}

/// Replaces the index by an empty one.
pub(super) fn rebuild_index(connection: &mut Connection) -> Result<(), StoreError> {
    let replaced = replace_index(connection);
    if matches!(replaced, Err(StoreError::Damaged(_) | StoreError::Failed(_))) {
        schema::forget_index(connection)?;
        return replace_index(connection);
    }
    replaced
}

fn replace_index(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(schema::NEW_INDEX)?;
    Ok(transaction.commit()?)
}

/// What a step of retention has found.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    /// How many messages are deleted.
    pub(super) count: usize,
    /// Whether there may be more to delete.
    pub(super) more: bool,
    /// What is wrong with the index for searches, which keeps nothing from being deleted.
    pub(super) damage: Option<StoreError>,
}

/// Deletes the oldest messages, as far as `keep` lets them go at `now` and one step reaches, and
/// returns whether there may be more. `count` is how many there are. What the index has of them
/// goes first, on its own, so that a damaged one keeps no message from it.
pub(super) fn delete(
    connection: &mut Connection,
    keys: &mut Keys,
    count: u64,
    keep: Keep,
    now: Timestamp,
) -> Result<Deleted, StoreError> {
    let Some((up_to, more)) = deletable(connection, count, keep, now)? else { return Ok(Deleted::default()) };
    let damage = match delete_from_index(connection, up_to) {
        Ok(()) => None,
        Err(IndexError::Damaged(error)) => Some(error),
        Err(IndexError::Other(error)) => return Err(error),
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // NOT INDEXED, because to group by room the planner would rather read the whole index of rooms.
    transaction
        .prepare_cached(
            "INSERT INTO rooms (room, forgotten)
             SELECT room, max(id) FROM messages NOT INDEXED WHERE id <= ?1 GROUP BY room
             ON CONFLICT (room) DO UPDATE SET forgotten = max(forgotten, excluded.forgotten)",
        )?
        .execute([up_to])?;
    transaction
        .prepare_cached(
            "DELETE FROM keys WHERE (author, key) IN
             (SELECT author, key FROM messages NOT INDEXED WHERE id <= ?1 AND key IS NOT NULL)",
        )?
        .execute([up_to])?;
    let count = transaction.prepare_cached("DELETE FROM messages WHERE id <= ?1")?.execute([up_to])?;
    transaction.commit()?;
    keys.delete(up_to);
    Ok(Deleted { count, more, damage })
}

fn delete_from_index(connection: &mut Connection, up_to: i64) -> Result<(), IndexError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut messages = transaction.prepare_cached(
            "SELECT id FROM messages WHERE id <= ?1 AND id <= (SELECT value FROM meta WHERE name = 'indexed')",
        )?;
        let mut delete =
            transaction.prepare_cached("DELETE FROM search WHERE rowid = ?1").map_err(IndexError::of_index)?;
        let mut ids = messages.query([up_to])?;
        while let Some(row) = ids.next()? {
            delete.execute([row.get::<_, i64>(0)?]).map_err(IndexError::of_index)?;
        }
    }
    transaction.commit().map_err(IndexError::of_index)
}

/// Returns up to which id one step may delete of so many messages, and whether it reaches less far
/// than it may.
pub(super) fn deletable(
    connection: &Connection,
    count: u64,
    keep: Keep,
    now: Timestamp,
) -> Result<Option<(i64, bool)>, StoreError> {
    let recent = integer(now.0.saturating_sub(u64::try_from(RECENT.as_millis()).unwrap_or(u64::MAX)));
    let too_many = keep.messages.map_or(0, |most| count.saturating_sub(most));
    let oldest = keep.age.map_or(0, |age| now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    let mut statement = connection.prepare_cached("SELECT id, at FROM messages ORDER BY id LIMIT ?1")?;
    let mut rows = statement.query([DELETED])?;
    let (mut up_to, mut taken) = (None, 0_u32);
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, whole_number(row, 1)?);
        if (u64::from(taken) >= too_many || at >= recent) && at >= integer(oldest) {
            break;
        }
        up_to = Some(id);
        taken += 1;
    }
    Ok(up_to.map(|id| (id, taken == DELETED)))
}
