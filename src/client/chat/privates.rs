//! The private messages that were shown recently. Pure.

use std::collections::VecDeque;

use crate::protocol::{PersonId, Private};

/// The maximum number of remembered private messages. A server keeps the same number for one
/// person.
const MOST: usize = 128;

/// Private messages that were already shown. If a connection receives one before it is lost, the
/// next connection receives it again. So does a connection in another room.
#[derive(Debug, Default)]
pub struct Privates(VecDeque<(Option<PersonId>, u64)>);

impl Privates {
    /// Returns whether a message was not shown before, and remembers it. The user's own echo and a
    /// message without an ID (from an earlier server) always count as new.
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

    /// Forgets all messages. Another history reuses the IDs.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
