//! Tracks in which rooms a person is seen, and their nick in each of these rooms. Pure.
//!
//! Each room reports a change of nick at its own time, and by then somebody else may have the old
//! nick. So a report of a room is about the person whom that room knows by the nick.

use std::collections::BTreeMap;

use crate::protocol::{Fate, Nick, Presence, RoomName};

/// The rooms in which a person is seen, with their nick in each.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<RoomName, Nick>);

/// What a room reports first about a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// They have another nick.
    Renamed(Nick),
    /// They have left the last of the rooms.
    Left,
}

impl Seen {
    /// Records whether `nick` is in `room`, after the room's list of names has arrived.
    pub(super) fn look(&mut self, room: &RoomName, nick: &Nick, is_there: bool) {
        if is_there {
            self.0.insert(room.clone(), nick.clone());
        } else {
            self.0.remove(room);
        }
    }

    /// Handles the presence event of a room. Returns what is new about the person whose nick is
    /// `nick` now.
    pub(super) fn follow(&mut self, nick: &Nick, presence: &Presence) -> Option<News> {
        let room = &presence.room;
        let called = match self.0.get(room) {
            Some(called) => called.clone(),
            // A large room does not list all names.
            None if self.0.is_empty() => nick.clone(),
            None => {
                self.comes(nick, presence);
                return None;
            }
        };
        match presence.fate(&called) {
            Some(Fate::Renamed(to)) => {
                self.0.insert(room.clone(), to.clone());
                // If the person has another nick already, that one is newer.
                (called == *nick && to != nick).then(|| News::Renamed(to.clone()))
            }
            Some(Fate::Left) => {
                self.0.remove(room);
                self.0.is_empty().then_some(News::Left)
            }
            None => {
                self.comes(nick, presence);
                None
            }
        }
    }

    /// Records a join of the person, unless the room also reports that the nick was given up.
    fn comes(&mut self, nick: &Nick, presence: &Presence) {
        let is_free = presence.fate(nick).is_some();
        if !is_free && !self.0.contains_key(&presence.room) && presence.comes(nick) {
            self.0.insert(presence.room.clone(), nick.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Rename;

    fn nick(name: &str) -> Nick {
        Nick::new(name).unwrap()
    }

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    fn renames(in_room: &str, renames: &[(&str, &str)]) -> Presence {
        let mut presence = Presence::unmoved(room(in_room), 3);
        presence.renamed = renames.iter().map(|(from, to)| Rename { from: nick(from), to: nick(to) }).collect();
        presence
    }

    /// Returns what the presence events, in order, report about carol, who is seen in two rooms.
    fn becomes(presences: &[Presence]) -> Vec<String> {
        let (mut seen, mut carol) = (Seen::default(), nick("carol"));
        seen.look(&room("lobby"), &carol, true);
        seen.look(&room("rust"), &carol, true);
        let mut news = Vec::new();
        for presence in presences {
            match seen.follow(&carol, presence) {
                Some(News::Renamed(to)) => {
                    news.push(to.to_string());
                    carol = to;
                }
                Some(News::Left) => news.push("left".to_owned()),
                None => {}
            }
        }
        news
    }

    #[test]
    fn a_nick_that_passes_on_takes_nobody_along_whichever_room_tells_first() {
        let passed_on = [("carol", "bob"), ("bob", "rob")];
        assert_eq!(becomes(&[renames("lobby", &passed_on), renames("rust", &passed_on)]), ["bob"]);
        assert_eq!(becomes(&[renames("rust", &passed_on), renames("lobby", &passed_on)]), ["bob"]);
        let slow = [
            renames("lobby", &[("carol", "bob")]),
            renames("lobby", &[("bob", "fay")]),
            renames("rust", &[("carol", "bob")]),
            renames("rust", &[("bob", "fay"), ("dave", "bob")]),
            renames("rust", &[("bob", "gus")]),
        ];
        assert_eq!(becomes(&slow), ["bob", "fay"]);
    }

    #[test]
    fn who_takes_the_nick_of_somebody_who_left_has_not_left() {
        let leaves = |in_room| {
            let mut presence = renames(in_room, &[("carol", "bob")]);
            presence.left.push(nick("bob"));
            presence
        };
        assert_eq!(becomes(&[leaves("lobby"), leaves("rust")]), ["bob"]);
    }

    #[test]
    fn they_have_left_with_the_last_room_and_whoever_is_called_so_next_is_not_followed() {
        let leaves = |in_room| {
            let mut presence = renames(in_room, &[("dave", "carol")]);
            presence.left.push(nick("carol"));
            presence.joined.push(nick("carol"));
            presence
        };
        assert_eq!(becomes(&[leaves("lobby"), leaves("rust")]), ["left"]);
    }
}
