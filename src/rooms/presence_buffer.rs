//! The joins, leaves and nick changes of a room that it has not been told yet. Changes that cancel
//! each other out are never announced. Pure.

use std::collections::BTreeMap;

use super::MemberId;
use crate::protocol::{Author, Limits, Nick, Presence, Rename, RoomName};

/// The changes of one room that it has not been told yet. A person is identified by the author:
/// another person with the same nick is another entry.
#[derive(Debug, Default)]
pub(super) struct PresenceBuffer {
    changes: BTreeMap<Author, Change>,
}

/// What changed for one person since the room was last told.
#[derive(Debug)]
struct Change {
    /// Their current membership, or their last one.
    member: MemberId,
    /// The nick that the room knows, if it knows the person.
    before: Option<Nick>,
    /// Their nick, if they are here.
    now: Option<Nick>,
    /// Whether they came back after a restart. People are not told, because the person was never
    /// away for them; programs are, because they do not know the person yet.
    returned: bool,
}

impl PresenceBuffer {
    /// Notes that somebody joined.
    pub(super) fn joined(&mut self, author: Author, member: MemberId, nick: Nick) {
        // A person who left and came back before the announcement was never away.
        let change = self.changes.entry(author).or_insert(Change { member, before: None, now: None, returned: false });
        (change.member, change.now) = (member, Some(nick));
    }

    /// Notes that somebody came back after a restart.
    pub(super) fn returned(&mut self, author: Author, member: MemberId, nick: Nick) {
        let before = Some(nick.clone());
        let change = self.changes.entry(author).or_insert(Change { member, before, now: None, returned: true });
        (change.member, change.now) = (member, Some(nick));
    }

    /// Notes that the person with this nick left.
    pub(super) fn left(&mut self, author: Author, member: MemberId, nick: Nick) {
        let change =
            self.changes.entry(author).or_insert(Change { member, before: Some(nick), now: None, returned: false });
        change.now = None;
        if change.before.is_none() {
            // A person who joined and left before the announcement was never there.
            self.changes.remove(&author);
        }
    }

    /// Notes that somebody has a new nick.
    pub(super) fn renamed(&mut self, author: Author, member: MemberId, from: Nick, to: Nick) {
        let change =
            self.changes.entry(author).or_insert(Change { member, before: Some(from), now: None, returned: false });
        change.now = Some(to);
    }

    /// Notes that the same person has another membership now. This is not announced.
    pub(super) fn replaced(&mut self, author: Author, member: MemberId) {
        if let Some(change) = self.changes.get_mut(&author) {
            change.member = member;
        }
    }

    /// Returns the event and the only person it is about, or `None` if nothing changed.
    pub(super) fn into_presence(self, room: &RoomName, people: usize) -> Option<(Presence, Option<MemberId>)> {
        let mut changes: Vec<_> = self.changes.into_values().collect();
        changes.retain(|change| change.returned || change.before != change.now);
        // In the order in which they joined.
        changes.sort_unstable_by_key(|change| change.member);
        let about = match &changes[..] {
            [] => return None,
            [only] => Some(only.member),
            _ => None,
        };
        let (mut joined, mut returned, mut left, mut renamed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for Change { before, now, returned: is_back, .. } in changes {
            match (before, now) {
                (_, Some(nick)) if is_back => returned.push(nick),
                (None, Some(nick)) => joined.push(nick),
                (Some(nick), None) => left.push(nick),
                (Some(from), Some(to)) => renamed.push(Rename { from, to }),
                (None, None) => {}
            }
        }
        let (joined, more_joined) = spelled(joined);
        let (returned, more_returned) = spelled(returned);
        let (left, more_left) = spelled(left);
        let (renamed, more_renamed) = spelled(renamed);
        let room = room.clone();
        let presence = Presence {
            room,
            joined,
            more_joined,
            returned,
            more_returned,
            left,
            more_left,
            renamed,
            more_renamed,
            people,
        };
        Some((presence, about))
    }
}

/// Returns the first few of `all`, and the number of the others.
fn spelled<T>(mut all: Vec<T>) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(Limits::PRESENCE_NAMES);
    all.truncate(Limits::PRESENCE_NAMES);
    (all, more)
}
