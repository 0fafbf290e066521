//! What was typed and not said yet, kept for the next time: lines that nobody has echoed, with the
//! keys and the session token that make them count once, drafts, and the lines entered before. One
//! file a running client, locked for as long as it runs; so each line is sent by one. A client that
//! has ended leaves its file to the next one on the same server.

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

/// How long lines go out by themselves when the server is met again; after that nobody may still
/// want to say them.
pub const FRESH: Duration = Duration::from_mins(10);

/// The unsent texts that are kept, in bytes: as much as anybody types in a day.
const UNSENT: usize = 4 * 1024 * 1024;

/// The lines entered before that are kept, in bytes over all rooms.
const ENTERED: usize = 256 * 1024;

/// The largest file that is read: JSON may escape a byte with six.
const FILE: u64 = 64 * 1024 * 1024;

/// Files of clients that have ended; past it the oldest goes.
const FILES: usize = 50;

/// What is kept of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The host and port of the server.
    pub server: String,
    /// When it was written, in seconds since the Unix epoch; what has not been is written as of
    /// then.
    pub saved: u64,
    /// Who the client is to the server. A secret: a client that ends keeps it for the lines alone
    /// that were not sent, and one that was killed leaves it, so that the next has its nick and
    /// place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// The history that the server had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// What was typed, by room.
    #[serde(default)]
    pub rooms: Vec<KeptRoom>,
    /// Whether the client ends with it: then it is written once more, with the time.
    #[serde(skip)]
    pub last: bool,
}

/// What is kept of one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRoom {
    /// Its name.
    pub room: RoomName,
    /// What is being typed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub draft: String,
    /// Lines entered before, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entered: Vec<String>,
    /// Texts with their keys that have not been echoed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsent: Vec<ClientMessage>,
}

impl KeptRoom {
    /// Returns nothing of `room`.
    #[must_use]
    pub fn new(room: RoomName) -> Self {
        Self { room, draft: String::new(), entered: Vec::new(), unsent: Vec::new() }
    }

    /// Returns whether somebody wants to see the room again for what was typed there.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.draft.is_empty() || !self.unsent.is_empty()
    }

    /// Makes lines to be typed again of those that were not sent: what was for all stands before
    /// the draft, and the rest can be called back, since what was for one person must not be said
    /// aloud with it.
    pub fn give_back(&mut self) {
        let mut lines = String::new();
        for message in std::mem::take(&mut self.unsent) {
            let line = as_typed(&message);
            let fits = lines.len() + line.len() + self.draft.len() + 2 <= editor::LENGTH;
            // Behind another line a command would be said aloud.
            let joins = matches!(message, ClientMessage::Say { .. }) && !self.draft.starts_with('/');
            if fits && joins {
                // Only what begins a draft can be a command.
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
    /// Returns what is kept of `room`, which is added where there is nothing.
    pub fn room_mut(&mut self, room: &RoomName) -> &mut KeptRoom {
        let at = self.rooms.iter().position(|kept| kept.room == *room).unwrap_or_else(|| {
            self.rooms.push(KeptRoom::new(room.clone()));
            self.rooms.len() - 1
        });
        &mut self.rooms[at]
    }

    /// Takes out what is kept of `room`.
    pub fn take_room(&mut self, room: &RoomName) -> Option<KeptRoom> {
        let at = self.rooms.iter().position(|kept| kept.room == *room)?;
        Some(self.rooms.remove(at))
    }

    /// Returns whether there are lines that were not sent.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.rooms.iter().any(|room| !room.unsent.is_empty())
    }

    /// Returns how long, from `now` on, the lines still go out by themselves. A clock that has been
    /// set back ends that.
    #[must_use]
    pub fn fresh_for(&self, now: u64) -> Option<Duration> {
        let age = Duration::from_secs(now.checked_sub(self.saved)?);
        FRESH.checked_sub(age)
    }

    /// Adds what another client has left.
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

    /// Leaves away what is too much to be kept.
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

    /// Reads the file at `path`, without what cannot be read in it.
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

/// Returns the file of this client among those in `folder`, and what others have left; see
/// [`Slot::take`]. Where there can be none, nothing is kept, which is `told`.
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

/// Returns the seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Returns the line that says `message` where it is typed.
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
