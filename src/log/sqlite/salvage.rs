//! Saves what can be read of a damaged file: row by row into a new one, past whatever cannot be read.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params_from_iter, types::Value};

use super::{
    super::{LogError, OpenError},
    place::Place,
    schema,
};

/// What became of a damaged file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Messages that were read and are in the new file.
    pub messages: u64,
    /// Places at which messages could not be read, one or many.
    pub holes: u64,
}

/// Writes what can be read of the file at `from` into a new one at `to`. The index for searches and the table of keys are made anew.
///
/// # Errors
/// An [`OpenError`] when there is a file at `to` already, when nothing can be read of `from`, or `to` cannot be written.
pub(super) fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
    if to.exists() {
        return Err(OpenError::Create { path: to.to_path_buf(), reason: "there is a file already".to_owned() });
    }
    let unreadable = |error| OpenError::of_sqlite(from, &error);
    // To put a write-ahead log into the database, or to read it at all, takes the right to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(from, flags).map_err(unreadable)?;
    if schema::version(&old, from)? == 0 {
        return Err(OpenError::Foreign(from.to_path_buf()));
    }
    let (place, _lock) = Place::file(to)?;
    let unwritable = |error| OpenError::of_sqlite(place.path(), &error);
    let mut new = place.writer().map_err(unwritable)?;
    place.prepare(&new)?;
    schema::migrate(&mut new, place.path())?;
    let transaction = new.transaction().map_err(unwritable)?;
    let salvaged = copy(&old, &transaction).and_then(|salvaged| {
        transaction.commit()?;
        Ok(salvaged)
    });
    salvaged.map_err(|error: LogError| OpenError::Open { path: place.path().to_path_buf(), reason: error.to_string() })
}

fn copy(old: &Connection, new: &Transaction<'_>) -> Result<Salvaged, LogError> {
    let epoch = old.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get::<_, Value>(0));
    // Without it, this is another history, and clients are told so.
    if let Ok(epoch) = epoch {
        new.execute("UPDATE meta SET value = ?1 WHERE name = 'epoch'", [epoch])?;
    }
    if copy_rows(old, new, "rooms", "room, topic, topic_by, forgotten", "").rows == 0 {
        // A file of an earlier version does not tell who set a topic.
        copy_rows(old, new, "rooms", "room, topic, forgotten", "");
    }
    copy_rows(old, new, "runs", "number, run, first", "");
    let mut salvaged = Salvaged::default();
    let mut after = i64::MIN;
    loop {
        let rest = format!("WHERE id > {after} ORDER BY id");
        let Copied { rows, left_out, last, is_whole } =
            copy_rows(old, new, "messages", "id, room, at, nick, kind, text, author, key", &rest);
        salvaged.messages += rows;
        salvaged.holes += left_out;
        if is_whole {
            break;
        }
        // Those that fail one after the other are one hole.
        salvaged.holes += u64::from(last.is_some() || salvaged.holes == 0);
        // Where nothing was read, the very next one is what cannot be.
        match next_readable(old, last.unwrap_or(after.saturating_add(1))) {
            Some(next) => after = next - 1,
            None => break,
        }
    }
    new.execute("INSERT OR IGNORE INTO keys SELECT author, key, id FROM messages WHERE key IS NOT NULL", [])?;
    new.execute("UPDATE meta SET value = (SELECT coalesce(max(id), 0) FROM messages) WHERE name = 'keyed'", [])?;
    Ok(salvaged)
}

/// What was copied in one go.
#[derive(Debug, Default)]
struct Copied {
    rows: u64,
    /// Rows that can be none of the new table.
    left_out: u64,
    /// The first column of the last row that was read, where that is a number.
    last: Option<i64>,
    /// Whether the end was reached.
    is_whole: bool,
}

/// Copies rows until one cannot be read; one that is none of the new table is left out.
fn copy_rows(old: &Connection, new: &Transaction<'_>, table: &str, columns: &str, rest: &str) -> Copied {
    let mut copied = Copied::default();
    let count = columns.split(',').count();
    let places = vec!["?"; count].join(", ");
    let insert = new.prepare_cached(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})"));
    let select = old.prepare_cached(&format!("SELECT {columns} FROM {table} {rest}"));
    let (Ok(mut insert), Ok(mut select)) = (insert, select) else { return copied };
    let Ok(mut rows) = select.query([]) else { return copied };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => {
                copied.is_whole = true;
                return copied;
            }
            Err(_) => return copied,
        };
        copied.last = row.get(0).ok();
        let values: rusqlite::Result<Vec<Value>> = (0..count).map(|column| row.get(column)).collect();
        if let Ok(values) = values
            && insert.execute(params_from_iter(values)).is_ok_and(|rows| rows == 1)
        {
            copied.rows += 1;
        } else {
            copied.left_out += 1;
        }
    }
}

/// Returns the first message after `after` that can be read again, where there is one: what lies between is skipped in steps that
/// double, and then halved to the edge.
fn next_readable(old: &Connection, after: i64) -> Option<i64> {
    let read = |from: i64| {
        old.prepare_cached("SELECT id FROM messages WHERE id >= ?1 ORDER BY id LIMIT 1")
            .and_then(|mut probe| probe.query_row([from], |row| row.get::<_, i64>(0)).optional())
    };
    let (mut unread, mut step) = (after.max(0), 1_i64);
    let (mut from, mut found) = loop {
        let from = unread.checked_add(step)?;
        match read(from) {
            Ok(found) => break (from, found?),
            Err(_) => unread = from,
        }
        step = step.saturating_mul(2);
    };
    while from - unread > 1 {
        let middle = unread + (from - unread) / 2;
        match read(middle) {
            Ok(Some(id)) => (from, found) = (middle, id),
            Ok(None) => break,
            Err(_) => unread = middle,
        }
    }
    Some(found)
}
