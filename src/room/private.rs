//! Whom a private message goes to: one connection of one person, whatever the room. Pure.

use std::collections::VecDeque;

use super::{Person, Rooms, SeatId};
use crate::wire::{Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, PersonId, ServerMessage, clean};

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

/// Who said something that is owed, and under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who.
    pub author: Author,
    /// The key, if there is one.
    pub key: Option<IdempotencyKey>,
}

/// What waits for a person until a connection of theirs has confirmed it.
#[derive(Debug)]
pub(super) struct Owed {
    event: ServerMessage,
    /// Who is told if nobody takes it.
    sender: Option<Sender>,
    /// Which connection has it, and as the how manieth.
    given: Option<(SeatId, u64)>,
}

impl Owed {
    fn text_len(&self) -> usize {
        match &self.event {
            ServerMessage::Private(private) => private.text.as_str().len(),
            _ => 0,
        }
    }
}

impl Rooms {
    /// Owes somebody a private message, or that theirs was not delivered, until a connection of theirs has confirmed it. Returns
    /// whether it could be taken: nothing more is owed to somebody who is not here, or takes nothing.
    pub fn owe(&mut self, to: Author, event: ServerMessage, sender: Option<Sender>) -> bool {
        let Some(person) = self.people.get_mut(&to) else { return false };
        let owed = Owed { event, sender, given: None };
        let text = owed.text_len() + person.owed.iter().map(Owed::text_len).sum::<usize>();
        let has_room = person.owed.len() < Limits::UNCONFIRMED && text <= Limits::UNCONFIRMED_TEXT;
        if has_room {
            person.owed.push_back(owed);
        }
        has_room
    }

    /// Gives what is owed to somebody, and is with no connection that is there, to the one that spoke or arrived last. `deliver`
    /// returns whether it took it; what it does not take is given once something before it is confirmed.
    pub fn hand_over(&mut self, to: Author, mut deliver: impl FnMut(SeatId, &ServerMessage) -> bool) {
        let Some(seat) = self.people.get(&to).and_then(|person| self.live_seat(person)) else { return };
        let Some(person) = self.people.get_mut(&to) else { return };
        let seats = &mut self.seats;
        let is_there = |seat: &SeatId| seats.get(seat).is_some_and(|place| place.dropped.is_none());
        for owed in &mut person.owed {
            owed.given.take_if(|(seat, _)| !is_there(seat));
        }
        for owed in person.owed.iter_mut().filter(|owed| owed.given.is_none()) {
            if !deliver(seat, &owed.event) {
                break;
            }
            if let Some(place) = seats.get_mut(&seat) {
                place.given += 1;
                owed.given = Some((seat, place.given));
            }
        }
        // What nobody confirms would bring nothing else on its way.
        if person.owed.iter().all(|owed| owed.given.is_none()) {
            let owed = std::mem::take(&mut person.owed);
            self.nobody_took(owed);
        }
    }

    /// Notes that a connection has got so much of what it was given. Returns whose it is.
    pub fn confirm(&mut self, seat: SeatId, count: u64) -> Option<Author> {
        let author = self.seats.get(&seat)?.author;
        let is_had = |owed: &Owed| owed.given.is_some_and(|(to, number)| to == seat && number <= count);
        self.people.get_mut(&author)?.owed.retain(|owed| !is_had(owed));
        Some(author)
    }

    /// Notes that nobody is left to take this: who said it is to be told, and may say it again.
    pub(super) fn nobody_took(&mut self, owed: VecDeque<Owed>) {
        /// Characters of the text that are repeated.
        const QUOTED: usize = 40;
        for Owed { event, sender, .. } in owed {
            let (ServerMessage::Private(private), Some(Sender { author, key })) = (event, sender) else { continue };
            if let Some(person) = self.people.get_mut(&author) {
                person.private_keys.retain(|used| Some(used) != key.as_ref());
            }
            let text = clean::line(private.text.as_str());
            let mut quoted: String = text.chars().take(QUOTED).collect();
            if quoted.len() < text.len() {
                quoted.push('…');
            }
            let words = format!("{} has gone and did not get \"{quoted}\"", private.to);
            self.undelivered.push((author, Failure::new(ErrorCode::Unreachable, words).about(key)));
        }
    }

    /// Returns what nobody took since this was last asked, for those who said it.
    pub fn undelivered(&mut self) -> Vec<(Author, Failure)> {
        std::mem::take(&mut self.undelivered)
    }

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
