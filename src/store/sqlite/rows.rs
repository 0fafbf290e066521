//! Inserts messages, several with one statement: what it costs besides them is shared, and it finds
//! the next place beside the last.

use std::sync::{Arc, LazyLock};

use rusqlite::{CachedStatement, Connection, ToSql};

use super::{
    super::StoreError,
    read::{integer, kind_word},
};
use crate::protocol::{Author, Body, IdempotencyKey, Message};

/// Rows that one statement inserts at the most.
pub(super) const MOST: usize = 16;

/// How many statements there are.
pub(super) const STATEMENTS: usize = 2 * MOST;

/// A message, and whose it is.
pub(super) type Row = (Arc<Message>, Author);

/// Inserts a message under its id. Nothing of a transaction is kept where one fails (OR ROLLBACK,
/// here and below), so no statement needs to note how it could be taken back alone.
const ONE: &str =
    "INSERT OR ROLLBACK INTO messages (room, at, nick, kind, author, text, key, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// The statements that insert no message, one, and so on, under the ids that follow the last. To be
/// told them costs more.
static MIXED: LazyLock<[String; MOST + 1]> = LazyLock::new(|| statements(|_| "(?, ?, ?, ?, ?, ?, ?)".to_owned()));

/// The same for what one says in a row, in one room: that is said once.
static ALIKE: LazyLock<[String; MOST + 1]> =
    LazyLock::new(|| statements(|row| format!("(?1, ?2, ?3, ?4, ?5, ?{}, ?{})", 6 + 2 * row, 7 + 2 * row)));

fn statements(values: impl Fn(usize) -> String) -> [String; MOST + 1] {
    std::array::from_fn(|count| {
        let rows: Vec<_> = (0..count).map(&values).collect();
        let columns = "room, at, nick, kind, author, text, key";
        format!("INSERT OR ROLLBACK INTO messages ({columns}) VALUES {}", rows.join(", "))
    })
}

fn insert_one(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    let mut insert = Insert::prepare(connection, ONE)?;
    insert.bind_who(row)?;
    insert.bind_what(row)?;
    insert.bind(&integer(row.0.id.0))?;
    insert.run()
}

/// Inserts messages with successive ids: one, or several that follow the last that there is.
///
/// # Errors
/// A [`StoreError`], after which the transaction is over; [`StoreError::Damaged`] where the ids
/// would have been others.
pub(super) fn insert(connection: &Connection, rows: &[Row]) -> Result<(), StoreError> {
    for rows in rows.chunks(MOST) {
        let [first, .., last] = rows else {
            rows.iter().try_for_each(|row| insert_one(connection, row))?;
            continue;
        };
        if rows.iter().all(|row| is_alike(first, row)) {
            let mut insert = Insert::prepare(connection, &ALIKE[rows.len()])?;
            insert.bind_who(first)?;
            rows.iter().try_for_each(|row| insert.bind_what(row))?;
            insert.run()?;
        } else {
            let mut insert = Insert::prepare(connection, &MIXED[rows.len()])?;
            for row in rows {
                insert.bind_who(row)?;
                insert.bind_what(row)?;
            }
            insert.run()?;
        }
        let id = connection.last_insert_rowid();
        if id != integer(last.0.id.0) {
            return Err(StoreError::Damaged(format!("the message after the last would be {id}, not {}", last.0.id.0)));
        }
    }
    Ok(())
}

fn is_alike((a, author): &Row, (b, other): &Row) -> bool {
    author == other && a.nick == b.nick && a.room == b.room && a.at == b.at && a.kind == b.kind
}

/// A statement whose parameters are bound one after the other.
struct Insert<'a> {
    statement: CachedStatement<'a>,
    bound: usize,
}

impl<'a> Insert<'a> {
    fn prepare(connection: &'a Connection, statement: &str) -> Result<Self, StoreError> {
        Ok(Self { statement: connection.prepare_cached(statement)?, bound: 0 })
    }

    fn bind(&mut self, value: &dyn ToSql) -> Result<(), StoreError> {
        self.bound += 1;
        Ok(self.statement.raw_bind_parameter(self.bound, value)?)
    }

    fn bind_who(&mut self, (message, author): &Row) -> Result<(), StoreError> {
        self.bind(&message.room.as_str())?;
        self.bind(&integer(message.at.0))?;
        self.bind(&message.nick.as_str())?;
        self.bind(&kind_word(message.kind))?;
        self.bind(&author.0)
    }

    fn bind_what(&mut self, (message, _): &Row) -> Result<(), StoreError> {
        self.bind(&message.text.as_ref().map(Body::as_str))?;
        self.bind(&message.key.as_ref().map(IdempotencyKey::as_str))
    }

    fn run(mut self) -> Result<(), StoreError> {
        self.statement.raw_execute()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::protocol::{Hex, Kind, MessageId, Nick, RoomName, Timestamp};

    fn row(id: u64, who: u8) -> Row {
        let message = Message {
            id: MessageId(id),
            room: RoomName::new(&format!("room-{}", who % 2)).unwrap(),
            at: Timestamp(u64::from(who)),
            nick: Nick::guest(who.into()),
            kind: if who == 0 { Kind::Topic } else { Kind::Me },
            text: (who != 0 || !id.is_multiple_of(3)).then(|| Body::new(&format!("text {id}")).unwrap()),
            key: (!id.is_multiple_of(2)).then(|| IdempotencyKey::new(&format!("key-{id}")).unwrap()),
        };
        (Arc::new(message), Hex([who; 16]))
    }

    fn connection() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::store::sqlite::schema::migrate(&mut connection, std::path::Path::new("chat.db")).unwrap();
        connection
    }

    #[test]
    fn every_row_is_stored_as_it_is_however_many_there_are_and_whoever_they_are_of() {
        for speakers in [1, 2, 5] {
            let connection = connection();
            let mut last = 6;
            let mut all = Vec::new();
            for count in [1, 2, 3, MOST, MOST + 1, 3 * MOST - 1] {
                // Whoever speaks says five things in a row.
                let rows: Vec<_> =
                    (last + 1..).take(count).map(|id| row(id, u8::try_from(id / 5 % speakers).unwrap())).collect();
                insert(&connection, &rows).unwrap();
                last += count as u64;
                all.extend(rows);
            }
            for (message, author) in &all {
                let stored = connection.query_row(
                    "SELECT id, room, at, nick, kind, text, key, author FROM messages WHERE id = ?1",
                    params![integer(message.id.0)],
                    |row| Ok((super::super::read::message(row).unwrap(), Hex(row.get(7)?))),
                );
                assert_eq!(stored.unwrap(), ((**message).clone(), *author));
            }
            let count: i64 = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
            assert_eq!(count, i64::try_from(all.len()).unwrap());
        }
    }

    #[test]
    fn what_would_get_another_id_is_refused() {
        let connection = connection();
        insert(&connection, &[row(1, 1)]).unwrap();
        let refused = insert(&connection, &[row(3, 1), row(4, 1)]);
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    }
}
