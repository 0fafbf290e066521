//! What was typed and not said yet, kept for the next time: lines that nobody has echoed, with the keys and the session token that
//! make them count once, drafts, and the lines entered before. One file a running client, locked for as long as it runs; so each
//! line is sent by one. A client that has ended leaves its file to the next one on the same server.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    editor,
    files::{self, Unread},
};
use crate::{
    os,
    wire::{ClientMessage, Epoch, RoomName, SessionToken},
};

/// How long lines go out by themselves when the server is met again; after that nobody may still want to say them.
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
    /// When it was written, in seconds since the Unix epoch; what has not been is written as of then.
    pub saved: u64,
    /// Whose lines these are to the server. A secret; without lines there is none.
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

    /// Makes lines to be typed again of those that were not sent: what was for all stands before the draft, and the rest can be
    /// called back, since what was for one person must not be said aloud with it.
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

    /// Returns how long, from `now` on, the lines still go out by themselves. A clock that has been set back ends that.
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

/// Returns the file of this client among those in `folder`, and what others have left; see [`Slot::take`]. Where there can be none,
/// nothing is kept, which is `told`.
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

/// The file of this client, which nobody else reads or writes as long as this lives.
#[derive(Debug)]
pub struct Slot {
    path: PathBuf,
    _lock: File,
}

impl Slot {
    /// Returns a file in `folder` for a client on `server`, what clients there have left that have ended, and what is to be told about
    /// files that could not be read.
    ///
    /// Lines that may still go out by themselves are of one client, whose session token comes with them; those of another stay for
    /// the next client. Older ones are given back to be typed again.
    ///
    /// # Errors
    /// When there can be no file.
    pub fn take(folder: &Path, server: &str, now: u64) -> io::Result<(Self, Kept, Vec<String>)> {
        let slot = Self::new(folder)?;
        let mut told = Vec::new();
        let mut left: Vec<(Self, Kept)> = Vec::new();
        let mut others = Vec::new();
        for entry in fs::read_dir(folder)?.flatten() {
            let path = entry.path().with_extension("json");
            let is_ours = entry.path().extension().is_some_and(|end| end == "json" || end == "lock");
            if !is_ours || path == slot.path || left.iter().any(|(left, _)| left.path == path) {
                continue;
            }
            // Not even for a moment the lock of what belongs to other servers: their clients would miss it.
            if Kept::read(&path).is_ok_and(|(kept, _)| kept.server != server) {
                others.push((entry.metadata().and_then(|file| file.modified()).ok(), path));
                continue;
            }
            let Some(lock) = files::try_lock(&path) else { continue };
            let theirs = Self { path, _lock: lock };
            match Kept::read(&theirs.path) {
                Ok((kept, broken)) => {
                    if broken {
                        told.extend(theirs.keep_aside());
                    }
                    left.push((theirs, kept));
                }
                Err(Unread::Broken) => {
                    told.extend(theirs.keep_aside());
                    theirs.remove();
                }
                Err(Unread::Missing) => theirs.remove(),
                Err(Unread::Failed(_)) => {}
            }
        }
        let kept = Self::merge(&mut left, server, now);
        slot.write(&kept, now)?;
        for (theirs, _) in left {
            theirs.remove();
        }
        others.sort();
        for (_, path) in others.iter().rev().skip(FILES) {
            if let Some(lock) = files::try_lock(path) {
                Self { path: path.clone(), _lock: lock }.remove();
            }
        }
        Ok((slot, kept, told))
    }

    /// Puts together what was left; whose lines stay for another client is taken out of `left`.
    fn merge(left: &mut Vec<(Self, Kept)>, server: &str, now: u64) -> Kept {
        left.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.saved));
        let mut merged = Kept { server: server.to_owned(), saved: now, ..Kept::default() };
        left.retain_mut(|(_, kept)| {
            if kept.has_unsent() && kept.session.is_some() && kept.fresh_for(now).is_some() {
                if merged.has_unsent() {
                    return false;
                }
                (merged.saved, merged.session, merged.epoch) = (kept.saved, kept.session, kept.epoch);
            } else {
                kept.rooms.iter_mut().for_each(KeptRoom::give_back);
            }
            merged.take_in(std::mem::take(kept));
            true
        });
        merged
    }

    fn new(folder: &Path) -> io::Result<Self> {
        os::create_private_dir(folder)?;
        loop {
            let mut name = [0; 8];
            getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
            let path = folder.join(format!("{:016x}.json", u64::from_be_bytes(name)));
            os::open_private(&files::lock_path(&path))?;
            // Who cleans up may have been faster.
            if let Some(lock) = files::try_lock(&path)
                && files::lock_path(&path).exists()
            {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// Writes `kept` as of `now`, within bounds.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn write(&self, kept: &Kept, now: u64) -> io::Result<()> {
        let kept = Kept { saved: if kept.saved == 0 { now } else { kept.saved }, ..kept.bounded() };
        if kept.rooms.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        files::replace(&self.path, &serde_json::to_vec(&kept)?)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn keep_aside(&self) -> Option<String> {
        let aside = files::keep_aside(&self.path).ok()?;
        Some(format!("cannot read what was typed the last time, or not all of it; it is kept as {}", aside.display()))
    }

    fn remove(self) {
        // The lock last: who waits for it finds nothing then.
        drop(fs::remove_file(&self.path));
        drop(fs::remove_file(files::lock_path(&self.path)));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.path.exists() {
            drop(fs::remove_file(files::lock_path(&self.path)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Body, Hex, IdempotencyKey, Nick};

    const NOW: u64 = 1_000_000;

    fn say(text: &str) -> ClientMessage {
        ClientMessage::Say {
            key: IdempotencyKey::new(text.trim_start_matches('/')).ok(),
            text: Body::new(text).unwrap(),
        }
    }

    fn kept(session: u8, draft: &str, unsent: Vec<ClientMessage>) -> Kept {
        let room = KeptRoom { draft: draft.to_owned(), unsent, ..KeptRoom::new(RoomName::lobby()) };
        let session = Some(SessionToken(Hex([session; 16])));
        Kept { server: "a:1".to_owned(), session, rooms: vec![room], ..Kept::default() }
    }

    fn take(folder: &Path, now: u64) -> (Slot, Kept) {
        let (slot, kept, told) = Slot::take(folder, "a:1", now).unwrap();
        assert_eq!(told, [""; 0]);
        (slot, kept)
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn what_a_client_leaves_goes_to_one_other_and_only_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (first, nothing) = take(folder.path(), NOW);
        assert_eq!(nothing.rooms, []);
        let written = kept(1, "half", vec![say("a"), say("b")]);
        first.write(&written, NOW).unwrap();
        let (second, nothing) = take(folder.path(), NOW);
        assert_eq!(nothing.rooms, [], "the first client still runs");
        drop(first);
        let (other, nothing, _) = Slot::take(folder.path(), "b:2", NOW).unwrap();
        assert_eq!(nothing.rooms, [], "it is for another server");
        let (third, found) = take(folder.path(), NOW + 599);
        assert_eq!((found.session, &found.rooms), (written.session, &written.rooms));
        assert_eq!(found.fresh_for(NOW + 599), Some(Duration::from_secs(1)));
        assert_eq!(take(folder.path(), NOW + 599).1.rooms, []);
        third.write(&Kept::default(), NOW).unwrap();
        drop((second, third, other));
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn lines_of_two_clients_go_out_as_those_of_two() {
        let folder = tempfile::tempdir().unwrap();
        for session in [1, 2] {
            let (slot, _) = Slot::take(folder.path(), "b:2", NOW).map(|(slot, kept, _)| (slot, kept)).unwrap();
            slot.write(&kept(session, "", vec![say(&session.to_string())]), NOW + u64::from(session)).unwrap();
        }
        let (_first, found) = take(folder.path(), NOW + 5);
        assert_eq!((found.session, &found.rooms[0].unsent), (Some(SessionToken(Hex([2; 16]))), &vec![say("2")]));
        let (_second, found) = take(folder.path(), NOW + 5);
        assert_eq!((found.session, &found.rooms[0].unsent), (Some(SessionToken(Hex([1; 16]))), &vec![say("1")]));
    }

    #[test]
    fn old_lines_are_a_draft_and_what_was_for_one_is_never_in_it() {
        let secret =
            ClientMessage::Msg { key: None, to: Nick::new("bob").unwrap(), text: Body::new("secret").unwrap() };
        for (draft, now, expected, entered) in [
            ("half", NOW + 601, "//etc\n/usr\nhalf", ["/msg bob secret"].as_slice()),
            // A clock that was set back says nothing.
            ("", NOW - 1, "//etc\n/usr", &["/msg bob secret"]),
            ("/msg eve x", NOW + 601, "/msg eve x", &["//usr", "/msg bob secret", "//etc"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (slot, _) = take(folder.path(), NOW);
            slot.write(&kept(1, draft, vec![say("/etc"), secret.clone(), say("/usr")]), NOW).unwrap();
            drop(slot);
            let (_slot, found) = take(folder.path(), now);
            assert_eq!((found.session, found.rooms[0].draft.as_str()), (None, expected));
            assert_eq!(found.rooms[0].entered, entered);
            assert!(!found.has_unsent());
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.json"), "{").unwrap();
        let text = r#"{"server":"a:1","saved":"x","rooms":[{"room":"NO WAY"},{"room":"lobby","draft":"half","unsent":[{"type":"x"},
            {"type":"say","text":"old"}]}]}"#;
        fs::write(folder.path().join("2.json"), text).unwrap();
        let (_slot, kept, told) = Slot::take(folder.path(), "a:1", NOW).unwrap();
        assert_eq!((kept.rooms[0].draft.as_str(), told.len()), ("old\nhalf", 2));
        assert_eq!(fs::read_to_string(folder.path().join("1.json.bad")).unwrap(), "{");
        assert_eq!(fs::read_to_string(folder.path().join("2.json.bad")).unwrap(), text);
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_alone_and_has_bounds() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (slot, _) = take(&folder.path().join("new"), NOW);
        let mut much = kept(1, "", (0..600).map(|_| say(&"x".repeat(16 * 1024))).collect());
        much.rooms[0].entered = (0..200).map(|_| "y".repeat(64 * 1024)).collect();
        slot.write(&much, NOW).unwrap();
        let file = fs::metadata(slot.path()).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert!(file.len() < 6 * 1024 * 1024, "{}", file.len());
    }
}
