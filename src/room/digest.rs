//! Who came, went and changed their nick in a room since it was last told: what cancels out is never told. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::SeatId;
use crate::wire::{Limits, Nick, Presence, Rename, RoomName};

/// The changes of one room that it has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Digest {
    joined: BTreeMap<SeatId, Nick>,
    returned: BTreeMap<SeatId, Nick>,
    /// Who left, and from which seat.
    left: BTreeMap<Nick, SeatId>,
    renamed: BTreeMap<SeatId, Rename>,
}

impl Digest {
    fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.returned.is_empty() && self.left.is_empty() && self.renamed.is_empty()
    }

    /// Notes that somebody came.
    pub(super) fn joined(&mut self, seat: SeatId, nick: Nick) {
        // Who went and is back within the digest was never away.
        if self.left.remove(&nick).is_none() {
            self.joined.insert(seat, nick);
        }
    }

    /// Notes that somebody came back after a restart.
    pub(super) fn returned(&mut self, seat: SeatId, nick: Nick) {
        self.returned.insert(seat, nick);
    }

    /// Notes that somebody went.
    pub(super) fn left(&mut self, seat: SeatId, nick: Nick) {
        self.returned.remove(&seat);
        if self.joined.remove(&seat).is_none() {
            let known_as = self.renamed.remove(&seat).map_or(nick, |rename| rename.from);
            self.left.insert(known_as, seat);
        }
    }

    /// Notes that somebody has another nick.
    pub(super) fn renamed(&mut self, seat: SeatId, from: Nick, to: Nick) {
        if let Some(nick) = self.joined.get_mut(&seat) {
            *nick = to;
        } else {
            let from = self.renamed.remove(&seat).map_or(from, |earlier| earlier.from);
            if from != to {
                self.renamed.insert(seat, Rename { from, to });
            }
        }
    }

    /// Notes that the same person sits in another seat now, which nobody is told.
    pub(super) fn replaced(&mut self, old: SeatId, new: SeatId) {
        fn rekey<T>(map: &mut BTreeMap<SeatId, T>, old: SeatId, new: SeatId) {
            if let Some(value) = map.remove(&old) {
                map.insert(new, value);
            }
        }
        rekey(&mut self.joined, old, new);
        rekey(&mut self.returned, old, new);
        rekey(&mut self.renamed, old, new);
    }

    /// Returns the event, and the only person it is about, or `None` when nothing changed.
    pub(super) fn into_presence(self, room: &RoomName, people: usize) -> Option<(Presence, Option<SeatId>)> {
        if self.is_empty() {
            return None;
        }
        let mut about: BTreeSet<SeatId> =
            self.joined.keys().chain(self.returned.keys()).chain(self.renamed.keys()).copied().collect();
        about.extend(self.left.values());
        let about = if about.len() == 1 { about.first().copied() } else { None };
        let (joined, more_joined) = spelled(self.joined.into_values());
        let (returned, more_returned) = spelled(self.returned.into_values());
        let (left, more_left) = spelled(self.left.into_keys());
        let (renamed, more_renamed) = spelled(self.renamed.into_values());
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
fn spelled<T>(all: impl ExactSizeIterator<Item = T>) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(Limits::PRESENCE_NAMES);
    (all.take(Limits::PRESENCE_NAMES).collect(), more)
}
