//! Whom a private message goes to: one connection of one person, whatever the room. Pure.

use super::{Person, Rooms, SeatId};
use crate::wire::{Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, PersonId};

/// Whom a private message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To {
    /// Whoever is called so, unless it says which person.
    pub nick: Nick,
    /// That very person, whatever they are called by now.
    pub peer: Option<PersonId>,
}

/// Whom a private message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The connection that it goes to.
    pub seat: SeatId,
    /// The person.
    pub author: Author,
    /// The person, as others know it.
    pub id: PersonId,
    /// Their nick as they write it.
    pub nick: Nick,
}

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

    /// Returns whom a private message goes to: of that person's connections that are not lost, the one that spoke or arrived last.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchNick`], or [`ErrorCode::Unreachable`] while all connections of that person are lost.
    pub fn addressee(&self, to: &To) -> Result<Addressee, Failure> {
        let To { nick, peer } = to;
        let author = match peer {
            Some(id) => self.numbers.get(id).copied(),
            None => self.roster.find(nick),
        };
        let Some((author, person)) = author.and_then(|author| Some((author, self.people.get(&author)?))) else {
            let words = match peer {
                Some(_) => format!("{nick} has gone; whoever is called so now is another person"),
                None => format!("nobody called {nick} is here"),
            };
            return Err(Failure::new(ErrorCode::NoSuchNick, words));
        };
        let Some(seat) = self.live_seat(person) else {
            let words = format!("{} has lost the connection; nothing was delivered", person.nick);
            return Err(Failure::new(ErrorCode::Unreachable, words));
        };
        Ok(Addressee { seat, author, id: person.id, nick: person.nick.clone() })
    }

    /// Returns what others may know the person by who sits there.
    #[must_use]
    pub fn person(&self, seat: SeatId) -> Option<PersonId> {
        Some(self.people.get(&self.seats.get(&seat)?.author)?.id)
    }

    /// Returns the connection of somebody that spoke or arrived last, of those that are not lost.
    fn live_seat(&self, person: &Person) -> Option<SeatId> {
        let is_there = |seat: &&SeatId| self.seats.get(*seat).is_some_and(|place| place.dropped.is_none());
        person.seats.iter().rfind(is_there).copied()
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
