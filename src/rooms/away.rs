//! Who is away, and what others may know of a person. Pure.
//!
//! A person is away in all rooms. This survives a lost connection that comes back, and ends when
//! the person says that they are back, or leaves.

use std::time::Duration;

use super::{MemberId, Person, Rooms};
use crate::protocol::{AwayText, ErrorCode, Failure, Limits, Nick, PersonId, RoomName, RoomView};

/// The state of being away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Away {
    text: AwayText,
    since: Duration,
}

/// What a member may know of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Their nick as they write it.
    pub nick: Nick,
    /// The rooms that both are in, in alphabetical order.
    pub rooms: Vec<RoomName>,
    /// Since when they have been here.
    pub since: Duration,
    /// When they last sent something, or joined.
    pub active: Duration,
    /// Their away text, if they are away.
    pub away: Option<AwayText>,
}

impl Rooms {
    /// Notes that a member has done something that others can see.
    pub fn is_active(&mut self, member: MemberId, now: Duration) {
        let Some(place) = self.memberships.get(&member) else { return };
        if let Some(person) = self.people.get_mut(&place.author) {
            person.active = now;
        }
    }

    /// Marks a person as away. Without a text, it toggles: an away person is back, and a present
    /// person is away. Returns the new state.
    pub fn set_away(&mut self, member: MemberId, text: Option<AwayText>, now: Duration) -> Option<AwayText> {
        let author = self.memberships.get(&member)?.author;
        let person = self.people.get_mut(&author)?;
        let text = text.or_else(|| person.away.is_none().then(AwayText::plain));
        person.away = text.clone().map(|text| Away { text, since: now });
        person.active = now;
        text
    }

    /// Returns a room as [`Self::view`] does, with the people in it who are away.
    #[must_use]
    pub fn names(&self, name: &RoomName) -> RoomView {
        let is_away = |member: &MemberId| {
            let author = self.memberships.get(member).map(|place| place.author);
            author.and_then(|author| self.people.get(&author)).is_some_and(|person| person.away.is_some())
        };
        let members = self.open.get(name).into_iter().flat_map(|room| room.members.iter().take(Limits::NAMES));
        let away = members.filter(|(_, member)| is_away(member)).map(|(nick, _)| nick.clone()).collect();
        RoomView { away, ..self.view(name) }
    }

    /// Returns what `member` may know of the person called `nick`. Of that person's rooms it
    /// includes those that both are in.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchNick`].
    pub fn known(&self, member: MemberId, nick: &Nick) -> Result<Known, Failure> {
        let person = self
            .nick_registry
            .find(nick)
            .and_then(|author| self.people.get(&author))
            .ok_or_else(|| Failure::new(ErrorCode::NoSuchNick, format!("nobody called {nick} is here")))?;
        let own = self.rooms_of(member);
        let mut rooms = self.rooms_of_person(person);
        rooms.retain(|room| own.contains(room));
        Ok(Known {
            nick: person.nick.clone(),
            rooms,
            since: person.since,
            active: person.active,
            away: person.away.as_ref().map(|away| away.text.clone()),
        })
    }

    /// Returns the rooms of the member's person, in alphabetical order.
    #[must_use]
    pub fn rooms_of(&self, member: MemberId) -> Vec<RoomName> {
        let person = self.memberships.get(&member).and_then(|place| self.people.get(&place.author));
        person.map(|person| self.rooms_of_person(person)).unwrap_or_default()
    }

    fn rooms_of_person(&self, person: &Person) -> Vec<RoomName> {
        let room = |member: &MemberId| self.memberships.get(member).map(|place| place.room.clone());
        let mut rooms: Vec<_> = person.memberships.iter().filter_map(room).collect();
        rooms.sort_unstable();
        rooms
    }

    /// Returns the away text of `to`, which is told to the member that has just written to them.
    /// Returns `None` if this person was told the same the last time.
    pub fn tell_away(&mut self, member: MemberId, to: PersonId) -> Option<AwayText> {
        let Away { text, since } = self.people.get(self.numbers.get(&to)?)?.away.clone()?;
        let author = self.memberships.get(&member)?.author;
        let told = &mut self.people.get_mut(&author)?.told_away;
        (told.replace((to, since)) != Some((to, since))).then_some(text)
    }
}
