//! Who came, went and changed their nick in a room since it was last told: what cancels out is
//! never told. Pure.

use std::collections::BTreeMap;

use super::MemberId;
use crate::protocol::{Author, Limits, Nick, Presence, Rename, RoomName};

/// The changes of one room that it has not been told yet. A person is known by the author: a
/// namesake is another one.
#[derive(Debug, Default)]
pub(super) struct PresenceBuffer {
    changes: BTreeMap<Author, Change>,
}

/// What became of one person since the room was last told.
#[derive(Debug)]
struct Change {
    /// Where they sit, or sat last.
    member: MemberId,
    /// The nick under which the room knows them, if it does.
    before: Option<Nick>,
    /// The nick they have, if they are here.
    now: Option<Nick>,
    /// Whether they came back after a restart: for people they were never away, but programs do not
    /// know them yet.
    returned: bool,
}

impl PresenceBuffer {
    /// Notes that somebody came.
    pub(super) fn joined(&mut self, author: Author, member: MemberId, nick: Nick) {
        // Who went and is back within the digest was never away.
        let change = self.changes.entry(author).or_insert(Change { member, before: None, now: None, returned: false });
        (change.member, change.now) = (member, Some(nick));
    }

    /// Notes that somebody came back after a restart.
    pub(super) fn returned(&mut self, author: Author, member: MemberId, nick: Nick) {
        let before = Some(nick.clone());
        let change = self.changes.entry(author).or_insert(Change { member, before, now: None, returned: true });
        (change.member, change.now) = (member, Some(nick));
    }

    /// Notes that somebody who was called so went.
    pub(super) fn left(&mut self, author: Author, member: MemberId, nick: Nick) {
        let change =
            self.changes.entry(author).or_insert(Change { member, before: Some(nick), now: None, returned: false });
        change.now = None;
        if change.before.is_none() {
            // Who came and went was never there.
            self.changes.remove(&author);
        }
    }

    /// Notes that somebody has another nick.
    pub(super) fn renamed(&mut self, author: Author, member: MemberId, from: Nick, to: Nick) {
        let change =
            self.changes.entry(author).or_insert(Change { member, before: Some(from), now: None, returned: false });
        change.now = Some(to);
    }

    /// Notes that the same person sits in another seat now, which nobody is told.
    pub(super) fn replaced(&mut self, author: Author, member: MemberId) {
        if let Some(change) = self.changes.get_mut(&author) {
            change.member = member;
        }
    }

    /// Returns the event, and the only person it is about, or `None` when nothing changed.
    pub(super) fn into_presence(self, room: &RoomName, people: usize) -> Option<(Presence, Option<MemberId>)> {
        let mut changes: Vec<_> = self.changes.into_values().collect();
        changes.retain(|change| change.returned || change.before != change.now);
        // In the order in which they came.
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

/// Returns the first few of `all`, and how many there are besides.
fn spelled<T>(mut all: Vec<T>) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(Limits::PRESENCE_NAMES);
    all.truncate(Limits::PRESENCE_NAMES);
    (all, more)
}
