//! Private tabs, each for one person. Private messages are shown there, and in no room. Pure.
//!
//! They follow the rooms, so that a room and its app have the same index.

use super::{
    Now, Tui, UiAction,
    room::Room,
    seen::{News, Seen},
};
use crate::{
    client::{
        chat::{App, Pending, ViewEvent},
        ignored,
    },
    protocol::{Nick, PersonId, Presence, Private, RoomName, RoomView, ServerMessage, Welcome},
};

/// The maximum number of private tabs. Beyond it, the least important one is closed.
const MOST: usize = 32;

/// The person of a private tab.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) nick: Nick,
    /// The person's id, if the server has told it.
    pub(super) id: Option<PersonId>,
    /// The user's room whose connection the last private message used.
    through: Option<RoomName>,
    /// The room from which the user opened this tab.
    from: Option<RoomName>,
    seen: Seen,
    /// Whether the person has left the last room in which they were seen. Somebody who joins with
    /// their nick may be another person.
    left: bool,
    /// Greater for a tab that was used later.
    used: u64,
}

impl Tui {
    /// Returns the number of rooms. The private tabs follow them.
    pub(super) fn room_count(&self) -> usize {
        self.rooms.partition_point(|room| room.person.is_none())
    }

    /// Returns the person of a private tab.
    pub(super) fn person(&self, tab: usize) -> Option<&Person> {
        self.rooms.get(tab)?.person.as_ref()
    }

    /// Returns the private tabs and their indexes.
    fn persons_mut(&mut self) -> impl Iterator<Item = (&mut Room, usize)> {
        let rooms = self.room_count();
        self.rooms.iter_mut().zip(0..).skip(rooms)
    }

    /// Returns the private tab of this nick. If several match, prefers the exact nick, then the tab
    /// that was used last.
    pub(super) fn tab_of_nick(&self, nick: &Nick) -> Option<usize> {
        let tabs = (self.room_count()..self.rooms.len())
            .filter(|tab| self.person(*tab).is_some_and(|person| ignored::share(&person.nick, nick)));
        tabs.max_by_key(|tab| self.person(*tab).map(|person| (person.nick == *nick, person.used)))
    }

    /// Returns the index of the app that sends for the tab.
    pub(super) fn app_of(&self, tab: usize) -> usize {
        let Some(person) = self.person(tab) else { return tab };
        person.through.as_ref().and_then(|room| self.tab_of(room)).unwrap_or(0)
    }

    /// Opens a private tab at the end, and returns its index.
    fn open_person(&mut self, nick: Nick, id: Option<PersonId>) -> usize {
        if self.rooms.len() - self.room_count() >= MOST {
            self.close_quietest();
        }
        let mut room = Room::for_one(self.choices.zone.clone());
        room.conversation.tell_times(self.choices.times);
        let person = Person { nick, id, through: None, from: None, seen: Seen::default(), left: false, used: 0 };
        room.person = Some(person);
        room.ignore(&self.ignored);
        self.entered.iter().rev().for_each(|line| room.editor.remember(line.clone()));
        self.rooms.push(room);
        let tab = self.rooms.len() - 1;
        self.look_for_person(tab);
        tab
    }

    /// Looks up in which rooms somebody has the nick of the tab's person, and assumes that it is
    /// that person.
    fn look_for_person(&mut self, tab: usize) {
        let rooms = self.room_count();
        let (rooms, people) = self.rooms.split_at_mut(rooms);
        let Some(person) = tab.checked_sub(rooms.len()).and_then(|index| people.get_mut(index)?.person.as_mut()) else {
            return;
        };
        person.left = false;
        person.seen = Seen::default();
        for room in rooms {
            if let Some(name) = &room.name {
                person.seen.look(name, &person.nick, room.names.contains(&person.nick));
            }
        }
    }

    /// Closes the least important private tab. One with an empty draft goes first, then one without
    /// unread messages, then the one that was used longest ago.
    fn close_quietest(&mut self) {
        let others = (self.room_count()..self.rooms.len()).filter(|tab| *tab != self.current);
        let worth = |tab: &usize| {
            let room = &self.rooms[*tab];
            (!room.editor.is_empty(), room.unread > 0, room.person.as_ref().map(|person| person.used))
        };
        if let Some(tab) = others.min_by_key(worth) {
            self.told = Some(format!("{} is closed: more than {MOST} people are written to", self.rooms[tab].label()));
            self.close(tab);
        }
    }

    /// Returns the tab for a private message that came on the connection of tab `by`. Returns
    /// `None` if the sender is ignored and has no tab.
    pub(super) fn tab_of_private(
        &mut self,
        now: Now,
        by: usize,
        private: &Private,
        me: Option<&Nick>,
    ) -> Option<usize> {
        let own = me == Some(&private.from);
        let other = if own { &private.to } else { &private.from };
        let rooms = self.room_count();
        let is_same = |tab: &usize| self.person(*tab).is_some_and(|person| person.id == private.peer);
        let known = private.peer.and_then(|_| (rooms..self.rooms.len()).find(is_same));
        let tab = match known.or_else(|| self.tab_of_nick(other)) {
            Some(tab) => tab,
            None if !own && self.ignored.has(other) => return None,
            None => self.open_person(other.clone(), private.peer),
        };
        let through = self.rooms.get(by).and_then(|room| room.name.clone());
        let used = self.rooms.iter().filter_map(|room| room.person.as_ref()).map(|person| person.used).max();
        let (mut news, mut anew) = (Vec::new(), false);
        if let Some(person) = &mut self.rooms[tab].person {
            anew = person.left || known.is_none();
            if person.id.is_some() && private.peer.is_some() && person.id != private.peer {
                news.push(format!("this {other} is somebody else than the one before"));
            } else if person.nick != *other && known.is_some() {
                news.push(format!("{} is {other} now", person.nick));
            }
            person.nick = other.clone();
            person.id = private.peer.or(person.id);
            person.through = through.or(person.through.take());
            person.used = used.unwrap_or(0) + 1;
        }
        if anew {
            self.look_for_person(tab);
        }
        self.tell_person(now, tab, news, me);
        Some(tab)
    }

    /// Goes to the private tab of this nick, and opens one if there is none.
    pub(super) fn query(&mut self, nick: &Nick) {
        // If somebody here has the nick in another spelling, use theirs.
        let named = self.rooms.iter().flat_map(|room| &room.names).find(|name| ignored::share(name, nick));
        let nick = named.unwrap_or(nick).clone();
        let through = self.app_of(self.current);
        let through = self.rooms.get(through).and_then(|room| room.name.clone());
        let tab = self.tab_of_nick(&nick).unwrap_or_else(|| self.open_person(nick, None));
        if let Some(person) = &mut self.rooms[tab].person {
            person.through = person.through.take().or(through);
            if person.left {
                // The user means whoever has the nick now.
                person.id = None;
                self.look_for_person(tab);
            }
        }
        self.go_to(tab);
    }

    /// Records in a private tab the room from which the user goes to it.
    pub(super) fn comes_from_here(&mut self, tab: usize) {
        let here = self.rooms.get(self.current).and_then(|room| room.name.clone());
        if let Some(person) = self.rooms.get_mut(tab).and_then(|room| room.person.as_mut()) {
            person.from = here.or(person.from.take());
        }
    }

    /// Closes a private tab, and goes back to the room from which the user came.
    pub(super) fn close_person(&mut self, tab: usize) {
        let back = self.person(tab).and_then(|person| person.from.as_ref()).and_then(|room| self.tab_of(room));
        if let Some(back) = back.filter(|_| tab == self.current) {
            self.go_to(back);
        }
        self.close(tab);
        if let Some(room) = self.rooms.get_mut(self.current) {
            room.watch(true);
        }
    }

    /// Follows the people of the private tabs: their changes of nick, joins and leaves.
    pub(super) fn follow_people(&mut self, now: Now, shown: &ViewEvent, me: Option<&Nick>) {
        match shown.event() {
            Some(ServerMessage::Presence(presence)) => self.follow_presence(now, presence, me),
            Some(ServerMessage::Joined(view)) => self.look_for_people(view),
            Some(ServerMessage::Welcome(Welcome { epoch, shared, view, .. })) => {
                self.look_for_people(view);
                let is_other = self.epoch.replace(*epoch).is_some_and(|before| before != *epoch);
                // In another history, the same id may belong to another person.
                if is_other || shared.is_some_and(|shared| shared.0 == 0) {
                    self.persons_mut().for_each(|(room, _)| room.forget_id());
                }
            }
            _ => {}
        }
    }

    /// Looks for the people of the private tabs in a room whose names have just arrived.
    fn look_for_people(&mut self, view: &RoomView) {
        for person in self.persons_mut().filter_map(|(tab, _)| tab.person.as_mut()).filter(|person| !person.left) {
            person.seen.look(&view.room, &person.nick, view.names.contains(&person.nick));
        }
    }

    fn follow_presence(&mut self, now: Now, presence: &Presence, me: Option<&Nick>) {
        let room = &presence.room;
        let mut all = Vec::new();
        for (tab, index) in self.persons_mut() {
            let Some(person) = &mut tab.person else { continue };
            if person.left {
                if presence.joined.contains(&person.nick) {
                    let nick = &person.nick;
                    all.push((
                        index,
                        format!("a {nick} has come to #{room}, perhaps another one; /query {nick} writes to them"),
                    ));
                }
                continue;
            }
            match person.seen.follow(&person.nick, presence) {
                Some(News::Renamed(to)) => {
                    all.push((index, format!("{} is {to} now", person.nick)));
                    person.nick = to;
                }
                Some(News::Left) => {
                    person.left = true;
                    all.push((index, format!("{} has left #{room}", person.nick)));
                }
                None => {}
            }
        }
        for (tab, news) in all {
            self.tell_person(now, tab, vec![news], me);
        }
    }

    fn tell_person(&mut self, now: Now, tab: usize, news: Vec<String>, me: Option<&Nick>) {
        for words in news {
            self.rooms[tab].conversation.take(&ViewEvent::Notice(words), me, now.moment);
        }
    }

    /// Returns the index of the tab that shows an event of `tab`. The answer to a line that was
    /// entered in a private tab is shown in that tab.
    pub(super) fn tab_that_shows(
        &mut self,
        now: Now,
        tab: usize,
        shown: &ViewEvent,
        me: Option<&Nick>,
    ) -> Option<usize> {
        match shown {
            ViewEvent::Event { event: ServerMessage::Private(private), .. } => {
                self.tab_of_private(now, tab, private, me)
            }
            ViewEvent::Event { event: ServerMessage::Away { nick: Some(nick), .. }, .. } => {
                Some(self.tab_of_nick(nick).unwrap_or(tab))
            }
            ViewEvent::Undelivered { to, .. } => Some(self.tab_of_nick(to).unwrap_or(self.current)),
            ViewEvent::Refusal(_)
            | ViewEvent::Event {
                event:
                    ServerMessage::Rooms { .. }
                    | ServerMessage::Nick { .. }
                    | ServerMessage::Whois(_)
                    | ServerMessage::Away { .. }
                    | ServerMessage::Error(_),
                quiet: false,
            } if self.app_of(self.current) == tab => Some(self.current),
            _ => Some(tab),
        }
    }

    /// Returns the user's messages in the tab that the server has not echoed yet.
    pub(super) fn pending(&self, tab: usize, apps: &[&App]) -> Vec<Pending> {
        let all = |app: &&App| app.pending().collect::<Vec<_>>();
        let Some(person) = self.person(tab) else {
            let mut pending = apps.get(tab).map(all).unwrap_or_default();
            pending.retain(|text| text.to.as_ref().is_none_or(|to| self.tab_of_nick(to).is_none()));
            return pending;
        };
        let pending = apps.iter().flat_map(all).filter(|text| text.to.as_ref() == Some(&person.nick));
        pending.map(|text| Pending { to: None, ..text }).collect()
    }

    /// Returns the line that has the same effect in any tab as `line` has in this one, if it
    /// differs.
    pub(super) fn as_said_elsewhere(&self, line: &str) -> Option<String> {
        let person = self.person(self.current)?;
        let text = match line.strip_prefix('/') {
            Some(text) if text.starts_with('/') => text,
            Some(_) => return None,
            None => line,
        };
        Some(format!("/msg {} {text}", person.nick))
    }

    /// Returns the hint about a private message that was sent from another tab.
    pub(super) fn sent_to(&self, tab: usize) -> Option<String> {
        let person = self.person(tab)?;
        let key = if tab < 9 { format!("Alt-{}", tab + 1) } else { format!("/query {}", person.nick) };
        Some(format!("sent to {} alone; {key} shows it", person.nick))
    }

    /// Returns the action that sends `text` to the person of the tab.
    pub(super) fn tell_wish(&self, tab: usize, text: String) -> Vec<UiAction> {
        let Some(person) = self.person(tab) else { return Vec::new() };
        vec![UiAction::Tell { tab: self.app_of(tab), to: person.nick.clone(), peer: person.id, text }]
    }
}

impl Room {
    fn forget_id(&mut self) {
        if let Some(person) = &mut self.person {
            person.id = None;
        }
    }
}
