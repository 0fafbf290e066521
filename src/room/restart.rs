//! What is kept for the next start: who has which place, and comes back to it. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{IfTaken, Rooms, SeatId};
use crate::wire::{Author, Limits, Nick, RoomName};

impl Rooms {
    /// Begins with the people of an earlier run, as those whose connections are lost: of each the author, the room and the nick. They are
    /// charged to no address: their number is bounded by what the earlier run kept. People who come are numbered after
    /// `people_seen`.
    pub fn restore(&mut self, people_seen: u64, seats: impl IntoIterator<Item = (Author, RoomName, Nick)>) {
        self.people_seen = people_seen;
        for (author, room, nick) in seats {
            let known = self.people.get(&author).map(|person| (person.nick == nick, person.seats.len()));
            let is_free = match known {
                Some((is_same, seats)) => is_same && seats < Limits::SEATS && self.seat_of(&nick, &room).is_none(),
                None => self.introduce(author, Some(nick.clone()), IfTaken::Refuse).is_ok(),
            };
            if !is_free {
                // Nothing that this program keeps together.
                self.changed.insert((author, room), None);
                continue;
            }
            let seat = self.new_seat(author, None, room.clone(), true);
            self.open.entry(room).or_default().members.insert(nick, seat);
            self.lose(seat, Duration::ZERO);
        }
    }

    /// Returns what changed since this was last asked: the author and the room of a seat, and the nick of who has it, if anybody.
    pub fn changed_seats(&mut self) -> BTreeMap<(Author, RoomName), Option<Nick>> {
        std::mem::take(&mut self.changed)
    }

    /// Notes who has a seat, if they can come back to it.
    pub(super) fn keep(&mut self, seat: SeatId, room: &RoomName, nick: Option<&Nick>) {
        if let Some(place) = self.seats.get(&seat).filter(|place| place.can_return) {
            self.changed.insert((place.author, room.clone()), nick.cloned());
        }
    }
}
