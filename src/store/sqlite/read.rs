//! What is asked of the log, on a connection that only reads. Every answer is of one transaction.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params, types::ValueRef};

use super::{
    super::{
        Found, Page, StoreError,
        budget::Budget,
        size,
        wanted::{Finding, Next, Wanted},
    },
    IndexError,
    holes::{complain, is_unreadable, skip},
};
use crate::protocol::{
    Body, IdempotencyKey, Kind, Limits, Message, MessageId, Nick, RoomName, Timestamp, Topic, TopicBy,
};

/// The columns that [`message`] reads, in its order.
macro_rules! columns {
    () => {
        "messages.id, messages.room, messages.at, messages.nick, messages.kind, messages.text, messages.key"
    };
}
pub(super) use columns;

/// Which of them is the room.
const ROOM: usize = 1;
/// Which is the nick.
const NICK: usize = 3;
/// Which is the text.
const TEXT: usize = 5;

/// Returns the number as `SQLite` keeps it; what is past its range is past every id and every time.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the number that `SQLite` kept; what is below every id and every time is 0.
pub(super) fn number(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or_default()
}

/// Returns a page; what cannot be read of it is left out, as what was deleted is.
pub(super) fn page(connection: &Connection, room: &RoomName, after: MessageId, limit: u32) -> Result<Page, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let gap = after < pruned_up_to(&transaction, room)?;
    let mut page = Page { messages: Vec::new(), more: false, gap };
    let mut from = integer(after.0).saturating_add(1);
    loop {
        match fill(&transaction, &mut page, room, from, limit) {
            Err(error) if is_unreadable(&error) && page.messages.is_empty() => {
                complain(&error);
                page.gap = true;
                let next = skip(i64::MAX - from, |by| first(&transaction, room, from + by))?;
                let Some(next) = next else { break };
                from = next;
            }
            // It comes first on the next page.
            Err(error) if is_unreadable(&error) => {
                page.more = true;
                break;
            }
            filled => {
                filled?;
                break;
            }
        }
    }
    Ok(page)
}

/// Adds to a page what comes at or after an id, until it is full or something cannot be read.
fn fill(connection: &Connection, page: &mut Page, room: &RoomName, from: i64, limit: u32) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM messages WHERE room = ?1 AND id >= ?2 ORDER BY id LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![room.as_str(), from, i64::from(limit) + 1])?;
    let mut text = 0;
    while let Some(row) = rows.next()? {
        if page.messages.len() >= limit as usize {
            page.more = true;
            break;
        }
        let message = message(row)?;
        text += size(&message);
        if text > Limits::BATCH && !page.messages.is_empty() {
            page.more = true;
            break;
        }
        page.messages.push(Arc::new(message));
    }
    Ok(())
}

/// Reads the first message of the room whose id is at least `from`, and returns the id. Not past
/// the one before: to seek that may meet what cannot be read.
fn first(connection: &Connection, room: &RoomName, from: i64) -> Result<Option<i64>, StoreError> {
    read_id(
        connection,
        concat!("SELECT ", columns!(), " FROM messages WHERE room = ?1 AND id >= ?2 ORDER BY id LIMIT 1"),
        params![room.as_str(), from],
    )
}

/// Reads the last message of the room whose id is at most `id`, and returns that.
fn latest(connection: &Connection, room: &RoomName, id: i64) -> Result<Option<i64>, StoreError> {
    read_id(
        connection,
        concat!("SELECT ", columns!(), " FROM messages WHERE room = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1"),
        params![room.as_str(), id],
    )
}

/// Reads the one message that a statement finds, all of it, and returns its id.
fn read_id(connection: &Connection, statement: &str, parameters: impl Params) -> Result<Option<i64>, StoreError> {
    let read = |row: &Row<'_>| Ok(message(row).map(|message| integer(message.id.0)));
    connection.prepare_cached(statement)?.query_row(parameters, read).optional()?.transpose()
}

/// Returns the cursor after which the last `count` messages follow that are before `before` and not
/// behind what cannot be read: of those of a damaged file it may be fewer, but one at least where
/// there is one.
pub(super) fn cursor(
    connection: &Connection,
    room: &RoomName,
    before: Option<MessageId>,
    mut count: u32,
) -> Result<MessageId, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    // The ids are in an index of their own.
    let id = |before: i64, count: u32| -> Result<Option<i64>, StoreError> {
        let mut statement = transaction
            .prepare_cached("SELECT id FROM messages WHERE room = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3")?;
        Ok(statement.query_row(params![room.as_str(), before, count], |row| row.get(0)).optional()?)
    };
    let before = before.map_or(i64::MAX, |before| integer(before.0));
    let newest = id(before, 0).or_else(|error| {
        if !is_unreadable(&error) {
            return Err(error);
        }
        complain(&error);
        Ok(Some(before - 1))
    })?;
    let newest = match newest.map(|newest| latest(&transaction, room, newest)) {
        Some(Err(error)) if is_unreadable(&error) => {
            complain(&error);
            let newest = newest.unwrap_or_default();
            skip(newest, |by| latest(&transaction, room, newest - by))?
        }
        newest => newest.transpose()?.flatten(),
    };
    let Some(newest) = newest else { return pruned_up_to(&transaction, room) };
    let found = loop {
        match id(newest.saturating_add(1), count) {
            Err(error) if is_unreadable(&error) => {
                complain(&error);
                if count <= 1 {
                    break Some(newest - 1);
                }
                count /= 2;
            }
            found => break found?,
        }
    };
    // Where there are not so many, nothing is lost by starting there: what is older was not asked
    // for, or is gone.
    found.map_or_else(|| pruned_up_to(&transaction, room), |id| Ok(MessageId(number(id))))
}

/// Returns the highest id that was given, whether its message is there or was deleted. Looks at
/// every room, so it is for the start.
pub(super) fn last(connection: &Connection) -> Result<MessageId, StoreError> {
    let last = connection
        .prepare_cached(
            "SELECT max((SELECT coalesce(max(id), 0) FROM messages), (SELECT coalesce(max(forgotten), 0) FROM rooms))",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(MessageId(number(last)))
}

/// Returns when the last message was said, or 0.
pub(super) fn last_at(connection: &Connection) -> Result<Timestamp, StoreError> {
    let at: Option<i64> =
        connection.query_row("SELECT at FROM messages ORDER BY id DESC LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(Timestamp(number(at.unwrap_or_default())))
}

pub(super) fn topic(connection: &Connection, room: &RoomName) -> Result<Option<TopicBy>, StoreError> {
    let topic = connection
        .prepare_cached("SELECT topic, topic_by FROM rooms WHERE room = ?1")?
        .query_row([room.as_str()], |row| {
            let by = text(row, 1)?.map(|nick| Nick::read(&nick));
            Ok(text(row, 0)?.map(|topic| TopicBy { topic: Topic::read(&topic), by }))
        })
        .optional()?;
    Ok(topic.flatten())
}

/// Returns how many messages there are. Ids have no holes but those that retention leaves at the
/// beginning, so that nobody needs to count, unless some could not be saved of a damaged file.
pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    if connection.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'holes')", [], |row| row.get(0))? {
        return Ok(number(connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?));
    }
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM messages", [], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    let mut from = connection.prepare_cached("SELECT id FROM messages WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    // Where the oldest cannot be read, those that can be count.
    let first: i64 = match from.query_row([i64::MIN], |row| row.get(0)).map_err(StoreError::from) {
        Err(error) if is_unreadable(&error) => {
            complain(&error);
            skip(last, |id| Ok(from.query_row([id], |row| row.get(0))?))?
        }
        first => first?,
    };
    Ok(number(last.saturating_sub(first).saturating_add(1)))
}

/// Returns the cursor after which the messages of `at` and later follow; times do not fall as ids
/// rise, so that it is found by halving.
pub(super) fn since(connection: &Connection, room: &RoomName, at: Timestamp) -> Result<MessageId, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let before = before_time(&transaction, at)?;
    Ok(MessageId(number(before)).max(pruned_up_to(&transaction, room)?))
}

/// Returns the highest id of what was said before `at`, in whatever room.
fn before_time(connection: &Connection, at: Timestamp) -> Result<i64, StoreError> {
    let mut probe =
        connection.prepare_cached("SELECT id, at FROM messages WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1")?;
    let last: Option<i64> =
        connection.prepare_cached("SELECT max(id) FROM messages")?.query_row([], |row| row.get(0))?;
    let (mut from, mut to) = (1, last.unwrap_or(0).saturating_add(1));
    let mut probe = |from: i64, to: i64| -> Result<Option<(i64, i64)>, StoreError> {
        Ok(probe.query_row([from, to], |row| Ok((row.get(0)?, whole_number(row, 1)?))).optional()?)
    };
    while from < to {
        let middle = from + (to - from) / 2;
        let found = match probe(middle, to) {
            Err(error) if is_unreadable(&error) => match skip(to - middle, |by| probe(middle + by, to)) {
                // There is nothing to be read up to there.
                Err(error) if is_unreadable(&error) => None,
                found => found?,
            },
            found => found?,
        };
        match found {
            Some((id, time)) if time < integer(at.0) => from = id + 1,
            _ => to = middle,
        }
    }
    Ok(from - 1)
}

/// Returns what is wanted, as far as `budget` lasts.
pub(super) fn search(connection: &mut Connection, wanted: &Wanted, budget: &Budget) -> Result<Found, IndexError> {
    /// Instructions of `SQLite` between two looks at the clock: some 10 ms where every few of them
    /// read a page of the index.
    const INSTRUCTIONS: i32 = 100;
    let clock = budget.clone();
    connection.progress_handler(INSTRUCTIONS, Some(move || clock.is_spent()))?;
    let mut finding = Finding::new(wanted);
    let searched = connection
        .unchecked_transaction()
        .map_err(IndexError::from)
        .and_then(|transaction| search_all(&transaction, wanted, budget.clone(), &mut finding));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match searched {
        Ok(is_complete) => Ok(finding.end(is_complete)),
        Err(IndexError::Other(StoreError::Interrupted)) => Ok(finding.end(false)),
        Err(error) => Err(error),
    }
}

/// Adds what is found to `finding`, and returns whether that is all.
fn search_all(
    connection: &Connection,
    wanted: &Wanted,
    mut budget: Budget,
    finding: &mut Finding<'_>,
) -> Result<bool, IndexError> {
    let indexed: i64 =
        connection.prepare_cached("SELECT value FROM meta WHERE name = 'indexed'")?.query_row([], |row| row.get(0))?;
    // What is said where even this cannot be read is past it.
    let newest = connection
        .prepare_cached("SELECT max(id) FROM messages")?
        .query_row([], |row| row.get(0))
        .unwrap_or(Some(i64::MAX))
        .unwrap_or_default();
    let time = |at: Option<Timestamp>| at.map(|at| before_time(connection, at)).transpose().map_err(IndexError::Other);
    let oldest = time(wanted.since)?.unwrap_or(0);
    let newest = newest.min(time(wanted.until)?.unwrap_or(i64::MAX)).min(integer(wanted.before.0).saturating_sub(1));
    // Without a word, there is nothing to look up.
    let after = if wanted.query.is_some() { oldest.max(indexed) } else { oldest };
    let mut looked_at = Looking { after, id: newest };
    loop {
        match looked_at.search(connection, wanted, &mut budget, finding) {
            Ok(true) => break,
            Ok(false) => return Ok(false),
            Err(error) if is_unreadable(&error) => {
                complain(&error);
                finding.lacks_some();
                let id = looked_at.id;
                let Some(next) = skip(id, |by| looked_at.read(connection, id - by)).map_err(IndexError::Other)? else {
                    break;
                };
                looked_at.id = next;
            }
            Err(error) => return Err(IndexError::Other(error)),
        }
    }
    let Some(query) = &wanted.query else { return Ok(true) };
    // The index alone first: so it is known whether it is what failed.
    let mut older = connection
        .prepare_cached(
            "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid > ?2 AND rowid <= ?3 ORDER BY rowid DESC",
        )
        .map_err(IndexError::of_index)?;
    let mut indexed_message =
        connection.prepare_cached(concat!("SELECT ", columns!(), " FROM messages WHERE id = ?1"))?;
    let mut ids = older
        .query(params![query.expression(&wanted.rooms), oldest, newest.min(indexed)])
        .map_err(IndexError::of_index)?;
    loop {
        let next = finding.next();
        let Some(id) = ids.next().map_err(IndexError::of_index)? else { return Ok(true) };
        if next == Next::Enough {
            return Ok(false);
        }
        let id: i64 = id.get(0).map_err(IndexError::of_index)?;
        // Another room may have the same mark; and of what was just deleted, the index may still
        // have the words.
        let mut take = |row: &Row<'_>| -> Result<(), StoreError> {
            let is_in = wanted.is_in(&text(row, ROOM)?.unwrap_or_default());
            if is_in
                && wanted.is_from(&text(row, NICK)?.unwrap_or_default())
                && wanted.is_in_found(&text(row, TEXT)?.unwrap_or_default())
            {
                found(row, next, finding)?;
            }
            Ok(())
        };
        let taken = indexed_message.query_row([id], |row| Ok(take(row))).optional();
        match taken.map_err(StoreError::from).and_then(Option::transpose) {
            Ok(_) => {}
            Err(error) if is_unreadable(&error) => {
                complain(&error);
                finding.lacks_some();
            }
            Err(error) => return Err(IndexError::Other(error)),
        }
    }
}

/// Takes what a row has that is wanted.
fn found(row: &Row<'_>, next: Next, finding: &mut Finding<'_>) -> Result<(), StoreError> {
    if next == Next::Wanted {
        finding.add(Arc::new(message(row)?));
    } else {
        finding.count();
    }
    Ok(())
}

/// Messages that are looked at one by one: those after one id and up to another.
struct Looking {
    after: i64,
    id: i64,
}

impl Looking {
    /// Adds what is found to `finding`, and returns whether that is all.
    fn search(
        &mut self,
        connection: &Connection,
        wanted: &Wanted,
        budget: &mut Budget,
        finding: &mut Finding<'_>,
    ) -> Result<bool, StoreError> {
        // In the order of their ids, and so with those of other rooms: to look each up in the index
        // of rooms takes longer where they are not many. Where they are, and one room is looked
        // through, that index leaves out the others.
        let by_room =
            concat!("SELECT ", columns!(), " FROM messages WHERE room = ?3 AND id > ?1 AND id <= ?2 ORDER BY id DESC");
        let by_id =
            concat!("SELECT ", columns!(), " FROM messages NOT INDEXED WHERE id > ?1 AND id <= ?2 ORDER BY id DESC");
        let mut statement;
        let mut rows = match &wanted.rooms[..] {
            [room] if wanted.query.is_none() => {
                statement = connection.prepare_cached(by_room)?;
                statement.query(params![self.after, self.id, room.as_str()])?
            }
            _ => {
                statement = connection.prepare_cached(by_id)?;
                statement.query([self.after, self.id])?
            }
        };
        loop {
            let next = finding.next();
            let Some(row) = rows.next()? else { return Ok(true) };
            if next == Next::Enough {
                return Ok(false);
            }
            self.id = row.get::<_, i64>(0)?.saturating_sub(1);
            if !wanted.is_in(&text(row, ROOM)?.unwrap_or_default()) {
                if budget.is_spent_before(0) {
                    return Ok(false);
                }
                continue;
            }
            // There may be many, and few are found.
            let Some(text) = text(row, TEXT)? else { continue };
            if budget.is_spent_before(text.len()) {
                return Ok(false);
            }
            if wanted.is_from(&self::text(row, NICK)?.unwrap_or_default()) && wanted.is_in_text(&text) {
                found(row, next, finding)?;
            }
        }
    }

    /// Reads the last of them up to `id`, of any room, and returns its id.
    fn read(&self, connection: &Connection, id: i64) -> Result<Option<i64>, StoreError> {
        read_id(
            connection,
            concat!(
                "SELECT ",
                columns!(),
                " FROM messages NOT INDEXED WHERE id > ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1"
            ),
            [self.after, id],
        )
    }
}

/// Returns the highest id of the room that was deleted.
fn pruned_up_to(connection: &Connection, room: &RoomName) -> Result<MessageId, StoreError> {
    let pruned_up_to: Option<i64> = connection
        .prepare_cached("SELECT forgotten FROM rooms WHERE room = ?1")?
        .query_row([room.as_str()], |row| row.get(0))
        .optional()?;
    Ok(MessageId(pruned_up_to.map_or(0, number)))
}

/// Returns the message that a row of [`columns`] is. Whatever is in it that this program does not
/// write is shown as well as it can be: a row that somebody has changed by hand must not make the
/// page unreadable that it is on.
///
/// # Errors
/// A [`StoreError`] when it cannot be read from the file.
pub(super) fn message(row: &Row<'_>) -> Result<Message, StoreError> {
    let id = row.get(0)?;
    let [room, nick, word] = [1, 3, 4].map(|column| text(row, column).map(Option::unwrap_or_default));
    let (room, nick, word, said, key) = (room?, nick?, word?, text(row, TEXT)?, text(row, 6)?);
    let kind = kind(&word);
    let message = Message {
        id: MessageId(number(id)),
        room: RoomName::read(&room),
        at: Timestamp(number(whole_number(row, 2)?)),
        nick: Nick::read(&nick),
        kind: kind.unwrap_or_default(),
        text: match &said {
            Some(said) => Some(Body::read(said)),
            // Where nothing is said, a topic is cleared.
            None => (kind != Some(Kind::Topic)).then(Body::unreadable),
        },
        key: key.as_deref().and_then(|key| IdempotencyKey::new(key).ok()),
    };
    let is_as_stored = message.room.as_str() == room
        && message.nick.as_str() == nick
        && kind.is_some()
        && message.text.as_ref().map(Body::as_str) == said.as_deref()
        && message.key.as_ref().map(IdempotencyKey::as_str) == key.as_deref();
    if !is_as_stored {
        tell_once(id);
    }
    Ok(message)
}

/// Returns the text in a column, with U+FFFD in the place of what is none. Of one that is too long,
/// only the beginning.
pub(super) fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<Option<Cow<'a, str>>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Some(String::from_utf8_lossy(&text[..text.len().min(4 * Limits::MESSAGE)]))
        }
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
    })
}

/// Returns the number in a column, and 0 where there is none.
pub(super) fn whole_number(row: &Row<'_>, column: usize) -> rusqlite::Result<i64> {
    Ok(row.get_ref(column)?.as_i64().unwrap_or_default())
}

/// Logs that a message cannot be shown as it is stored, the first time it is met.
fn tell_once(id: i64) {
    /// Past so many, somebody who reads the log knows.
    const MOST: usize = 100;
    static TOLD: Mutex<BTreeSet<i64>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < MOST && told.insert(id) {
        tracing::warn!("message {id} is not one that this program writes, and is shown as well as it can be");
    }
}

/// Returns the word under which a kind is stored.
pub(super) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Say => "say",
        Kind::Me => "me",
        Kind::Topic => "topic",
    }
}

fn kind(word: &str) -> Option<Kind> {
    [Kind::Say, Kind::Me, Kind::Topic].into_iter().find(|kind| kind_word(*kind) == word)
}
