//! Whom a private message goes to: one connection of one person, whatever the room. Pure.

use std::collections::VecDeque;

use super::{MemberId, Person, Rooms};
use crate::protocol::{Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, PersonId, ServerMessage, sanitize};

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
    pub member: MemberId,
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

/// Why nothing more can be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Who it is for is not here, or takes nothing.
    Recipient,
    /// Too much that the sender said has not arrived.
    Sender,
}

/// What waits for a person, or has been said by one and waits for others.
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

/// What waits for a person until a connection of theirs has confirmed it.
#[derive(Debug)]
pub(super) struct Owed {
    event: ServerMessage,
    /// Who is told if nobody takes it.
    sender: Option<Sender>,
    /// Which connection has it, and as the how manieth.
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
    /// Owes somebody a private message, or that theirs was not delivered, until a connection of
    /// theirs has confirmed it.
    ///
    /// # Errors
    /// [`Full`]: nothing more is owed to somebody who is not here, or takes nothing, nor of somebody whose messages do not arrive.
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

    /// Notes that this is owed no more.
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

    /// Gives what is owed to somebody, and is with no connection that is there, to the one that
    /// spoke or arrived last. `deliver` returns whether it took it; what it does not take is given
    /// once something before it is confirmed.
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
        // What nobody confirms would bring nothing else on its way.
        if person.owed.iter().all(|owed| owed.given.is_none()) {
            let owed = std::mem::take(&mut person.owed);
            self.nobody_took(owed, "is not receiving messages");
        }
    }

    /// Notes that a connection has got so much of what it was given. Returns whose it is.
    pub fn confirm(&mut self, member: MemberId, count: u64) -> Option<Author> {
        let author = self.memberships.get(&member)?.author;
        let is_had = |owed: &Owed| owed.given.is_some_and(|(to, number)| to == member && number <= count);
        let owed = &mut self.people.get_mut(&author)?.owed;
        let (had, left) = std::mem::take(owed).into_iter().partition(is_had);
        *owed = left;
        self.is_settled(&had);
        Some(author)
    }

    /// Notes that nobody takes this: who said it is to be told why, and may say it again.
    pub(super) fn nobody_took(&mut self, owed: VecDeque<Owed>, why: &str) {
        /// Characters of the text that are repeated.
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

    /// Returns what nobody took since this was last asked, for those who said it.
    pub fn undelivered(&mut self) -> Vec<(Author, Failure)> {
        std::mem::take(&mut self.undelivered)
    }

    /// Notes that somebody has spoken from there: what is for them alone goes there.
    pub fn spoke(&mut self, member: MemberId) {
        let Some(place) = self.memberships.get(&member) else { return };
        let Some(person) = self.people.get_mut(&place.author) else { return };
        if person.memberships.last() != Some(&member) {
            person.memberships.retain(|other| *other != member);
            person.memberships.push(member);
        }
    }

    /// Returns whom a private message goes to: of that person's connections that are not lost, the
    /// one that spoke or arrived last.
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

    /// Returns what others may know the person by who sits there.
    #[must_use]
    pub fn person(&self, member: MemberId) -> Option<PersonId> {
        Some(self.people.get(&self.memberships.get(&member)?.author)?.id)
    }

    /// Returns the connection of somebody that spoke or arrived last, of those that are not lost.
    fn live_seat(&self, person: &Person) -> Option<MemberId> {
        let is_there = |member: &&MemberId| self.memberships.get(*member).is_some_and(|place| place.dropped.is_none());
        person.memberships.iter().rfind(is_there).copied()
    }

    /// Returns an id for a private message.
    pub fn number_private(&mut self) -> u64 {
        self.privates_seen += 1;
        self.privates_seen
    }

    /// Returns the id of the private message that this person sent lately with `key`, if there is
    /// one.
    #[must_use]
    pub fn earlier_private(&self, member: MemberId, key: &IdempotencyKey) -> Option<u64> {
        let person = self.people.get(&self.memberships.get(&member)?.author)?;
        person.private_keys.iter().find(|(used, _)| used == key).map(|(_, id)| *id)
    }

    /// Remembers `key` as that of a private message that was taken, and its id.
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
