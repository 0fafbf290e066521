//! Private messages: which connection of a person receives them, whatever the room. Pure.

use std::collections::VecDeque;

use super::{MemberId, Person, Rooms};
use crate::protocol::{Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, PersonId, ServerMessage, sanitize};

/// The recipient of a private message, as the sender names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To {
    /// The nick. It decides, unless `peer` is set.
    pub nick: Nick,
    /// The person, whatever their nick is by now.
    pub peer: Option<PersonId>,
}

/// The recipient of a private message, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The connection that receives it.
    pub member: MemberId,
    /// The person.
    pub author: Author,
    /// The person's public id.
    pub id: PersonId,
    /// Their nick as they write it.
    pub nick: Nick,
}

/// The sender of an owed event, and the key of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The person.
    pub author: Author,
    /// The idempotency key, if there is one.
    pub key: Option<IdempotencyKey>,
}

/// Why nothing more can be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The recipient is not here, or is not receiving messages.
    Recipient,
    /// Too many of the sender's messages have not arrived.
    Sender,
}

/// The number and size of the events that wait for one person, or that one person has sent to
/// others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    count: usize,
    text: usize,
}

impl Load {
    fn and(self, text: usize) -> Self {
        Self { count: self.count + 1, text: self.text + text }
    }

    fn without(self, text: usize) -> Self {
        Self { count: self.count.saturating_sub(1), text: self.text.saturating_sub(text) }
    }

    fn is_too_much(self) -> bool {
        self.count > Limits::UNCONFIRMED || self.text > Limits::UNCONFIRMED_TEXT
    }
}

/// An event that waits for a person until one of their connections has confirmed it.
#[derive(Debug)]
pub(super) struct Owed {
    event: ServerMessage,
    /// The person who is told if nobody receives it.
    sender: Option<Sender>,
    /// The connection that it was given to, and its number among the events of that connection.
    given: Option<(MemberId, u64)>,
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
    /// Records that an event is owed to a person until one of their connections has confirmed it.
    /// The event is a private message, or the news that one was not delivered.
    ///
    /// # Errors
    /// [`Full`], if the recipient is not here or is not receiving messages, or if too many of the
    /// sender's messages have not arrived.
    pub fn owe(&mut self, to: Author, event: ServerMessage, sender: Option<Sender>) -> Result<(), Full> {
        let person = self.people.get_mut(&to).ok_or(Full::Recipient)?;
        let owed = Owed { event, sender, given: None };
        let text = owed.text_len();
        let waiting = person.owed.iter().fold(Load::default(), |load, owed| load.and(owed.text_len()));
        if waiting.and(text).is_too_much() {
            return Err(Full::Recipient);
        }
        if let Some(Sender { author, .. }) = &owed.sender {
            let load = self.under_way.get(author).copied().unwrap_or_default().and(text);
            if load.is_too_much() {
                return Err(Full::Sender);
            }
            self.under_way.insert(*author, load);
        }
        person.owed.push_back(owed);
        Ok(())
    }

    /// Notes that these events are no longer owed.
    fn is_settled(&mut self, owed: &VecDeque<Owed>) {
        for owed in owed {
            let Some(Sender { author, .. }) = &owed.sender else { continue };
            let Some(load) = self.under_way.get_mut(author) else { continue };
            *load = load.without(owed.text_len());
            if *load == Load::default() {
                self.under_way.remove(author);
            }
        }
    }

    /// Gives the owed events of a person to the connection that sent something or joined last.
    /// Events that a live connection has already are left out. `deliver` returns whether the
    /// connection accepted an event. An event that it did not accept is given later, after an
    /// earlier one was confirmed.
    pub fn hand_over(&mut self, to: Author, mut deliver: impl FnMut(MemberId, &ServerMessage) -> bool) {
        let Some(member) = self.people.get(&to).and_then(|person| self.live_seat(person)) else { return };
        let Some(person) = self.people.get_mut(&to) else { return };
        let memberships = &mut self.memberships;
        let is_there = |member: &MemberId| memberships.get(member).is_some_and(|place| place.dropped.is_none());
        for owed in &mut person.owed {
            owed.given.take_if(|(member, _)| !is_there(member));
        }
        for owed in person.owed.iter_mut().filter(|owed| owed.given.is_none()) {
            if !deliver(member, &owed.event) {
                break;
            }
            if let Some(place) = memberships.get_mut(&member) {
                place.given += 1;
                owed.given = Some((member, place.given));
            }
        }
        // With no event in flight, no confirmation would cause the next attempt.
        if person.owed.iter().all(|owed| owed.given.is_none()) {
            let owed = std::mem::take(&mut person.owed);
            self.nobody_took(owed, "is not receiving messages");
        }
    }

    /// Notes that a connection has received the first `count` events that it was given. Returns its
    /// person.
    pub fn confirm(&mut self, member: MemberId, count: u64) -> Option<Author> {
        let author = self.memberships.get(&member)?.author;
        let is_had = |owed: &Owed| owed.given.is_some_and(|(to, number)| to == member && number <= count);
        let owed = &mut self.people.get_mut(&author)?.owed;
        let (had, left) = std::mem::take(owed).into_iter().partition(is_had);
        *owed = left;
        self.is_settled(&had);
        Some(author)
    }

    /// Notes that nobody receives these events. Their senders are to be told why, and may send them
    /// again.
    pub(super) fn nobody_took(&mut self, owed: VecDeque<Owed>, why: &str) {
        /// The maximum number of characters of the text that are quoted.
        const QUOTED: usize = 40;
        self.is_settled(&owed);
        for Owed { event, sender, .. } in owed {
            let (ServerMessage::Private(private), Some(Sender { author, key })) = (event, sender) else { continue };
            if let Some(person) = self.people.get_mut(&author) {
                person.private_keys.retain(|(used, _)| Some(used) != key.as_ref());
            }
            let text = sanitize::line(private.text.as_str());
            let mut quoted: String = text.chars().take(QUOTED).collect();
            if quoted.len() < text.len() {
                quoted.push('…');
            }
            let words = format!("{} {why} and did not get \"{quoted}\"", private.to);
            self.undelivered.push((author, Failure::new(ErrorCode::Unreachable, words).about(key)));
        }
    }

    /// Takes the failures to report, with the senders that are to be told.
    pub fn undelivered(&mut self) -> Vec<(Author, Failure)> {
        std::mem::take(&mut self.undelivered)
    }

    /// Notes that a person has sent something from this member. Private messages for that person go
    /// there.
    pub fn spoke(&mut self, member: MemberId) {
        let Some(place) = self.memberships.get(&member) else { return };
        let Some(person) = self.people.get_mut(&place.author) else { return };
        if person.memberships.last() != Some(&member) {
            person.memberships.retain(|other| *other != member);
            person.memberships.push(member);
        }
    }

    /// Returns the recipient of a private message: of that person's live connections, the one that
    /// sent something or joined last.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchNick`], or [`ErrorCode::Unreachable`] while all connections of that
    /// person are lost.
    pub fn addressee(&self, to: &To) -> Result<Addressee, Failure> {
        let To { nick, peer } = to;
        let author = match peer {
            Some(id) => self.numbers.get(id).copied(),
            None => self.nick_registry.find(nick),
        };
        let Some((author, person)) = author.and_then(|author| Some((author, self.people.get(&author)?))) else {
            let words = match peer {
                Some(_) => format!("{nick} has gone; whoever is called so now is another person"),
                None => format!("nobody called {nick} is here"),
            };
            return Err(Failure::new(ErrorCode::NoSuchNick, words));
        };
        let Some(member) = self.live_seat(person) else {
            let words = format!("{} has lost the connection; nothing was delivered", person.nick);
            return Err(Failure::new(ErrorCode::Unreachable, words));
        };
        Ok(Addressee { member, author, id: person.id, nick: person.nick.clone() })
    }

    /// Returns the public id of the member's person.
    #[must_use]
    pub fn person(&self, member: MemberId) -> Option<PersonId> {
        Some(self.people.get(&self.memberships.get(&member)?.author)?.id)
    }

    /// Returns the live connection of a person that sent something or joined last.
    fn live_seat(&self, person: &Person) -> Option<MemberId> {
        let is_there = |member: &&MemberId| self.memberships.get(*member).is_some_and(|place| place.dropped.is_none());
        person.memberships.iter().rfind(is_there).copied()
    }

    /// Returns a new id for a private message.
    pub fn number_private(&mut self) -> u64 {
        self.privates_seen += 1;
        self.privates_seen
    }

    /// Returns the id of the private message that this person recently sent with `key`, if there is
    /// one.
    #[must_use]
    pub fn earlier_private(&self, member: MemberId, key: &IdempotencyKey) -> Option<u64> {
        let person = self.people.get(&self.memberships.get(&member)?.author)?;
        person.private_keys.iter().find(|(used, _)| used == key).map(|(_, id)| *id)
    }

    /// Remembers `key` and the id of a private message that was accepted.
    pub fn note_private(&mut self, member: MemberId, key: IdempotencyKey, id: u64) {
        let Some(place) = self.memberships.get(&member) else { return };
        if let Some(person) = self.people.get_mut(&place.author) {
            person.private_keys.push_back((key, id));
            if person.private_keys.len() > Limits::PRIVATE_KEYS {
                person.private_keys.pop_front();
            }
        }
    }
}
