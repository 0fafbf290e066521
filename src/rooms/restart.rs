//! What is kept for the next start: who has which place, and comes back to it. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{IfTaken, MemberId, Rooms};
use crate::protocol::{Author, Limits, Nick, PersonId, RoomName};

/// A place that somebody had when the server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose.
    pub author: Author,
    /// Where.
    pub room: RoomName,
    /// What they are called.
    pub nick: Nick,
    /// What others know them by, if that was kept.
    pub person: Option<PersonId>,
}

impl Rooms {
    /// Begins with the people of an earlier run, as those whose connections are lost. They are
    /// charged to no address: their number is bounded by what the earlier run kept. What was
    /// numbered then has numbers up to `numbered`: people who come are numbered after it and after
    /// all of these, private messages after it.
    pub fn restore(&mut self, numbered: u64, memberships: impl IntoIterator<Item = Kept>) {
        (self.people_seen, self.privates_seen) = (numbered, numbered);
        for Kept { author, room, nick, person } in memberships {
            let known = self.people.get(&author).map(|person| (person.nick == nick, person.memberships.len()));
            let is_free = match known {
                Some((is_same, memberships)) => {
                    is_same && memberships < Limits::SEATS && self.seat_of(&nick, &room).is_none()
                }
                None => self.introduce(author, Some(nick.clone()), IfTaken::Refuse, person, Duration::ZERO).is_ok(),
            };
            if !is_free {
                // Nothing that this program keeps together.
                self.changed.insert((author, room), None);
                continue;
            }
            let member = self.new_seat(author, None, room.clone(), true);
            self.open.entry(room).or_default().members.insert(nick, member);
            self.lose(member, Duration::ZERO);
        }
    }

    /// Returns what changed since this was last asked: the author and the room of a seat, and the
    /// nick of who has it and what others know them by, if anybody has it.
    pub fn changed_memberships(&mut self) -> BTreeMap<(Author, RoomName), Option<(Nick, PersonId)>> {
        std::mem::take(&mut self.changed)
    }

    /// Notes who has a seat, if they can come back to it.
    pub(super) fn keep(&mut self, member: MemberId, room: &RoomName, nick: Option<&Nick>) {
        if let Some(place) = self.memberships.get(&member).filter(|place| place.can_return) {
            let id = self.people.get(&place.author).map(|person| person.id);
            self.changed.insert((place.author, room.clone()), nick.cloned().zip(id));
        }
    }
}
