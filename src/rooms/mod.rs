//! Who is where, under which name, and what the others are told of it. Pure: no tokio, no clock, no
//! randomness.
//!
//! Every method takes what happened and, where it matters, `now`: the time since the server
//! started. What must be said to a room without anybody asking comes out of [`Rooms::due`] and
//! [`Rooms::flush`].
//!
//! A person is whoever has one session token. They have one nick, and a seat in each room that they
//! have a connection to.

mod away;
mod direct_messages;
mod ghosts;
mod member;
mod nick_registry;
mod presence_buffer;
mod restart;

// An address is a value; the sockets are in `std`.
use core::net::IpAddr;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use self::{
    away::Away,
    direct_messages::{Load, Owed},
    ghosts::Ghosts,
    nick_registry::NickRegistry,
    presence_buffer::PresenceBuffer,
};
pub use self::{
    away::Known,
    direct_messages::{Addressee, Full, Sender, To},
    member::MemberId,
    restart::Kept,
};
use crate::protocol::{
    Author, ErrorCode, Failure, IdempotencyKey, Limits, Nick, PersonId, Presence, RoomEntry, RoomName, RoomView, Topic,
    TopicBy,
};

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
    /// The address that their place is charged to while the connection is lost.
    pub address: IpAddr,
    /// The nick wanted; without one they are a guest. Who is here already keeps the nick they have.
    pub nick: Option<Nick>,
    /// What happens when it is taken.
    pub if_taken: IfTaken,
    /// Where to.
    pub room: RoomName,
    /// Whether another connection can show later that it is the same person: without a token nobody
    /// can.
    pub can_return: bool,
    /// Whether they were here before, so far as they can know. Within [`Limits::GRACE`] of its
    /// start a server takes their word for it: a restart is nobody's coming.
    pub returning: bool,
}

/// Where somebody who came in sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Their place.
    pub member: MemberId,
    /// The nick they have.
    pub nick: Nick,
    /// The earlier connection of the same person in this room, which has lost its place.
    pub evicted: Option<MemberId>,
}

/// Something to tell a room that is not in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub presence: Presence,
    /// The only person it is about, who need not be told; none when it is about several.
    pub about: Option<MemberId>,
}

/// Who sits there, and where.
#[derive(Debug)]
struct Member {
    author: Author,
    room: RoomName,
    /// When the connection was lost, if it is.
    dropped: Option<Duration>,
    /// The address the connection came from; none for what an earlier run has left.
    address: Option<IpAddr>,
    /// How much of what is owed to its person it was given.
    given: u64,
    /// Whether another connection can show that it is the same person.
    can_return: bool,
}

#[derive(Debug)]
struct Person {
    id: PersonId,
    nick: Nick,
    /// One in each room, at least one and at most [`Limits::SEATS`]; the one that spoke or arrived
    /// last is the last.
    memberships: Vec<MemberId>,
    /// The keys of private messages that were sent lately, with their ids.
    private_keys: VecDeque<(IdempotencyKey, u64)>,
    owed: VecDeque<Owed>,
    /// Since when they have been here.
    since: Duration,
    /// When they last said something, or came.
    active: Duration,
    away: Option<Away>,
    /// Whom they last wrote to who was away, and which time of being away that was.
    told_away: Option<(PersonId, Duration)>,
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<Nick, MemberId>,
    topic: RoomTopic,
    presence_buffer: PresenceBuffer,
    /// When the digest is told, once there is one.
    due: Option<Duration>,
}

/// The topic of a room. Who comes into an empty room finds nobody who would know it; then it is in
/// the log.
#[derive(Debug, Default)]
enum RoomTopic {
    #[default]
    Unknown,
    Known(Option<TopicBy>),
}

impl RoomTopic {
    fn get(&self) -> Option<&TopicBy> {
        match self {
            Self::Unknown => None,
            Self::Known(topic) => topic.as_ref(),
        }
    }
}

/// Everybody and every room that has somebody in it.
#[derive(Debug, Default)]
pub struct Rooms {
    people: HashMap<Author, Person>,
    numbers: HashMap<PersonId, Author>,
    people_seen: u64,
    privates_seen: u64,
    /// What each has said privately that waits for others, those included who have gone meanwhile;
    /// nobody of whom nothing does.
    under_way: HashMap<Author, Load>,
    /// What nobody took, for those who said it.
    undelivered: Vec<(Author, Failure)>,
    /// Seats of those who can come back that changed since they were last kept, with the nick of
    /// who has them and what others know them by.
    changed: BTreeMap<(Author, RoomName), Option<(Nick, PersonId)>>,
    memberships: HashMap<MemberId, Member>,
    seats_given: u64,
    nick_registry: NickRegistry,
    open: HashMap<RoomName, Room>,
    /// Lost connections: the seats that are `dropped`, and no others.
    ghosts: Ghosts,
    /// Rooms with a digest to tell, the oldest first: those that are `due`, and no others.
    digests: BTreeSet<(Duration, RoomName)>,
}

impl Rooms {
    /// Returns rooms that keep the places of so many lost connections from one address, 0 for no
    /// cap, and of [`Limits::GHOSTS`] in all. Past that an address gives up its own oldest place,
    /// and never another's while it has most itself.
    #[must_use]
    pub fn new(lost_per_address: u32) -> Self {
        let per_address = usize::try_from(lost_per_address).unwrap_or(usize::MAX);
        Self { ghosts: Ghosts::new(per_address, Limits::GHOSTS), ..Self::default() }
    }

    /// Seats `arrival`, and tells the room unless it is somebody who has a seat there: that seat
    /// loses its place.
    ///
    /// # Errors
    /// [`ErrorCode::NickTaken`] with a free nick, when that is wanted; [`ErrorCode::TooManyRooms`]
    /// for a person who has [`Limits::SEATS`] connections that are not lost.
    pub fn arrive(&mut self, arrival: Arrival, now: Duration) -> Result<Joined, Failure> {
        let Arrival { author, address, nick, if_taken, room, can_return, returning } = arrival;
        let nick = match self.people.get(&author).map(|person| person.nick.clone()) {
            Some(nick) => {
                if let Some(evicted) = self.seat_of(&nick, &room) {
                    let member = self.new_seat(author, Some(address), room.clone(), can_return);
                    self.replace(evicted, member, &nick, &room);
                    return Ok(Joined { member, nick, evicted: Some(evicted) });
                }
                self.make_room(author, now)?;
                nick
            }
            None => self.introduce(author, nick, if_taken, None, now)?,
        };
        let member = self.new_seat(author, Some(address), room.clone(), can_return);
        self.keep(member, &room, Some(&nick));
        self.enter(author, member, &nick, &room, now, returning && now < Limits::GRACE);
        Ok(Joined { member, nick, evicted: None })
    }

    /// Gives somebody who was not here a nick, and returns it. They are known to others by `known`
    /// from an earlier run, unless that is somebody else.
    fn introduce(
        &mut self,
        author: Author,
        wanted: Option<Nick>,
        if_taken: IfTaken,
        known: Option<PersonId>,
        now: Duration,
    ) -> Result<Nick, Failure> {
        let nick = match wanted {
            None => self.nick_registry.free_guest(),
            Some(nick) if !self.nick_registry.is_taken(&nick) => nick,
            Some(nick) => match (if_taken, self.nick_registry.next_free(&nick)) {
                (IfTaken::Next, free) => free,
                (IfTaken::Refuse, free) => return Err(taken(&nick, free)),
            },
        };
        self.nick_registry.take(&nick, author);
        // Most people have one seat, and there may be many people.
        let memberships = Vec::with_capacity(1);
        let id = known.filter(|id| !self.numbers.contains_key(id)).unwrap_or(PersonId(self.people_seen + 1));
        self.people_seen = self.people_seen.max(id.0);
        self.numbers.insert(id, author);
        let person = Person {
            id,
            nick: nick.clone(),
            memberships,
            private_keys: VecDeque::new(),
            owed: VecDeque::new(),
            since: now,
            active: now,
            away: None,
            told_away: None,
        };
        self.people.insert(author, person);
        Ok(nick)
    }

    /// Makes sure that this person may have one more seat: of those whose connection is lost, the
    /// oldest is let go.
    fn make_room(&mut self, author: Author, now: Duration) -> Result<(), Failure> {
        let Some(person) = self.people.get(&author).filter(|person| person.memberships.len() >= Limits::SEATS) else {
            return Ok(());
        };
        let lost = person
            .memberships
            .iter()
            .filter_map(|member| Some((self.memberships.get(member)?.dropped?, *member)))
            .min();
        let Some((_, ghost)) = lost else {
            let words = format!("you are in {} rooms, and more are not possible; leave one first", Limits::SEATS);
            return Err(Failure::new(ErrorCode::TooManyRooms, words));
        };
        self.leave(ghost, now);
        Ok(())
    }

    /// Moves somebody to another room. Returns their other connection there, which has lost its
    /// place.
    pub fn go(&mut self, member: MemberId, to: &RoomName, now: Duration) -> Option<MemberId> {
        let place = self.memberships.get_mut(&member).filter(|place| place.room != *to)?;
        let from = std::mem::replace(&mut place.room, to.clone());
        let author = place.author;
        let nick = self.people.get(&author)?.nick.clone();
        self.keep(member, &from, None);
        self.keep(member, to, Some(&nick));
        self.exit(author, member, &nick, &from, now);
        let evicted = self.seat_of(&nick, to);
        match evicted {
            Some(evicted) => self.replace(evicted, member, &nick, to),
            None => self.enter(author, member, &nick, to, now, false),
        }
        self.spoke(member);
        evicted
    }

    /// Returns the seat in `room` of the person who is called exactly so.
    fn seat_of(&self, nick: &Nick, room: &RoomName) -> Option<MemberId> {
        self.open.get(room)?.members.get(nick).copied()
    }

    /// Gives the place of `old` to `new`, which is the same person's, without a word to anybody.
    fn replace(&mut self, old: MemberId, new: MemberId, nick: &Nick, room: &RoomName) {
        let Some(place) = self.take_seat(old) else { return };
        if let Some(person) = self.people.get_mut(&place.author) {
            person.memberships.retain(|member| *member != old);
        }
        if let Some(room) = self.open.get_mut(room) {
            room.members.insert(nick.clone(), new);
            room.presence_buffer.replaced(place.author, new);
        }
    }

    /// Gives the person who sits there another nick, in every room. Returns all their seats: each
    /// is to be told.
    ///
    /// # Errors
    /// [`ErrorCode::NickTaken`] with a free nick.
    pub fn rename(&mut self, member: MemberId, to: &Nick, now: Duration) -> Result<Vec<MemberId>, Failure> {
        let Some(author) = self.memberships.get(&member).map(|place| place.author) else { return Ok(Vec::new()) };
        let Some(person) = self.people.get_mut(&author) else { return Ok(Vec::new()) };
        if person.nick == *to {
            return Ok(vec![member]);
        }
        if self.nick_registry.is_taken_by_another(to, author) {
            return Err(taken(to, self.nick_registry.next_free(to)));
        }
        let from = std::mem::replace(&mut person.nick, to.clone());
        let memberships = person.memberships.clone();
        self.nick_registry.free(&from, author);
        self.nick_registry.take(to, author);
        for member in &memberships {
            let Some(name) = self.memberships.get(member).map(|place| place.room.clone()) else { continue };
            self.keep(*member, &name, Some(to));
            let Some(room) = self.open.get_mut(&name) else { continue };
            room.members.remove(&from);
            room.members.insert(to.clone(), *member);
            room.presence_buffer.renamed(author, *member, from.clone(), to.clone());
            room.tell_soon(&name, now, &mut self.digests);
        }
        Ok(memberships)
    }

    /// Notes that somebody's connection was lost: their place is kept for [`Limits::GRACE`], and
    /// nobody is told.
    pub fn lose(&mut self, member: MemberId, now: Duration) {
        let Some(place) = self.memberships.get_mut(&member).filter(|place| place.dropped.is_none()) else { return };
        place.dropped = Some(now);
        let address = place.address;
        self.ghosts.add((now, member), address);
        if let Some(surplus) = address.and_then(|address| self.ghosts.surplus(address)) {
            self.leave(surplus, now);
        }
    }

    /// Notes that somebody has left a room for good; with their last seat goes the nick. Nothing
    /// happens if the place has gone to a newer connection.
    pub fn leave(&mut self, member: MemberId, now: Duration) {
        if let Some(room) = self.memberships.get(&member).map(|place| place.room.clone()) {
            self.keep(member, &room, None);
        }
        let Some(Member { author, room, .. }) = self.take_seat(member) else { return };
        let Some(person) = self.people.get_mut(&author) else { return };
        let nick = person.nick.clone();
        person.memberships.retain(|other| *other != member);
        if person.memberships.is_empty() {
            let (id, owed) = (person.id, std::mem::take(&mut person.owed));
            self.people.remove(&author);
            self.numbers.remove(&id);
            self.nobody_took(owed, "has gone");
            self.nick_registry.free(&nick, author);
        }
        self.exit(author, member, &nick, &room, now);
    }

    /// Returns the nick, author and room of whoever sits there.
    #[must_use]
    pub fn whereabouts(&self, member: MemberId) -> Option<(&Nick, Author, &RoomName)> {
        let place = self.memberships.get(&member)?;
        Some((&self.people.get(&place.author)?.nick, place.author, &place.room))
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
    pub fn set_topic(&mut self, room: &RoomName, topic: Option<TopicBy>) {
        if let Some(room) = self.open.get_mut(room) {
            room.topic = RoomTopic::Known(topic);
        }
    }

    /// Returns whether the topic of the room is known; that of an empty room is not.
    #[must_use]
    pub fn knows_topic(&self, room: &RoomName) -> bool {
        self.open.get(room).is_some_and(|room| matches!(room.topic, RoomTopic::Known(_)))
    }

    /// Takes what `member` has read of the topic of `room`, if it is unknown and the seat is still
    /// there. What was set meanwhile is newer; and who has left may have read before a topic was
    /// set and the room became empty.
    pub fn learn_topic(&mut self, member: MemberId, room: &RoomName, topic: Option<TopicBy>) {
        let is_there = self.memberships.get(&member).is_some_and(|place| place.room == *room);
        if is_there && !self.knows_topic(room) {
            self.set_topic(room, topic);
        }
    }

    /// Returns the topic of a room and who set it, as far as they are known.
    fn topic(&self, room: &RoomName) -> (Option<Topic>, Option<Nick>) {
        let topic = self.open.get(room).and_then(|room| room.topic.get().cloned());
        topic.map_or_else(Default::default, |TopicBy { topic, by }| (Some(topic), by))
    }

    /// Returns a room as one finds it who comes in.
    #[must_use]
    pub fn view(&self, name: &RoomName) -> RoomView {
        let room = self.open.get(name);
        let (topic, topic_by) = self.topic(name);
        RoomView {
            room: name.clone(),
            topic,
            topic_by,
            people: room.map_or(0, |room| room.members.len()),
            names: room.map_or(Vec::new(), |room| room.members.keys().take(Limits::NAMES).cloned().collect()),
            away: Vec::new(),
        }
    }

    /// Returns the fullest rooms, and how many rooms there are.
    #[must_use]
    pub fn list(&self) -> (Vec<RoomEntry>, usize) {
        let mut names: Vec<_> =
            self.open.iter().map(|(name, room)| (std::cmp::Reverse(room.members.len()), name)).collect();
        names.sort_unstable();
        names.truncate(Limits::ROOMS);
        let entry = |(people, name): (std::cmp::Reverse<usize>, &RoomName)| {
            let (topic, topic_by) = self.topic(name);
            RoomEntry { room: name.clone(), people: people.0, topic, topic_by }
        };
        (names.into_iter().map(entry).collect(), self.open.len())
    }

    /// Returns what the room has not been told yet, so that it comes before whatever is said next.
    pub fn flush(&mut self, name: &RoomName) -> Option<Notice> {
        let room = self.open.get_mut(name)?;
        self.digests.remove(&(room.due.take()?, name.clone()));
        let (presence, about) = std::mem::take(&mut room.presence_buffer).into_presence(name, room.members.len())?;
        Some(Notice { presence, about })
    }

    /// Returns when [`Self::due`] next has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let dropped = self.ghosts.oldest().map(|(since, _)| since + Limits::GRACE);
        let presence_buffer = self.digests.first().map(|(due, _)| *due);
        dropped.into_iter().chain(presence_buffer).min()
    }

    /// Lets go of whoever did not come back within the grace, and returns what is now to be told.
    pub fn due(&mut self, now: Duration) -> Vec<Notice> {
        while let Some((_, member)) = self.ghosts.oldest().filter(|(since, _)| *since + Limits::GRACE <= now) {
            self.leave(member, now);
        }
        let mut notices = Vec::new();
        while let Some((due, room)) = self.digests.first().filter(|(due, _)| *due <= now).cloned() {
            notices.extend(self.flush(&room));
            debug_assert!(!self.digests.contains(&(due, room)), "what is told is due no more");
        }
        notices
    }

    /// Takes a seat away, with its grace if it is lost.
    fn take_seat(&mut self, member: MemberId) -> Option<Member> {
        let place = self.memberships.remove(&member)?;
        if let Some(since) = place.dropped {
            self.ghosts.remove((since, member), place.address);
        }
        Some(place)
    }

    /// Returns a seat for somebody who is here; it is not in the room yet.
    fn new_seat(&mut self, author: Author, address: Option<IpAddr>, room: RoomName, can_return: bool) -> MemberId {
        self.seats_given += 1;
        let member = MemberId(self.seats_given);
        if let Some(person) = self.people.get_mut(&author) {
            person.memberships.push(member);
            self.memberships.insert(member, Member { author, room, dropped: None, address, given: 0, can_return });
        }
        member
    }

    fn enter(&mut self, author: Author, member: MemberId, nick: &Nick, name: &RoomName, now: Duration, returns: bool) {
        let room = self.open.entry(name.clone()).or_default();
        room.members.insert(nick.clone(), member);
        // Who comes into an empty room is nobody's news.
        if room.members.len() == 1 {
            return;
        }
        let presence_buffer = &mut room.presence_buffer;
        let come = if returns { PresenceBuffer::returned } else { PresenceBuffer::joined };
        come(presence_buffer, author, member, nick.clone());
        room.tell_soon(name, now, &mut self.digests);
    }

    fn exit(&mut self, author: Author, member: MemberId, nick: &Nick, name: &RoomName, now: Duration) {
        let Some(room) = self.open.get_mut(name) else { return };
        room.members.remove(nick);
        if room.members.is_empty() {
            if let Some(due) = self.open.remove(name).and_then(|room| room.due) {
                self.digests.remove(&(due, name.clone()));
            }
            return;
        }
        room.presence_buffer.left(author, member, nick.clone());
        room.tell_soon(name, now, &mut self.digests);
    }
}

impl Room {
    /// Makes sure that the digest is told.
    fn tell_soon(&mut self, name: &RoomName, now: Duration, digests: &mut BTreeSet<(Duration, RoomName)>) {
        if self.due.is_none() {
            let due = now + Limits::PRESENCE;
            self.due = Some(due);
            digests.insert((due, name.clone()));
        }
    }
}

fn taken(nick: &Nick, free: Nick) -> Failure {
    let message = format!("{nick} is taken; {free} is free");
    Failure { free: Some(free), ..Failure::new(ErrorCode::NickTaken, message) }
}

#[cfg(test)]
mod tests;
