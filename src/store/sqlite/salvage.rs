//! Saves what can be read of a damaged file: row by row into a new one, past whatever cannot be
//! read.

use std::{fs, path::Path};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction,
    config::DbConfig,
    params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::{
    super::{OpenError, StoreError},
    db_location::{DbLocation, Lock},
    read, schema,
};
use crate::os;

/// Ids after a message that cannot be read that are tried one by one: there is no order in which
/// pages are lost, and between two of them may be one of a few messages. It takes some 100 ms.
const NEAR: i64 = 10_000;

/// What became of a damaged file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Messages that were read and are in the new file.
    pub messages: u64,
    /// Places at which messages could not be read, one or many.
    pub holes: u64,
}

/// Writes what can be read of the file at `from` into a new one at `to`. The index for searches and
/// the table of keys are made anew.
///
/// # Errors
/// An [`OpenError`] when there is a file at `to` already, when nothing can be read of `from` or a
/// server has it open, or `to` cannot be written.
pub(super) fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
    if to.exists() {
        return Err(OpenError::Create { path: to.to_path_buf(), reason: "there is a file already".to_owned() });
    }
    let (old, _lock) = open_damaged(from)?;
    let (place, _lock) = DbLocation::file(to)?;
    let unwritable = |error| OpenError::of_sqlite(place.path(), &error);
    let mut new = place.writer().map_err(unwritable)?;
    place.prepare(&new)?;
    schema::migrate(&mut new, place.path())?;
    let transaction = new.transaction().map_err(unwritable)?;
    let salvaged = copy(&old, &transaction).and_then(|salvaged| {
        transaction.commit()?;
        Ok(salvaged)
    });
    salvaged.map_err(|error| match error {
        StoreError::Full => OpenError::NoSpace(place.path().to_path_buf()),
        error => OpenError::Open { path: place.path().to_path_buf(), reason: error.to_string() },
    })
}

/// Opens a file of which anything may be missing, and locks it.
fn open_damaged(path: &Path) -> Result<(Connection, Lock), OpenError> {
    let path = fs::canonicalize(path)
        .map_err(|error| OpenError::Open { path: path.to_path_buf(), reason: os::reason(&error) })?;
    let lock = Lock::of(&path)?;
    // To read a write-ahead log takes the right to write. It stays as it is, and so does the
    // database.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let old = Connection::open_with_flags(&path, flags)?;
        old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // With a schema that may be written, SQLite also reads a file that is shorter than its
        // header says, and one of whose tables the root is gone; without, it reads none of the
        // others either.
        old.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA writable_schema = ON;")?;
        Ok(old)
    };
    let old = open().map_err(|error| OpenError::of_sqlite(&path, &error))?;
    if schema::version(&old, &path)? == 0 {
        return Err(OpenError::NotADatabase(path));
    }
    Ok((old, lock))
}

fn copy(old: &Connection, new: &Transaction<'_>) -> Result<Salvaged, StoreError> {
    let epoch = old.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get::<_, Value>(0));
    // Without it, this is another history, and clients are told so.
    if let Ok(epoch) = epoch {
        new.execute("UPDATE meta SET value = ?1 WHERE name = 'epoch'", [epoch])?;
    }
    if copy_rows(old, new, "rooms", "room, topic, topic_by, forgotten", None)?.rows == 0 {
        // A file of an earlier version does not tell who set a topic.
        copy_rows(old, new, "rooms", "room, topic, forgotten", None)?;
    }
    copy_rows(old, new, "runs", "number, run, first", None)?;
    let mut salvaged = Salvaged::default();
    let mut after = 0;
    loop {
        let Copied { rows, left_out, last, is_whole } =
            copy_rows(old, new, "messages", "id, room, at, nick, kind, text, author, key", Some(after))?;
        salvaged.messages += rows;
        salvaged.holes += left_out;
        if is_whole {
            break;
        }
        // Those that fail one after the other are one hole.
        salvaged.holes += u64::from(last > after || salvaged.holes == 0);
        // Where nothing was read, the very next one is what cannot be.
        match next_readable(old, last.max(after.saturating_add(1))) {
            Some(next) => after = next - 1,
            None => break,
        }
    }
    new.execute_batch(
        "INSERT OR IGNORE INTO keys SELECT author, key, id FROM messages WHERE key IS NOT NULL;
         UPDATE meta SET value = (SELECT coalesce(max(id), 0) FROM messages) WHERE name = 'keyed';
         INSERT INTO meta SELECT 'holes', 1 WHERE (SELECT count(*) <= max(id) - min(id) FROM messages);",
    )?;
    // Ids after the last that is known are given again, so no earlier run may have given them here.
    let next = read::integer(read::last(new)?.0.saturating_add(1));
    new.execute("UPDATE runs SET first = ?1 WHERE first > ?1", [next])?;
    Ok(salvaged)
}

/// What was copied in one go.
#[derive(Debug, Default)]
struct Copied {
    rows: u64,
    /// Rows that can be none of the new table.
    left_out: u64,
    /// The id of the last row that was read, or the one before the first, where the table has ids.
    last: i64,
    /// Whether the end was reached.
    is_whole: bool,
}

/// Copies rows until one cannot be read; one that is none of the new table is left out. With
/// `after`, those with a higher id, in their order.
///
/// # Errors
/// A [`StoreError`] when the new file cannot be written.
fn copy_rows(
    old: &Connection,
    new: &Transaction<'_>,
    table: &str,
    columns: &str,
    after: Option<i64>,
) -> Result<Copied, StoreError> {
    let mut copied = Copied { last: after.unwrap_or_default(), ..Copied::default() };
    let count = columns.split(',').count();
    let places = vec!["?"; count].join(", ");
    let mut insert = new.prepare_cached(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})"))?;
    let rest = after.map_or(String::new(), |after| format!("WHERE id > {after} ORDER BY id"));
    let Ok(mut select) = old.prepare(&format!("SELECT {columns} FROM {table} {rest}")) else { return Ok(copied) };
    let Ok(mut rows) = select.query([]) else { return Ok(copied) };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => {
                copied.is_whole = true;
                return Ok(copied);
            }
            Err(_) => return Ok(copied),
        };
        if after.is_some() {
            let id = row.get(0).unwrap_or_default();
            // What is not in its order is not on its page, or is what is left of one.
            if id <= copied.last {
                return Ok(copied);
            }
            copied.last = id;
        }
        let values: Vec<_> = (0..count).map(|column| row.get_ref(column)).collect::<rusqlite::Result<_>>()?;
        // Nothing of ours has a NUL: where the file was cut, zeros are read in the place of the
        // rest of a page.
        if values.iter().any(|value| matches!(value, ValueRef::Text(text) if text.contains(&0))) {
            copied.left_out += 1;
            continue;
        }
        match insert.execute(params_from_iter(values.into_iter().map(ToSqlOutput::Borrowed))) {
            Ok(1) => copied.rows += 1,
            Err(error) if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) => return Err(error.into()),
            _ => copied.left_out += 1,
        }
    }
}

/// Returns the first message after `after` that can be read again, where there is one: the next ids
/// are tried one by one, and what lies after those is skipped in steps that double, and then halved
/// to the edge.
fn next_readable(old: &Connection, after: i64) -> Option<i64> {
    let mut probe = old.prepare_cached("SELECT id FROM messages WHERE id >= ?1 ORDER BY id LIMIT 1").ok()?;
    let mut read = |from: i64| match probe.query_row([from], |row| row.get::<_, i64>(0)).optional() {
        Ok(found) if found.is_none_or(|id| id >= from) => Ok(found),
        _ => Err(()),
    };
    let (mut unread, mut step) = (after, 1_i64);
    let (mut from, mut found) = loop {
        let from = unread.checked_add(step)?;
        match read(from) {
            Ok(found) => break (from, found?),
            Err(()) => unread = from,
        }
        if unread.saturating_sub(after) > NEAR {
            step = step.saturating_mul(2);
        }
    };
    while from - unread > 1 {
        let middle = unread + (from - unread) / 2;
        match read(middle) {
            Ok(Some(id)) => (from, found) = (middle, id),
            Ok(None) => break,
            Err(()) => unread = middle,
        }
    }
    Some(found)
}
