//! The state that the client keeps across runs: what commands changed, and the last message read.
//! The file is in the state directory of the platform and is readable by its owner only. The owner
//! may run several clients, so each one writes only its own changes. The client works without the
//! file: a file that cannot be read is kept under another name, and a failure to write is reported
//! once.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use directories::ProjectDirs;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    files::{self, Unread},
    view::{Bell, RoomChoice, RoomChoices, Word},
};
use crate::{
    os,
    protocol::{Epoch, Limits, MessageId, Nick, RoomName, Run},
};

/// The maximum size of the file, in bytes. A file within the limits below is many times smaller.
const FILE: u64 = 1024 * 1024;

/// The maximum numbers of ignored persons, of words changed by `/highlight`, and of servers. Beyond
/// them, the oldest is removed.
const IGNORED: usize = 500;
const HIGHLIGHTS: usize = 100;
const SERVERS: usize = 50;

/// The saved state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// The last value of `/bell`.
    pub bell: Option<Bell>,
    /// The nicks of the ignored persons.
    pub ignored: Vec<Nick>,
    /// The words that `/highlight` added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub highlight: Vec<Word>,
    /// The words of the settings file that `/highlight` removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_highlight: Vec<Word>,
    /// The servers, the last visited one at the end.
    servers: Vec<Visit>,
    /// The values of a later version.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The state of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visit {
    /// The host and port.
    server: String,
    /// The epoch of the history that the ids belong to.
    pub epoch: Option<Epoch>,
    /// The open rooms, in their order.
    pub rooms: Vec<OpenRoom>,
    /// The choices for rooms, open or not, the latest at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<RoomChoice>,
}

/// An open room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenRoom {
    /// The name of the room.
    pub room: RoomName,
    /// The last message that was read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<MessageId>,
    /// The run of the server in which the message was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

impl State {
    /// Reads the state from the file at `path`. Also returns a complaint for the user if something
    /// is wrong with it.
    ///
    /// An invalid value is skipped. A file with invalid values, or one that cannot be parsed at
    /// all, is kept under another name.
    #[must_use]
    pub fn read(path: &Path) -> (Self, Option<String>) {
        if fs::exists(path).is_ok_and(|exists| !exists) {
            return Default::default();
        }
        let read = files::lock(path).and_then(|_lock| Self::read_locked(path));
        read.unwrap_or_else(|error| {
            (Self::default(), Some(format!("cannot read {}: {}", path.display(), os::reason(&error))))
        })
    }

    fn read_locked(path: &Path) -> io::Result<(Self, Option<String>)> {
        let text = match files::read(path, FILE) {
            Ok(text) => text,
            Err(Unread::Missing) => return Ok(Default::default()),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Broken) => String::new(),
        };
        let mut skipped = false;
        let values = serde_json::from_str(&text).unwrap_or_else(|_| {
            skipped = true;
            Map::new()
        });
        let state = Self::from_values(values, &mut skipped);
        let complaint = skipped.then(|| {
            // Replace the file. Otherwise every later start would keep it again.
            let kept = files::keep_aside(path).and_then(|aside| state.write_locked(path).map(|()| aside));
            let words = format!("cannot read {}, or not all of it; ", path.display());
            words
                + &match kept {
                    Ok(aside) => format!("it is kept as {}", aside.display()),
                    Err(error) => format!("it cannot be kept: {}", os::reason(&error)),
                }
        });
        Ok((state, complaint))
    }

    fn from_values(mut values: Map<String, Value>, skipped: &mut bool) -> Self {
        Self {
            bell: value(&mut values, "bell", skipped),
            ignored: list(&mut values, "ignored", skipped, |nick, skipped| {
                // A name that was valid once is accepted, even if the rules have changed.
                Some(Nick::read(&read::<String>(nick, skipped)?))
            }),
            highlight: list(&mut values, "highlight", skipped, read),
            no_highlight: list(&mut values, "no_highlight", skipped, read),
            servers: list(&mut values, "servers", skipped, |visit, skipped| {
                let mut visit = read(visit, skipped)?;
                Some(Visit {
                    server: value(&mut visit, "server", skipped)?,
                    epoch: value(&mut visit, "epoch", skipped),
                    rooms: list(&mut visit, "rooms", skipped, |room, skipped| {
                        let mut room = read(room, skipped)?;
                        Some(OpenRoom {
                            room: RoomName::read(&value::<String>(&mut room, "room", skipped)?),
                            read: value(&mut room, "read", skipped),
                            run: value(&mut room, "run", skipped),
                        })
                    }),
                    choices: list(&mut visit, "choices", skipped, |choice, skipped| {
                        let mut choice = read(choice, skipped)?;
                        Some(RoomChoice {
                            room: RoomName::read(&value::<String>(&mut choice, "room", skipped)?),
                            notify: value(&mut choice, "notify", skipped),
                            joins: value(&mut choice, "joins", skipped),
                        })
                    }),
                })
            }),
            rest: values,
        }
    }

    /// Returns the state of `server`, a host and a port.
    #[must_use]
    pub fn visit(&self, server: &str) -> Option<&Visit> {
        self.servers.iter().find(|visit| visit.server == server)
    }

    /// Returns the addresses of the servers, the last visited one first.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        let address = |visit: &Visit| match visit.server.rsplit_once(':') {
            Some((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
            _ => visit.server.clone(),
        };
        self.servers.iter().rev().map(address).collect()
    }

    /// Saves the open rooms of `server` with their read positions, and the epoch of its history.
    pub fn remember(&mut self, server: &str, epoch: Option<Epoch>, rooms: Vec<OpenRoom>) {
        let choices = self.visit(server).map(|visit| visit.choices.clone()).unwrap_or_default();
        self.put(Visit { server: server.to_owned(), epoch, rooms, choices });
    }

    /// Saves the choices for the rooms of `server`. Does nothing if the server is unknown.
    pub fn choose(&mut self, server: &str, choices: &[RoomChoice]) {
        if let Some(visit) = self.servers.iter_mut().find(|visit| visit.server == server) {
            visit.choices = choices.to_vec();
        }
    }

    fn put(&mut self, visit: Visit) {
        self.servers.retain(|other| other.server != visit.server);
        self.servers.push(visit);
    }

    /// Applies the changes between `before` and this state to the file at `path`. Changes by other
    /// clients are kept. Blocks while another client writes.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub fn write(&self, before: &Self, path: &Path) -> io::Result<()> {
        let _lock = files::lock(path)?;
        // The complaint was already reported at the start.
        let (mut state, _) = Self::read_locked(path)?;
        let found = state.clone();
        state.change(before, self);
        if state == found { Ok(()) } else { state.write_locked(path) }
    }

    fn write_locked(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Applies the changes between `before` and `after` to this state.
    fn change(&mut self, before: &Self, after: &Self) {
        if before.bell != after.bell {
            self.bell = after.bell;
        }
        change_list(&mut self.ignored, &before.ignored, &after.ignored, |a, b| a == b);
        change_list(&mut self.highlight, &before.highlight, &after.highlight, |a, b| a == b);
        change_list(&mut self.no_highlight, &before.no_highlight, &after.no_highlight, |a, b| a == b);
        for visit in after.servers.iter().filter(|visit| before.visit(&visit.server) != Some(visit)) {
            let mut changed = visit.clone();
            if let Some(theirs) = self.visit(&visit.server) {
                let before = before.visit(&visit.server).map_or(&[][..], |before| &before.choices);
                let ours = visit.choices.iter().filter(|ours| !before.contains(ours));
                changed.choices.clone_from(&theirs.choices);
                changed.choices.retain(|theirs| !ours.clone().any(|ours| ours.room == theirs.room));
                changed.choices.extend(ours.cloned());
                keep_last(&mut changed.choices, RoomChoices::MOST);
            }
            if let Some(theirs) = self.visit(&visit.server).filter(|theirs| theirs.epoch == visit.epoch) {
                changed.rooms.clone_from(&theirs.rooms);
                let before = before.visit(&visit.server).map_or(&[][..], |before| &before.rooms);
                change_list(&mut changed.rooms, before, &visit.rooms, |a, b| a.room == b.room);
                for room in &mut changed.rooms {
                    let Some(ours) = visit.rooms.iter().find(|ours| ours.room == room.room) else { continue };
                    // Ids of different runs cannot be compared. Then our own read position, the
                    // latest one, wins.
                    if room.run != ours.run || room.read < ours.read {
                        (room.read, room.run) = (ours.read, ours.run);
                    }
                }
            }
            self.put(changed);
        }
        keep_last(&mut self.ignored, IGNORED);
        keep_last(&mut self.highlight, HIGHLIGHTS);
        keep_last(&mut self.no_highlight, HIGHLIGHTS);
        keep_last(&mut self.servers, SERVERS);
        self.servers.iter_mut().for_each(|visit| visit.rooms.truncate(Limits::SEATS));
    }
}

/// Applies the additions and removals between `before` and `after` to `list`.
fn change_list<T: Clone>(list: &mut Vec<T>, before: &[T], after: &[T], same: impl Fn(&T, &T) -> bool) {
    let has = |list: &[T], one: &T| list.iter().any(|other| same(other, one));
    list.retain(|one| has(after, one) || !has(before, one));
    for one in after {
        if !has(before, one) && !has(list, one) {
            list.push(one.clone());
        }
    }
}

/// Removes `name` from `values` and reads it. Sets `skipped` if the value is invalid.
fn value<T: DeserializeOwned>(values: &mut Map<String, Value>, name: &str, skipped: &mut bool) -> Option<T> {
    values.remove(name).filter(|value| !value.is_null()).and_then(|value| read(value, skipped))
}

fn list<T>(
    values: &mut Map<String, Value>,
    name: &str,
    skipped: &mut bool,
    read: impl Fn(Value, &mut bool) -> Option<T>,
) -> Vec<T> {
    let all: Vec<Value> = value(values, name, skipped).unwrap_or_default();
    all.into_iter().filter_map(|one| read(one, skipped)).collect()
}

fn read<T: DeserializeOwned>(value: Value, skipped: &mut bool) -> Option<T> {
    let read = serde_json::from_value(value).ok();
    *skipped |= read.is_none();
    read
}

/// Returns the directory of the state, or `None` if the platform has none.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let places = ProjectDirs::from("", "", "broadcast-chat")?;
    Some(places.state_dir().unwrap_or_else(|| places.data_local_dir()).to_owned())
}

/// Returns the path of the state file, or `None` if the platform has no directory for it.
#[must_use]
pub fn path() -> Option<PathBuf> {
    Some(path_in(&folder()?))
}

/// Returns the path of the state file in `folder`.
#[must_use]
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("client.json")
}

fn keep_last<T>(all: &mut Vec<T>, most: usize) {
    all.drain(..all.len().saturating_sub(most));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::view::{Joins, Notify},
        protocol::Hex,
    };

    fn room(name: &str, read: u64) -> OpenRoom {
        OpenRoom { room: RoomName::new(name).unwrap(), read: Some(MessageId(read)), run: Some(Hex([7; 8])) }
    }

    fn read(path: &Path) -> State {
        let (state, complaint) = State::read(path);
        assert_eq!(complaint, None);
        state
    }

    #[test]
    fn servers_are_told_as_they_are_typed_the_last_one_first() {
        let mut state = State::default();
        for server in ["chat.example:8080", "::1:2000", "chat.example:8080"] {
            state.remember(server, None, vec![]);
        }
        assert_eq!(state.servers(), ["chat.example:8080", "[::1]:2000"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/client.json");
        let before = read(&path);
        assert_eq!(before, State::default());
        let mut state = State {
            bell: Some(Bell::Off),
            ignored: vec![Nick::new("eve").unwrap()],
            highlight: vec![Word::new("on-call").unwrap()],
            no_highlight: vec![Word::new("Tea").unwrap()],
            ..State::default()
        };
        state.remember("a:1", None, vec![room("lobby", 1)]);
        state.remember("b:2", None, vec![room("rust", 2)]);
        state.remember("a:1", None, vec![room("lobby", 3), room("tea", 4)]);
        state.write(&before, &path).unwrap();
        let again = read(&path);
        assert_eq!(again.visit("a:1").unwrap().rooms, [room("lobby", 3), room("tea", 4)]);
        assert_eq!(again, state);
        let mut names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["client.json", "client.lock"]);
    }

    #[test]
    fn two_clients_keep_what_the_other_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let [eve, mallory] = ["eve", "mallory"].map(|nick| Nick::new(nick).unwrap());
        let mut start = State { ignored: vec![eve.clone()], ..State::default() };
        start.remember("a:1", None, vec![room("lobby", 1), room("old", 1)]);
        start.write(&State::default(), &path).unwrap();
        let before = read(&path);
        let mut ours = State { bell: Some(Bell::Off), ..before.clone() };
        ours.remember("a:1", None, vec![room("lobby", 5), room("tea", 2)]);
        let mut theirs = State { ignored: vec![mallory.clone()], ..before.clone() };
        theirs.remember("a:1", None, vec![room("lobby", 3), room("old", 9), room("rust", 1)]);
        theirs.remember("b:2", None, vec![room("lobby", 7)]);
        ours.write(&before, &path).unwrap();
        theirs.write(&before, &path).unwrap();
        // Nothing has changed since the last write.
        ours.write(&ours, &path).unwrap();
        let both = read(&path);
        assert_eq!((both.bell, both.ignored.as_slice()), (Some(Bell::Off), &[mallory][..]));
        assert_eq!(both.visit("a:1").unwrap().rooms, [room("lobby", 5), room("tea", 2), room("rust", 1)]);
        assert_eq!(both.visit("b:2").unwrap().rooms, [room("lobby", 7)]);
    }

    #[test]
    fn what_was_chosen_for_rooms_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let chosen = |room: &str, notify, joins| RoomChoice { room: RoomName::new(room).unwrap(), notify, joins };
        let lobby = chosen("lobby", Some(Notify::All), None);
        let mut start = State::default();
        start.remember("a:1", None, vec![room("lobby", 1)]);
        start.choose("a:1", std::slice::from_ref(&lobby));
        start.write(&State::default(), &path).unwrap();
        let before = read(&path);
        assert_eq!(before.visit("a:1").unwrap().choices, std::slice::from_ref(&lobby));
        // Two clients make choices for different rooms. One of them also opens another room.
        let (tea, quiet) = (chosen("tea", None, Some(Joins::None)), chosen("lobby", Some(Notify::None), None));
        let (mut ours, mut theirs) = (before.clone(), before.clone());
        ours.choose("a:1", &[lobby.clone(), tea.clone()]);
        ours.remember("a:1", None, vec![room("tea", 2)]);
        theirs.choose("a:1", std::slice::from_ref(&quiet));
        ours.write(&before, &path).unwrap();
        theirs.write(&before, &path).unwrap();
        assert_eq!(read(&path).visit("a:1").unwrap().choices, [tea, quiet]);
        let broken = r#"{"servers":[{"server":"a:1","choices":[{"room":"tea","notify":"loud","joins":"all"},{"joins":"all"},7]}]}"#;
        fs::write(&path, broken).unwrap();
        let (state, complaint) = State::read(&path);
        assert!(complaint.is_some());
        assert_eq!(state.visit("a:1").unwrap().choices, [chosen("tea", None, Some(Joins::All))]);
    }

    #[test]
    fn clients_that_write_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        std::thread::scope(|scope| {
            for client in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let mut before = State::default();
                    for number in 0..10 {
                        let mut after = before.clone();
                        after.ignored.push(Nick::new(&format!("eve-{client}-{number}")).unwrap());
                        after.write(&before, path).unwrap();
                        before = after;
                    }
                });
            }
        });
        assert_eq!(read(&path).ignored.len(), 40);
    }

    #[test]
    fn one_bad_value_is_skipped_and_the_file_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let text = r#"{"bell":"loud","ignored":["eve",7,"mallory"],"later":[1],"servers":[7,{"server":"a:1","epoch":"x",
            "rooms":[{"room":"lobby","read":"no"},{"room":[]},{"room":"tea","read":4}]},{"rooms":[]}]}"#;
        fs::write(&path, text).unwrap();
        let (state, complaint) = State::read(&path);
        assert_eq!(state.ignored.iter().map(Nick::as_str).collect::<Vec<_>>(), ["eve", "mallory"]);
        let visit = state.visit("a:1").unwrap();
        assert_eq!((state.bell, visit.epoch), (None, None));
        let without_run = |room: OpenRoom| OpenRoom { run: None, ..room };
        let expected = [OpenRoom { read: None, ..room("lobby", 0) }, room("tea", 4)].map(without_run);
        assert_eq!(visit.rooms, expected);
        let aside = folder.path().join("client.json.bad");
        assert!(complaint.unwrap().ends_with(&format!("it is kept as {}", aside.display())));
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        assert_eq!(read(&path), state, "and what could be read is there, with what a later version has written");
        assert!(fs::read_to_string(&path).unwrap().contains("later"));
    }

    #[test]
    fn a_broken_file_is_no_memory_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        for (number, text) in ["", "{", "[]", "\u{0}", &"[".repeat(2 << 20)].into_iter().enumerate() {
            fs::write(&path, text).unwrap();
            let (state, complaint) = State::read(&path);
            assert_eq!(state, State::default(), "{number}");
            let name =
                if number == 0 { "client.json.bad".to_owned() } else { format!("client.json.bad-{}", number + 1) };
            assert!(complaint.unwrap().ends_with(&name), "{name}");
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
    }

    #[test]
    fn names_that_were_valid_once_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let text = r#"{"ignored":["☃","a b"],"servers":[{"server":"a:1","epoch":null,"rooms":[{"room":"rust.dev"}]}]}"#;
        fs::write(&path, text).unwrap();
        let (state, complaint) = State::read(&path);
        assert_eq!(complaint, None);
        assert_eq!(state.ignored.iter().map(Nick::as_str).collect::<Vec<_>>(), ["☃", "a\u{fffd}b"]);
        assert_eq!(state.visit("a:1").unwrap().rooms[0].room.as_str(), "rust.dev");
    }

    #[test]
    fn it_cannot_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let mut state = State::default();
        for number in 0..200 {
            state.remember(&format!("host:{number}"), None, (0..200).map(|n| room(&format!("r{n}"), n)).collect());
        }
        state.write(&State::default(), &path).unwrap();
        let again = read(&path);
        assert!(again.visit("host:149").is_none());
        assert_eq!(again.visit("host:150").unwrap().rooms.len(), Limits::SEATS);
    }
}
