//! How the conversation stands, for a view that shows it beside what was said. Pure.

use std::time::Duration;

use super::{App, Bookmark, Phase};
use crate::protocol::{Body, ClientMessage, Dialect, Kind, Nick, RoomName, SessionToken, Topic};

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection<'a> {
    /// It is being made, or stands and has not been welcomed.
    Connecting,
    /// It stands, and what is older is being read.
    Replaying,
    /// It stands, and what comes is new.
    Live,
    /// It is gone, or could not be made; another is being made.
    Offline {
        /// When it was lost or not made, after the start of the program.
        since: Duration,
        /// Why, in words that may be the server's.
        reason: &'a str,
        /// When the next try to make one is made, after the start of the program; nothing while one
        /// is being made.
        retry_at: Option<Duration>,
    },
}

/// A text of ours that has not been echoed: perhaps nobody has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// How it is said.
    pub kind: Kind,
    /// To whom alone; none where it is for the room.
    pub to: Option<Nick>,
    /// The text; none where a topic is cleared.
    pub text: Option<Body>,
}

impl App {
    /// Returns the nick we have, or want.
    #[must_use]
    pub fn nick(&self) -> Option<&Nick> {
        self.nick.as_ref()
    }

    /// Returns the room we are in; none before the first welcome.
    #[must_use]
    pub fn room(&self) -> Option<&RoomName> {
        self.room.as_ref()
    }

    /// Returns how the server speaks, once there was a connection.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns how the connection stands.
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

    /// Returns whether there was no connection yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.phase == Phase::Offline && self.lost_at.is_none()
    }

    /// Returns whether there is no connection, and the next try to make one waits.
    #[must_use]
    pub fn waits_to_retry(&self) -> bool {
        self.phase == Phase::Offline && self.retry_at.is_some()
    }

    /// Returns the last message of the room that was shown, and of which history it is: with this
    /// as [`Settings::saved_position`](super::Settings::saved_position), a later conversation goes
    /// on there.
    #[must_use]
    pub fn cursor(&self) -> Option<Bookmark> {
        let (epoch, id) = self.epoch.zip(self.cursor)?;
        Some(Bookmark { epoch, run: self.run, id })
    }

    /// Returns the token that makes other conversations those of the same person, as
    /// [`Settings::session`](super::Settings::session). A secret.
    #[must_use]
    pub fn session(&self) -> SessionToken {
        self.session
    }

    /// Returns our texts that have not been echoed, oldest first, with the keys that make them
    /// count once.
    pub fn unsent(&self) -> impl Iterator<Item = &ClientMessage> {
        self.outbox.texts()
    }

    /// Returns our texts that have not been echoed, oldest first, to be shown.
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
