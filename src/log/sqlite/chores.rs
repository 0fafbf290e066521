//! What the writer does when nobody waits for it: feeds the index for searches, and deletes what need not be kept. Each step is
//! one short transaction, whole in itself: a crash between two leaves work to do and nothing to repair. So no step needs to wait
//! for the disk either.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    super::{Keep, LogError, words},
    keys::Keys,
    read::{integer, text, whole_number},
};
use crate::wire::Timestamp;

/// Messages deleted in one step: some 6 ms with a million stored, which is what an append may have to wait.
const DELETED: u32 = 50;

/// Messages indexed in one step: some 3 ms, as 50,000 take 0.7 s, and more when FTS5 merges what it has. Smaller steps cost more a
/// message.
pub(super) const INDEXED: u32 = 250;

/// Bytes of text indexed in one step, past which it ends.
const INDEXED_TEXT: usize = 64 * 1024;

/// Puts the next messages into the index, and returns the id up to which it is complete, or nothing if it had all.
pub(super) fn index(connection: &mut Connection) -> Result<Option<i64>, LogError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut last = None;
    {
        let mut messages = transaction.prepare_cached(
            "SELECT id, room, text FROM messages
             WHERE id > (SELECT value FROM meta WHERE name = 'indexed') ORDER BY id LIMIT ?1",
        )?;
        let mut insert = transaction.prepare_cached("INSERT INTO search (rowid, room, words) VALUES (?1, ?2, ?3)")?;
        let mut rows = messages.query([INDEXED])?;
        let mut bytes = 0;
        while bytes < INDEXED_TEXT
            && let Some(row) = rows.next()?
        {
            let id: i64 = row.get(0)?;
            if let (Some(room), Some(text)) = (text(row, 1)?, text(row, 2)?) {
                bytes += text.len();
                insert.execute(params![id, room, words::indexed(&text)])?;
            }
            last = Some(id);
        }
    }
    if let Some(last) = last {
        transaction.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'indexed'")?.execute([last])?;
    }
    transaction.commit()?;
    Ok(last)
}

/// Deletes the oldest messages, as far as `keep` lets them go at `now` and one step reaches, and returns whether there may be more.
/// `last` is the last message.
pub(super) fn delete(
    connection: &mut Connection,
    keys: &mut Keys,
    last: i64,
    keep: Keep,
    now: Timestamp,
) -> Result<bool, LogError> {
    let Some((up_to, more)) = deletable(connection, last, keep, now)? else { return Ok(false) };
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
            "DELETE FROM search WHERE rowid IN (SELECT id FROM messages NOT INDEXED WHERE id <= ?1)
             AND rowid <= (SELECT value FROM meta WHERE name = 'indexed')",
        )?
        .execute([up_to])?;
    transaction
        .prepare_cached(
            "DELETE FROM keys WHERE (author, key) IN
             (SELECT author, key FROM messages NOT INDEXED WHERE id <= ?1 AND key IS NOT NULL)",
        )?
        .execute([up_to])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id <= ?1")?.execute([up_to])?;
    transaction.commit()?;
    keys.delete(up_to);
    Ok(more)
}

/// Returns up to which id one step may delete, and whether it reaches less far than it may.
fn deletable(connection: &Connection, last: i64, keep: Keep, now: Timestamp) -> Result<Option<(i64, bool)>, LogError> {
    let by_count = keep.messages.map_or(0, |most| last.saturating_sub(integer(most)));
    let oldest = keep.age.map_or(0, |age| now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    let mut statement = connection.prepare_cached("SELECT id, at FROM messages ORDER BY id LIMIT ?1")?;
    let mut rows = statement.query([DELETED])?;
    let (mut up_to, mut taken) = (None, 0);
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, whole_number(row, 1)?);
        if id > by_count && at >= integer(oldest) {
            break;
        }
        up_to = Some(id);
        taken += 1;
    }
    Ok(up_to.map(|id| (id, taken == DELETED)))
}
