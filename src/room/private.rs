//! Whom a private message goes to: one connection of one person, whatever the room. Pure.

use super::{Rooms, SeatId};
use crate::wire::{ErrorCode, Failure, IdempotencyKey, Limits, Nick};

impl Rooms {
    /// Notes that somebody has spoken from there: what is for them alone goes there.
    pub fn spoke(&mut self, seat: SeatId) {
        let Some(place) = self.seats.get(&seat) else { return };
        let Some(person) = self.people.get_mut(&place.author) else { return };
        if person.seats.last() != Some(&seat) {
            person.seats.retain(|other| *other != seat);
            person.seats.push(seat);
        }
    }

    /// Returns whom a private message to `nick` goes to, and their nick as they write it: of their connections that are not
    /// lost, the one that spoke or arrived last.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchNick`], or [`ErrorCode::Unreachable`] while all connections of that person are lost.
    pub fn addressee(&self, nick: &Nick) -> Result<(SeatId, Nick), Failure> {
        let Some(person) = self.roster.find(nick).and_then(|author| self.people.get(&author)) else {
            return Err(Failure::new(ErrorCode::NoSuchNick, format!("nobody called {nick} is here")));
        };
        let is_there = |seat: &&SeatId| self.seats.get(*seat).is_some_and(|place| place.dropped.is_none());
        let Some(seat) = person.seats.iter().rfind(is_there) else {
            let words = format!("{} has lost the connection; nothing was delivered", person.nick);
            return Err(Failure::new(ErrorCode::Unreachable, words));
        };
        Ok((*seat, person.nick.clone()))
    }

    /// Returns whether `key` is new among the private messages this person sent lately.
    #[must_use]
    pub fn is_new_private(&self, seat: SeatId, key: &IdempotencyKey) -> bool {
        let person = self.seats.get(&seat).and_then(|place| self.people.get(&place.author));
        person.is_none_or(|person| !person.private_keys.contains(key))
    }

    /// Remembers `key` as one that was delivered.
    pub fn note_private(&mut self, seat: SeatId, key: IdempotencyKey) {
        let Some(place) = self.seats.get(&seat) else { return };
        if let Some(person) = self.people.get_mut(&place.author) {
            person.private_keys.push_back(key);
            if person.private_keys.len() > Limits::PRIVATE_KEYS {
                person.private_keys.pop_front();
            }
        }
    }
}
