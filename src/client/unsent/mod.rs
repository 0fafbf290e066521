//! Typed text that was not sent yet, kept for the next run: messages without an echo, drafts, and
//! the input history. The messages are stored with their idempotency keys and the session token, so
//! that each one counts once. Each running client has one file and locks it while it runs, so each
//! message is sent by one client. A client that has ended leaves its file to the next client on the
//! same server.

mod slot;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::slot::Slot;
use super::{
    editor,
    files::{self, Unread},
};
use crate::{
    os,
    protocol::{ClientMessage, Epoch, RoomName, SessionToken},
};

/// How long unsent messages are sent automatically when the client reconnects to the server. After
/// that the user may no longer want to send them.
pub const FRESH: Duration = Duration::from_mins(10);

/// The maximum total length of the unsent texts, in bytes. Nobody types more in a day.
const UNSENT: usize = 4 * 1024 * 1024;

/// The maximum total length of the input history, in bytes over all rooms.
const ENTERED: usize = 256 * 1024;

/// The maximum size of a file, in bytes. JSON can escape one byte with six.
const FILE: u64 = 64 * 1024 * 1024;

/// The maximum number of files of clients on other servers. Beyond it, the oldest files of clients
/// that have ended are removed.
const FILES: usize = 50;

/// The stored state of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The host and port of the server.
    pub server: String,
    /// The time of writing, in seconds since the Unix epoch. A 0 is replaced by the current time
    /// when the file is written.
    pub saved: u64,
    /// The session token of the client. It is a secret. A client that ends stores it only together
    /// with unsent messages. A client that was killed leaves it, so that the next client resumes
    /// its nick and membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// The epoch of the server's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The typed text, by room.
    #[serde(default)]
    pub rooms: Vec<KeptRoom>,
    /// Whether the client ends with this write. If so, the file is written once more, with the
    /// current time.
    #[serde(skip)]
    pub last: bool,
}

/// The stored state of one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRoom {
    /// The name of the room.
    pub room: RoomName,
    /// The draft.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub draft: String,
    /// The input history, the latest line first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entered: Vec<String>,
    /// The messages without an echo, with their idempotency keys, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsent: Vec<ClientMessage>,
}

impl KeptRoom {
    /// Returns an empty state for `room`.
    #[must_use]
    pub fn new(room: RoomName) -> Self {
        Self { room, draft: String::new(), entered: Vec::new(), unsent: Vec::new() }
    }

    /// Returns whether the room has a draft or unsent messages, so that the user wants to see it
    /// again.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.draft.is_empty() || !self.unsent.is_empty()
    }

    /// Converts unsent messages back to lines to be typed again. Public messages are put before the
    /// draft. The others go to the input history, because a private message must not be sent
    /// publicly with the draft.
    pub fn give_back(&mut self) {
        let mut lines = String::new();
        for message in std::mem::take(&mut self.unsent) {
            let line = as_typed(&message);
            let fits = lines.len() + line.len() + self.draft.len() + 2 <= editor::LENGTH;
            // After another line, a command would be sent as public text.
            let joins = matches!(message, ClientMessage::Say { .. }) && !self.draft.starts_with('/');
            if fits && joins {
                // Only the beginning of a draft can be a command.
                lines.push_str(if lines.is_empty() { &line } else { line.strip_prefix('/').unwrap_or(&line) });
                lines.push('\n');
            } else {
                self.entered.insert(0, line);
            }
        }
        lines.push_str(&self.draft);
        lines.truncate(lines.trim_end_matches('\n').len());
        self.draft = lines;
    }
}

impl Kept {
    /// Returns the state of `room`, and adds an empty one if there is none.
    pub fn room_mut(&mut self, room: &RoomName) -> &mut KeptRoom {
        let at = self.rooms.iter().position(|kept| kept.room == *room).unwrap_or_else(|| {
            self.rooms.push(KeptRoom::new(room.clone()));
            self.rooms.len() - 1
        });
        &mut self.rooms[at]
    }

    /// Removes and returns the state of `room`.
    pub fn take_room(&mut self, room: &RoomName) -> Option<KeptRoom> {
        let at = self.rooms.iter().position(|kept| kept.room == *room)?;
        Some(self.rooms.remove(at))
    }

    /// Returns whether there are unsent messages.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.rooms.iter().any(|room| !room.unsent.is_empty())
    }

    /// Returns how long after `now` the messages are still sent automatically. Returns `None` if
    /// the time is over or the clock was set back.
    #[must_use]
    pub fn fresh_for(&self, now: u64) -> Option<Duration> {
        let age = Duration::from_secs(now.checked_sub(self.saved)?);
        FRESH.checked_sub(age)
    }

    /// Adds the state that another client left.
    fn take_in(&mut self, other: Self) {
        for theirs in other.rooms {
            let ours = self.room_mut(&theirs.room);
            if ours.draft.is_empty() {
                ours.draft = theirs.draft;
            } else if !theirs.draft.is_empty() {
                ours.entered.push(theirs.draft);
            }
            ours.entered.extend(theirs.entered);
            ours.unsent.extend(theirs.unsent);
        }
    }

    /// Removes what exceeds the limits.
    fn bounded(&self) -> Self {
        let (mut unsent, mut entered) = (UNSENT, ENTERED);
        let fits = |left: &mut usize, length: usize| {
            *left = left.saturating_sub(length);
            *left > 0
        };
        let mut bounded = self.clone();
        for room in &mut bounded.rooms {
            let texts = room.unsent.iter().take_while(|message| fits(&mut unsent, as_typed(message).len())).count();
            room.unsent.truncate(texts);
            let lines = room.entered.iter().take_while(|line| fits(&mut entered, line.len())).count();
            room.entered.truncate(lines);
        }
        bounded.rooms.retain(|room| room.is_unfinished() || !room.entered.is_empty());
        bounded
    }

    /// Reads the file at `path` and skips invalid values. Also returns whether there were any.
    fn read(path: &Path) -> Result<(Self, bool), Unread> {
        let text = files::read(path, FILE)?;
        if let Ok(kept) = serde_json::from_str(&text) {
            return Ok((kept, false));
        }
        let mut value: Value = serde_json::from_str(&text).map_err(|_| Unread::Broken)?;
        let mut kept = Self { server: value["server"].as_str().ok_or(Unread::Broken)?.to_owned(), ..Self::default() };
        kept.saved = value["saved"].as_u64().unwrap_or_default();
        kept.session = serde_json::from_value(value["session"].take()).unwrap_or_default();
        kept.epoch = serde_json::from_value(value["epoch"].take()).unwrap_or_default();
        for mut room in value["rooms"].as_array_mut().map(std::mem::take).unwrap_or_default() {
            let Ok(name) = serde_json::from_value(room["room"].take()) else { continue };
            let lines = |value: &mut Value| value.as_array_mut().map(std::mem::take).unwrap_or_default().into_iter();
            kept.rooms.push(KeptRoom {
                room: name,
                draft: room["draft"].as_str().unwrap_or_default().to_owned(),
                entered: lines(&mut room["entered"]).filter_map(|line| serde_json::from_value(line).ok()).collect(),
                unsent: lines(&mut room["unsent"]).filter_map(|text| serde_json::from_value(text).ok()).collect(),
            });
        }
        Ok((kept, true))
    }
}

/// Returns the file of this client in `folder`, and the state that other clients left. See
/// [`Slot::take`]. If there can be no file, nothing is stored, and `told` gets a message for the
/// user.
#[must_use]
pub fn taken(folder: Option<PathBuf>, server: &str, told: &mut Vec<String>) -> (Option<Slot>, Kept) {
    let nothing = Kept { server: server.to_owned(), ..Kept::default() };
    let Some(folder) = folder.map(|folder| folder.join("unsent")) else { return (None, nothing) };
    match Slot::take(&folder, server, now()) {
        Ok((slot, kept, complaints)) => {
            told.extend(complaints);
            (Some(slot), kept)
        }
        Err(error) => {
            told.push(format!("what is typed cannot be kept: {}: {}", folder.display(), os::reason(&error)));
            (None, nothing)
        }
    }
}

/// Returns the current time in seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Returns the input line that sends `message`.
#[must_use]
pub fn as_typed(message: &ClientMessage) -> String {
    match message {
        ClientMessage::Say { text, .. } if text.as_str().starts_with('/') => format!("/{text}"),
        ClientMessage::Say { text, .. } => text.to_string(),
        ClientMessage::Me { text, .. } => format!("/me {text}"),
        ClientMessage::Msg { to, text, .. } => format!("/msg {to} {text}"),
        ClientMessage::SetTopic { text, .. } => {
            format!("/topic {}", text.as_ref().map_or("-", |topic| topic.as_str()))
        }
        _ => String::new(),
    }
}
