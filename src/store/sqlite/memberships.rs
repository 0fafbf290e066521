//! Who is where, for the next start: whoever can show that they are the same person keeps place and
//! nick through it. Nothing here is synced by itself: the process may be killed, and what a power
//! cut takes back is only the place of who came last.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    super::{Membership, MembershipChange, StoreError},
    read,
};
use crate::protocol::{Hex, Limits, Nick, PersonId, RoomName};

/// Returns the seats of the last run, at most [`Limits::GHOSTS`]. One that is none is left out.
///
/// # Errors
/// A [`StoreError`] when they cannot be read.
pub(super) fn load(connection: &Connection) -> Result<Vec<Membership>, StoreError> {
    let mut statement =
        connection.prepare("SELECT author, room, nick, person FROM seats ORDER BY author, room LIMIT ?1")?;
    let mut rows = statement.query([i64::try_from(Limits::GHOSTS).unwrap_or(i64::MAX)])?;
    let mut memberships = Vec::new();
    while let Some(row) = rows.next()? {
        let (Ok(author), Ok(room), Ok(nick)) = (row.get(0), row.get::<_, String>(1), row.get::<_, String>(2)) else {
            continue;
        };
        let person = row.get::<_, Option<i64>>(3).ok().flatten().map(|person| PersonId(read::number(person)));
        memberships.push(Membership {
            author: Hex(author),
            room: RoomName::read(&room),
            nick: Nick::read(&nick),
            person,
        });
    }
    Ok(memberships)
}

/// Keeps and forgets seats.
///
/// # Errors
/// A [`StoreError`] when nothing was changed.
pub(super) fn keep(connection: &mut Connection, changes: &[MembershipChange]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = transaction
            .prepare_cached("INSERT OR REPLACE INTO seats (author, room, nick, person) VALUES (?1, ?2, ?3, ?4)")?;
        let mut forget = transaction.prepare_cached("DELETE FROM seats WHERE author = ?1 AND room = ?2")?;
        for MembershipChange { author, room, who } in changes {
            match who {
                Some((nick, person)) => {
                    put.execute(params![author.0, room.as_str(), nick.as_str(), read::integer(person.0)])?
                }
                None => forget.execute(params![author.0, room.as_str()])?,
            };
        }
    }
    Ok(transaction.commit()?)
}

/// Forgets the seats that [`load`] does not return for their number.
///
/// # Errors
/// What `SQLite` says.
pub(super) fn forget_too_many(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM seats WHERE (author, room) IN (SELECT author, room FROM seats ORDER BY author, room LIMIT -1 OFFSET ?1)",
        [i64::try_from(Limits::GHOSTS).unwrap_or(i64::MAX)],
    )?;
    Ok(())
}
