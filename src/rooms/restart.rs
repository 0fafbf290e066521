//! What is stored for the next start: who has which membership, so that they can come back to it.
//! Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{IfTaken, MemberId, Rooms};
use crate::protocol::{Author, Limits, Nick, PersonId, RoomName};

/// A membership that somebody had when the server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The person.
    pub author: Author,
    /// The room.
    pub room: RoomName,
    /// The nick.
    pub nick: Nick,
    /// The person's public id, if it was stored.
    pub person: Option<PersonId>,
}

impl Rooms {
    /// Begins with the people of an earlier run, as if their connections had just been lost. They
    /// are charged to no address: the earlier run has bounded their number. Numbers up to
    /// `numbered` were given in earlier runs: new people get numbers after it and after all of
    /// these, and private messages get numbers after it.
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
                // This program never stores two such memberships together.
                self.changed.insert((author, room), None);
                continue;
            }
            let member = self.new_seat(author, None, room.clone(), true);
            self.open.entry(room).or_default().members.insert(nick, member);
            self.lose(member, Duration::ZERO);
        }
    }

    /// Returns what changed since the last call: the author and room of each membership, with the
    /// nick and public id of its person, or `None` if nobody has it.
    pub fn changed_memberships(&mut self) -> BTreeMap<(Author, RoomName), Option<(Nick, PersonId)>> {
        std::mem::take(&mut self.changed)
    }

    /// Notes the owner of a membership, if they can come back to it.
    pub(super) fn keep(&mut self, member: MemberId, room: &RoomName, nick: Option<&Nick>) {
        if let Some(place) = self.memberships.get(&member).filter(|place| place.can_return) {
            let id = self.people.get(&place.author).map(|person| person.id);
            self.changed.insert((place.author, room.clone()), nick.cloned().zip(id));
        }
    }
}
