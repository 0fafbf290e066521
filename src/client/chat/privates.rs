//! Which private messages were shown lately. Pure.

use std::collections::VecDeque;

use crate::protocol::{PersonId, Private};

/// The private messages that are remembered: as many as a server keeps for one person.
const MOST: usize = 128;

/// Private messages that were shown. One that a connection got before it was lost comes again on
/// the next, or on one in another room.
#[derive(Debug, Default)]
pub struct Privates(VecDeque<(Option<PersonId>, u64)>);

impl Privates {
    /// Returns whether a message was not shown before, and remembers it. One's own echo, and what
    /// an earlier server says, is always new.
    pub fn is_new(&mut self, private: &Private) -> bool {
        let Some(id) = private.id.filter(|_| private.key.is_none()) else { return true };
        let id = (private.peer, id);
        let is_new = !self.0.contains(&id);
        if is_new {
            self.0.truncate(MOST - 1);
            self.0.push_front(id);
        }
        is_new
    }

    /// Forgets all: in another history the ids are given again.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
