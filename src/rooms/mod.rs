//! Who is in which room under which nick, and what the others are told about it. Pure: no tokio, no
//! clock, no randomness.
//!
//! Every method takes what happened and, if it matters, `now`: the time since the server started.
//! What a room must be told without a request comes out of [`Rooms::due`] and [`Rooms::flush`].
//!
//! A person is identified by one session token. A person has one nick, and a membership in each
//! room that they have a connection to.

mod away;
mod direct_messages;
mod ghosts;
mod member;
mod nick_registry;
mod presence_buffer;
mod restart;

// An address is only a value here. Sockets are in `std`.
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

/// What happens if the wanted nick is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfTaken {
    /// The person gets the next free one.
    Next,
    /// The person is refused, and a free one is suggested.
    Refuse,
}

/// A request to join a room.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The person. An author who is here, or whose connection was lost within the grace, is the
    /// same person.
    pub author: Author,
    /// The address that the membership is charged to while its connection is lost.
    pub address: IpAddr,
    /// The wanted nick; `None` for a guest. A person who is here already keeps their nick.
    pub nick: Option<Nick>,
    /// What happens if the nick is taken.
    pub if_taken: IfTaken,
    /// The room to join.
    pub room: RoomName,
    /// Whether another connection can show later that it is the same person. Without a token none
    /// can.
    pub can_return: bool,
    /// Whether the client says that it was here before. Within [`Limits::GRACE`] of its start, a
    /// server believes this: a restart is not announced as a join.
    pub returning: bool,
}

/// The result of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The membership.
    pub member: MemberId,
    /// The person's nick.
    pub nick: Nick,
    /// The earlier connection of the same person in this room, which has lost its place.
    pub evicted: Option<MemberId>,
}

/// Something that a room is told and that is not in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The change.
    pub presence: Presence,
    /// The only member it is about, who need not be told; `None` if it is about several.
    pub about: Option<MemberId>,
}

/// One membership: a person in a room.
#[derive(Debug)]
struct Member {
    author: Author,
    room: RoomName,
    /// When the connection was lost, if it was.
    dropped: Option<Duration>,
    /// The address of the connection; `None` for a membership from an earlier run.
    address: Option<IpAddr>,
    /// The number of owed events that were given to it.
    given: u64,
    /// Whether another connection can show that it is the same person.
    can_return: bool,
}

#[derive(Debug)]
struct Person {
    id: PersonId,
    nick: Nick,
    /// One in each room, at least one and at most [`Limits::SEATS`]. The one that sent something or
    /// joined last is the last.
    memberships: Vec<MemberId>,
    /// The keys of private messages that were sent recently, with their ids.
    private_keys: VecDeque<(IdempotencyKey, u64)>,
    owed: VecDeque<Owed>,
    /// Since when the person has been here.
    since: Duration,
    /// When the person last sent something, or joined.
    active: Duration,
    away: Option<Away>,
    /// The last away person they wrote to, and since when that person was away.
    told_away: Option<(PersonId, Duration)>,
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<Nick, MemberId>,
    topic: RoomTopic,
    presence_buffer: PresenceBuffer,
    /// When the buffered presence is announced, if there is any.
    due: Option<Duration>,
}

/// The topic of a room. When somebody joins an empty room, nobody there knows the topic; it is then
/// in the store.
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

/// All people, and all rooms that have somebody in them.
#[derive(Debug, Default)]
pub struct Rooms {
    people: HashMap<Author, Person>,
    numbers: HashMap<PersonId, Author>,
    people_seen: u64,
    privates_seen: u64,
    /// The private messages of each sender that have not arrived. It includes senders who have left
    /// meanwhile, and omits those with none.
    under_way: HashMap<Author, Load>,
    /// The failures that senders are to be told.
    undelivered: Vec<(Author, Failure)>,
    /// The memberships that changed since they were last stored, of people who can come back, with
    /// their nick and public id.
    changed: BTreeMap<(Author, RoomName), Option<(Nick, PersonId)>>,
    memberships: HashMap<MemberId, Member>,
    seats_given: u64,
    nick_registry: NickRegistry,
    open: HashMap<RoomName, Room>,
    /// The lost connections: exactly the memberships that are `dropped`.
    ghosts: Ghosts,
    /// The rooms with presence to announce, the oldest first: exactly those that are `due`.
    digests: BTreeSet<(Duration, RoomName)>,
}

impl Rooms {
    /// Returns empty rooms that keep the places of up to `lost_per_address` lost connections from
    /// one address (0 means no cap), and of [`Limits::GHOSTS`] in all. Above that an address gives
    /// up its own oldest place. It gives up another address's place only if that address has more.
    #[must_use]
    pub fn new(lost_per_address: u32) -> Self {
        let per_address = usize::try_from(lost_per_address).unwrap_or(usize::MAX);
        Self { ghosts: Ghosts::new(per_address, Limits::GHOSTS), ..Self::default() }
    }

    /// Adds a membership for `arrival`, and announces it to the room. If the person has a
    /// membership there already, it is replaced and nothing is announced.
    ///
    /// # Errors
    /// [`ErrorCode::NickTaken`] with a free nick, if the arrival wants that;
    /// [`ErrorCode::TooManyRooms`] for a person who has [`Limits::SEATS`] live connections.
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

    /// Gives a new person a nick, and returns it. The person keeps the public id `known` from an
    /// earlier run, unless it belongs to somebody else.
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
        // Most people have one membership, and there may be many people.
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

    /// Makes sure that this person may have one more membership. If necessary, it removes the
    /// oldest one whose connection is lost.
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

    /// Moves a member to another room. Returns the person's other connection there, which has lost
    /// its place.
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

    /// Returns the membership in `room` of the person with exactly this nick.
    fn seat_of(&self, nick: &Nick, room: &RoomName) -> Option<MemberId> {
        self.open.get(room)?.members.get(nick).copied()
    }

    /// Replaces the membership `old` by `new` of the same person, and announces nothing.
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

    /// Changes the nick of the member's person in every room. Returns all their memberships: each
    /// of them is to be told.
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

    /// Notes that a connection was lost. Its membership is kept for [`Limits::GRACE`], and nothing
    /// is announced.
    pub fn lose(&mut self, member: MemberId, now: Duration) {
        let Some(place) = self.memberships.get_mut(&member).filter(|place| place.dropped.is_none()) else { return };
        place.dropped = Some(now);
        let address = place.address;
        self.ghosts.add((now, member), address);
        if let Some(surplus) = address.and_then(|address| self.ghosts.surplus(address)) {
            self.leave(surplus, now);
        }
    }

    /// Removes a membership without a grace. The nick becomes free with the person's last
    /// membership. Nothing happens if a newer connection has taken the membership.
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

    /// Returns the nick, author and room of a member.
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

    /// Returns the number of rooms that have somebody in them.
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

    /// Returns a room as somebody finds it who joins it.
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

    /// Returns the rooms with most people, and the number of all rooms.
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

    /// Returns what the room has not been told yet, so that it comes before the next message.
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

    /// Removes the people who did not come back within the grace, and returns what is now to be
    /// announced.
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

    /// Removes a membership, and its grace if its connection is lost.
    fn take_seat(&mut self, member: MemberId) -> Option<Member> {
        let place = self.memberships.remove(&member)?;
        if let Some(since) = place.dropped {
            self.ghosts.remove((since, member), place.address);
        }
        Some(place)
    }

    /// Returns a new membership for a person who is here. It is not in the room yet.
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
        // Do not announce a join to an empty room.
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
    /// Makes sure that the buffered presence is announced.
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
