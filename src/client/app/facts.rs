//! What a view may know of the conversation. Pure. (A stand-in until the app tells it.)

use std::time::Duration;

use super::{App, Phase};
use crate::wire::{Dialect, Nick, RoomName};

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "a stand-in")]
pub enum Connection<'a> {
    Connecting,
    Replaying,
    Live,
    Offline { since: Duration, reason: &'a str },
}

#[expect(missing_docs, reason = "a stand-in")]
impl App {
    #[must_use]
    pub fn nick(&self) -> Option<&Nick> {
        self.nick.as_ref()
    }
    #[must_use]
    pub fn room(&self) -> Option<&RoomName> {
        self.room.as_ref()
    }
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.outbox.unsent_texts()
    }
    #[must_use]
    pub fn connection(&self) -> Connection<'_> {
        match (self.phase, self.lost_at) {
            (Phase::Live, _) => Connection::Live,
            (Phase::Replaying, _) => Connection::Replaying,
            (_, Some(since)) => Connection::Offline { since, reason: "" },
            _ => Connection::Connecting,
        }
    }
}
