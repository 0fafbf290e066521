//! The state of the conversation, for a view that shows it beside the messages. Pure.

use std::time::Duration;

use super::{App, Bookmark, Phase};
use crate::protocol::{Body, ClientMessage, Dialect, Kind, Nick, RoomName, SessionToken, Topic};

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection<'a> {
    /// The connection is being made, or the server has not sent its welcome yet.
    Connecting,
    /// The connection is up, and the history is being replayed.
    Replaying,
    /// The connection is up, and every message that arrives is new.
    Live,
    /// The connection is lost or could not be made. Another one is being made.
    Offline {
        /// When the connection was lost or failed, after the start of the program.
        since: Duration,
        /// Why. The words may come from the server.
        reason: &'a str,
        /// When the next attempt starts, after the start of the program. `None` while one is under
        /// way.
        retry_at: Option<Duration>,
    },
}

/// A text of ours that has not been echoed. Perhaps nobody has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The kind of text.
    pub kind: Kind,
    /// The recipient of a private text. `None` for a text to the room.
    pub to: Option<Nick>,
    /// The text. `None` if a topic is cleared.
    pub text: Option<Body>,
}

impl App {
    /// Returns the nick that we have or want.
    #[must_use]
    pub fn nick(&self) -> Option<&Nick> {
        self.nick.as_ref()
    }

    /// Returns the room that we are in. `None` before the first welcome.
    #[must_use]
    pub fn room(&self) -> Option<&RoomName> {
        self.room.as_ref()
    }

    /// Returns the dialect of the server. It is known only after the first connection.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn connection(&self) -> Connection<'_> {
        match (self.phase, self.lost_at.or(self.waiting_since)) {
            (Phase::Offline, Some(since)) => {
                Connection::Offline { since, reason: &self.lost_because, retry_at: self.retry_at }
            }
            (Phase::Offline, None) | (Phase::Greeting { .. }, _) => Connection::Connecting,
            (Phase::Replaying, _) => Connection::Replaying,
            (Phase::Live, _) => Connection::Live,
        }
    }

    /// Returns whether there has been no connection yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.phase == Phase::Offline && self.lost_at.is_none()
    }

    /// Returns whether there is no connection and the next attempt is delayed.
    #[must_use]
    pub fn waits_to_retry(&self) -> bool {
        self.phase == Phase::Offline && self.retry_at.is_some()
    }

    /// Returns the last message of the room that was shown, and its history. A later conversation
    /// resumes there if it gets this as
    /// [`Settings::saved_position`](super::Settings::saved_position).
    #[must_use]
    pub fn cursor(&self) -> Option<Bookmark> {
        let (epoch, id) = self.epoch.zip(self.cursor)?;
        Some(Bookmark { epoch, run: self.run, id })
    }

    /// Returns the session token. If other conversations get it as
    /// [`Settings::session`](super::Settings::session), they belong to the same person. The token
    /// is a secret.
    #[must_use]
    pub fn session(&self) -> SessionToken {
        self.session
    }

    /// Returns our texts that have not been echoed, oldest first. With their keys, the server
    /// counts each one once.
    pub fn unsent(&self) -> impl Iterator<Item = &ClientMessage> {
        self.outbox.texts()
    }

    /// Returns our texts that have not been echoed, oldest first, for display.
    pub fn pending(&self) -> impl Iterator<Item = Pending> {
        self.outbox.texts().filter_map(|message| {
            let (kind, to, text) = match message {
                ClientMessage::Say { text, .. } => (Kind::Say, None, Some(text.clone())),
                ClientMessage::Me { text, .. } => (Kind::Me, None, Some(text.clone())),
                ClientMessage::Msg { to, text, .. } => (Kind::Say, Some(to.clone()), Some(text.clone())),
                ClientMessage::SetTopic { text, .. } => (Kind::Topic, None, text.clone().map(Topic::into_body)),
                _ => return None,
            };
            Some(Pending { kind, to, text })
        })
    }
}
