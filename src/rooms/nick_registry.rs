//! Which nicks are taken. Two nicks that look alike are the same nick. Pure.

use std::collections::HashMap;

use crate::protocol::{Author, Nick};

/// The number of suffixes that are tried in order before a rare one is taken, so that ten thousand
/// people of one name cost O(N) together.
const IN_ORDER: u64 = 50;

/// The same for nicks that are expensive to make.
const DEAR_IN_ORDER: u64 = 10;

/// The owner of each look-alike key.
#[derive(Debug, Default)]
pub(super) struct NickRegistry {
    holders: HashMap<String, Author>,
    /// The last number given to a guest, or to somebody for whose nick the first [`IN_ORDER`]
    /// suffixes were taken.
    numbers: u64,
}

impl NickRegistry {
    pub(super) fn find(&self, nick: &Nick) -> Option<Author> {
        nick.look_alikes().iter().find_map(|key| self.holders.get(key).copied())
    }

    pub(super) fn is_taken(&self, nick: &Nick) -> bool {
        self.find(nick).is_some()
    }

    pub(super) fn is_taken_by_another(&self, nick: &Nick, author: Author) -> bool {
        nick.look_alikes().iter().any(|key| self.holders.get(key).is_some_and(|holder| *holder != author))
    }

    pub(super) fn take(&mut self, nick: &Nick, author: Author) {
        for key in nick.look_alikes() {
            self.holders.insert(key, author);
        }
    }

    /// Frees the keys of `nick` that `author` owns.
    pub(super) fn free(&mut self, nick: &Nick, author: Author) {
        for key in nick.look_alikes() {
            if self.holders.get(&key) == Some(&author) {
                self.holders.remove(&key);
            }
        }
    }

    /// Returns the next free nick of the form `nick-2`.
    pub(super) fn next_free(&mut self, nick: &Nick) -> Nick {
        let most = if nick.is_cheap() { IN_ORDER } else { DEAR_IN_ORDER };
        let in_order = (2..most).map(|number| nick.numbered(number)).find(|nick| !self.is_taken(nick));
        in_order.unwrap_or_else(|| self.next_numbered(|number| nick.numbered(IN_ORDER + number)))
    }

    /// Returns a free nick for somebody who asked for none.
    pub(super) fn free_guest(&mut self) -> Nick {
        self.next_numbered(Nick::guest)
    }

    fn next_numbered(&mut self, name: impl Fn(u64) -> Nick) -> Nick {
        loop {
            self.numbers += 1;
            let nick = name(self.numbers);
            if !self.is_taken(&nick) {
                return nick;
            }
        }
    }
}
