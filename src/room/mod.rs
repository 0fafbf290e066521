//! Who is where, under which name, and what the others are told of it. Pure: no tokio, no clock, no randomness.
//!
//! Every method takes what happened and, where it matters, `now`: the time since the server started. What must be said to a
//! room without anybody asking comes out of [`Rooms::due`] and [`Rooms::flush`].

mod digest;
mod roster;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use self::{digest::Digest, roster::Roster};
use crate::wire::{
    Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, Presence, RoomEntry, RoomName, RoomView, Topic,
};

/// One connection's place. A person who comes back has another seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId(u64);

/// What happens when the nick somebody wants is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfTaken {
    /// They get the next free one.
    Next,
    /// They are told, and a free one is suggested.
    Refuse,
}

/// Somebody who comes in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who it is: an author who is still here, or dropped within the grace, is the same person.
    pub author: Author,
    /// The nick wanted; without one they are a guest.
    pub nick: Option<Nick>,
    /// What happens when it is taken.
    pub if_taken: IfTaken,
    /// Where to.
    pub room: RoomName,
    /// Whether they were here before, so far as they can know. Within [`Limits::GRACE`] of its start a server takes their word
    /// for it: a restart is nobody's coming.
    pub returning: bool,
}

/// Where somebody who came in sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seated {
    /// Their place.
    pub seat: SeatId,
    /// The nick they have.
    pub nick: Nick,
    /// The earlier connection of the same person, which has lost its place.
    pub evicted: Option<SeatId>,
}

/// Something to tell a room that is not in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub presence: Presence,
    /// The only person it is about, who need not be told; none when it is about several.
    pub about: Option<SeatId>,
}

#[derive(Debug)]
struct Person {
    nick: Nick,
    author: Author,
    room: RoomName,
    /// When the connection was lost, if it is.
    dropped: Option<Duration>,
    private_keys: VecDeque<IdempotencyKey>,
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<Nick, SeatId>,
    topic: Option<Topic>,
    digest: Digest,
}

/// Everybody and every room that has somebody in it.
#[derive(Debug, Default)]
pub struct Rooms {
    people: HashMap<SeatId, Person>,
    authors: HashMap<Author, SeatId>,
    roster: Roster,
    open: HashMap<RoomName, Room>,
    seats: u64,
    /// Lost connections, the oldest first; one that came back is no longer `dropped` at that time.
    dropped: VecDeque<(Duration, SeatId)>,
    /// Rooms with a digest to send, the oldest first; one sent early has none.
    digests: VecDeque<(Duration, RoomName)>,
}

impl Rooms {
    /// Seats `arrival`, and tells the room unless it is somebody whose connection was lost and who comes back.
    ///
    /// # Errors
    /// [`ErrorCode::NickTaken`] with a free nick, when that is wanted.
    pub fn arrive(&mut self, arrival: Arrival, now: Duration) -> Result<Seated, Failure> {
        let Arrival { author, nick, if_taken, room, returning } = arrival;
        if let Some(evicted) = self.authors.get(&author).copied() {
            return Ok(self.come_back(evicted, room, now));
        }
        let nick = match nick {
            None => self.roster.free_guest(),
            Some(nick) if !self.roster.is_taken(&nick) => nick,
            Some(nick) => match (if_taken, self.roster.next_free(&nick)) {
                (IfTaken::Next, free) => free,
                (IfTaken::Refuse, free) => return Err(taken(&nick, free)),
            },
        };
        let seat = self.new_seat();
        self.roster.take(&nick, seat);
        self.authors.insert(author, seat);
        let person =
            Person { nick: nick.clone(), author, room: room.clone(), dropped: None, private_keys: VecDeque::new() };
        self.people.insert(seat, person);
        self.enter(seat, &nick, room, now, returning && now < Limits::GRACE);
        Ok(Seated { seat, nick, evicted: None })
    }

    /// Gives the place of `evicted` to a new seat, without a word to anybody if the room is the same.
    fn come_back(&mut self, evicted: SeatId, room: RoomName, now: Duration) -> Seated {
        let seat = self.new_seat();
        let nick = match self.people.remove(&evicted) {
            Some(person) => {
                let nick = person.nick.clone();
                self.authors.insert(person.author, seat);
                self.roster.take(&nick, seat);
                if let Some(members) = self.open.get_mut(&person.room).map(|room| &mut room.members) {
                    members.insert(nick.clone(), seat);
                }
                self.people.insert(seat, Person { dropped: None, ..person });
                nick
            }
            // `authors` names only people who are there.
            None => self.roster.free_guest(),
        };
        self.go(seat, room, now);
        Seated { seat, nick, evicted: Some(evicted) }
    }

    /// Moves somebody to another room.
    pub fn go(&mut self, seat: SeatId, to: RoomName, now: Duration) {
        let Some(person) = self.people.get_mut(&seat) else { return };
        if person.room == to {
            return;
        }
        let from = std::mem::replace(&mut person.room, to.clone());
        let nick = person.nick.clone();
        self.exit(seat, &nick, &from, now);
        self.enter(seat, &nick, to, now, false);
    }

    /// Takes another nick.
    ///
    /// # Errors
    /// [`ErrorCode::NickTaken`] with a free nick.
    pub fn rename(&mut self, seat: SeatId, to: &Nick, now: Duration) -> Result<(), Failure> {
        let Some(person) = self.people.get_mut(&seat) else { return Ok(()) };
        if person.nick == *to {
            return Ok(());
        }
        if self.roster.is_taken_by_another(to, seat) {
            return Err(taken(to, self.roster.next_free(to)));
        }
        let from = std::mem::replace(&mut person.nick, to.clone());
        self.roster.free(&from, seat);
        self.roster.take(to, seat);
        if let Some(room) = self.open.get_mut(&person.room) {
            room.members.remove(&from);
            room.members.insert(to.clone(), seat);
            if room.digest.renamed(seat, from, to.clone()) {
                self.digests.push_back((now + Limits::PRESENCE, person.room.clone()));
            }
        }
        Ok(())
    }

    /// Notes that somebody's connection was lost: their place is kept for [`Limits::GRACE`], and nobody is told.
    pub fn lose(&mut self, seat: SeatId, now: Duration) {
        if let Some(person) = self.people.get_mut(&seat) {
            person.dropped = Some(now);
            self.dropped.push_back((now, seat));
        }
        while self.dropped.len() > Limits::GHOSTS {
            self.let_go(now);
        }
    }

    /// Notes that somebody has left for good. Nothing happens if their place has gone to a newer connection.
    pub fn leave(&mut self, seat: SeatId, now: Duration) {
        if let Some(person) = self.people.remove(&seat) {
            self.authors.remove(&person.author);
            self.roster.free(&person.nick, seat);
            self.exit(seat, &person.nick, &person.room, now);
        }
    }

    /// Returns the nick, author and room of whoever sits there.
    #[must_use]
    pub fn whereabouts(&self, seat: SeatId) -> Option<(&Nick, Author, &RoomName)> {
        self.people.get(&seat).map(|person| (&person.nick, person.author, &person.room))
    }

    /// Returns whether anybody is in the room.
    #[must_use]
    pub fn is_open(&self, room: &RoomName) -> bool {
        self.open.contains_key(room)
    }

    /// Returns how many rooms have somebody in them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// Sets what is told to whoever comes in, if anybody is there to be told.
    pub fn set_topic(&mut self, room: &RoomName, topic: Option<Topic>) {
        if let Some(room) = self.open.get_mut(room) {
            room.topic = topic;
        }
    }

    /// Returns a room as one finds it who comes in.
    #[must_use]
    pub fn view(&self, name: &RoomName) -> RoomView {
        let room = self.open.get(name);
        RoomView {
            room: name.clone(),
            topic: room.and_then(|room| room.topic.clone()),
            people: room.map_or(0, |room| room.members.len()),
            names: room.map_or(Vec::new(), |room| room.members.keys().take(Limits::NAMES).cloned().collect()),
        }
    }

    /// Returns the fullest rooms, and how many rooms there are.
    #[must_use]
    pub fn list(&self) -> (Vec<RoomEntry>, usize) {
        let mut names: Vec<_> =
            self.open.iter().map(|(name, room)| (std::cmp::Reverse(room.members.len()), name)).collect();
        names.sort_unstable();
        names.truncate(Limits::ROOMS);
        let entry = |(people, name): (std::cmp::Reverse<usize>, &RoomName)| RoomEntry {
            room: name.clone(),
            people: people.0,
            topic: self.open.get(name).and_then(|room| room.topic.clone()),
        };
        (names.into_iter().map(entry).collect(), self.open.len())
    }

    /// Returns whom a private message to `nick` goes to, and their nick as they write it.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchNick`], or [`ErrorCode::Unreachable`] while that person's connection is lost.
    pub fn addressee(&self, nick: &Nick) -> Result<(SeatId, Nick), Failure> {
        let found = self.roster.find(nick).and_then(|seat| Some((seat, self.people.get(&seat)?)));
        match found {
            None => Err(Failure::new(ErrorCode::NoSuchNick, format!("nobody called {nick} is here"))),
            Some((_, person)) if person.dropped.is_some() => {
                let words = format!("{} has lost the connection; nothing was delivered", person.nick);
                Err(Failure::new(ErrorCode::Unreachable, words))
            }
            Some((seat, person)) => Ok((seat, person.nick.clone())),
        }
    }

    /// Returns whether `key` is new among the private messages this person sent lately.
    #[must_use]
    pub fn is_new_private(&self, seat: SeatId, key: &IdempotencyKey) -> bool {
        self.people.get(&seat).is_none_or(|person| !person.private_keys.contains(key))
    }

    /// Remembers `key` as one that was delivered.
    pub fn note_private(&mut self, seat: SeatId, key: IdempotencyKey) {
        if let Some(person) = self.people.get_mut(&seat) {
            person.private_keys.push_back(key);
            if person.private_keys.len() > Limits::PRIVATE_KEYS {
                person.private_keys.pop_front();
            }
        }
    }

    /// Returns what the room has not been told yet, so that it comes before whatever is said next.
    pub fn flush(&mut self, name: &RoomName) -> Option<Notice> {
        let room = self.open.get_mut(name)?;
        let (presence, about) = std::mem::take(&mut room.digest).into_presence(name, room.members.len())?;
        Some(Notice { presence, about })
    }

    /// Returns when [`Self::due`] next has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let dropped = self.dropped.front().map(|(since, _)| *since + Limits::GRACE);
        let digest = self.digests.front().map(|(due, _)| *due);
        dropped.into_iter().chain(digest).min()
    }

    /// Lets go of whoever did not come back within the grace, and returns what is now to be told.
    pub fn due(&mut self, now: Duration) -> Vec<Notice> {
        while self.dropped.front().is_some_and(|(since, _)| *since + Limits::GRACE <= now) {
            self.let_go(now);
        }
        let mut notices = Vec::new();
        while let Some((_, room)) = self.digests.pop_front_if(|(due, _)| *due <= now) {
            notices.extend(self.flush(&room));
        }
        notices
    }

    /// Ends the grace of whoever was lost first, unless they are back.
    fn let_go(&mut self, now: Duration) {
        if let Some((since, seat)) = self.dropped.pop_front()
            && self.people.get(&seat).is_some_and(|person| person.dropped == Some(since))
        {
            self.leave(seat, now);
        }
    }

    fn new_seat(&mut self) -> SeatId {
        self.seats += 1;
        SeatId(self.seats)
    }

    fn enter(&mut self, seat: SeatId, nick: &Nick, name: RoomName, now: Duration, returns: bool) {
        let room = self.open.entry(name.clone()).or_default();
        room.members.insert(nick.clone(), seat);
        // Who comes into an empty room is nobody's news.
        if room.members.len() == 1 {
            return;
        }
        let digest = &mut room.digest;
        let first = if returns { digest.returned(seat, nick.clone()) } else { digest.joined(seat, nick.clone()) };
        if first {
            self.digests.push_back((now + Limits::PRESENCE, name));
        }
    }

    fn exit(&mut self, seat: SeatId, nick: &Nick, name: &RoomName, now: Duration) {
        let Some(room) = self.open.get_mut(name) else { return };
        room.members.remove(nick);
        if room.members.is_empty() {
            self.open.remove(name);
        } else if room.digest.left(seat, nick.clone()) {
            self.digests.push_back((now + Limits::PRESENCE, name.clone()));
        }
    }
}

fn taken(nick: &Nick, free: Nick) -> Failure {
    let message = format!("{nick} is taken; {free} is free");
    Failure { free: Some(free), ..Failure::new(ErrorCode::NickTaken, message) }
}

#[cfg(test)]
mod tests;
