//! What the program remembers from one run to the next: what was changed by commands, and where
//! reading stopped. It lives in the platform's directory for state, for its owner alone, who may
//! have several clients: each writes only what it has changed. Nothing depends on it: what cannot
//! be read is kept aside, and what cannot be written is told once.

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

/// The largest file that is read: all that is written fits many times.
const FILE: u64 = 1024 * 1024;

/// People ignored, words that `/highlight` changed, and servers remembered; what is oldest goes
/// first.
const IGNORED: usize = 500;
const HIGHLIGHTS: usize = 100;
const SERVERS: usize = 50;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// What `/bell` said last.
    pub bell: Option<Bell>,
    /// Whose words are not shown.
    pub ignored: Vec<Nick>,
    /// Words that `/highlight` added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub highlight: Vec<Word>,
    /// Words of the settings file that it took out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_highlight: Vec<Word>,
    /// The servers, the one visited last at the end.
    servers: Vec<Visit>,
    /// What a later version remembers.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What is remembered of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visit {
    /// Its host and port.
    server: String,
    /// Which history the ids belong to.
    pub epoch: Option<Epoch>,
    /// The rooms that were open, in their order.
    pub rooms: Vec<OpenRoom>,
    /// What was chosen for rooms, open or not, the latest at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<RoomChoice>,
}

/// A room that was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenRoom {
    /// Its name.
    pub room: RoomName,
    /// The last message that was read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<MessageId>,
    /// The run of the server in which that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

impl State {
    /// Returns what the file at `path` remembers, and what is to be told about it.
    ///
    /// A value that is none is left out. A file with such values, or one that cannot be read at
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
            // Else every later start would keep it again.
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
                // A name was valid once, whatever the rules are now.
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

    /// Returns what is remembered of `server`, its host and port.
    #[must_use]
    pub fn visit(&self, server: &str) -> Option<&Visit> {
        self.servers.iter().find(|visit| visit.server == server)
    }

    /// Returns the addresses of the servers, the one visited last first.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        let address = |visit: &Visit| match visit.server.rsplit_once(':') {
            Some((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
            _ => visit.server.clone(),
        };
        self.servers.iter().rev().map(address).collect()
    }

    /// Remembers the rooms open on `server`, the history they belong to, and where reading stopped.
    pub fn remember(&mut self, server: &str, epoch: Option<Epoch>, rooms: Vec<OpenRoom>) {
        let choices = self.visit(server).map(|visit| visit.choices.clone()).unwrap_or_default();
        self.put(Visit { server: server.to_owned(), epoch, rooms, choices });
    }

    /// Remembers what was chosen for the rooms of `server`, which is remembered.
    pub fn choose(&mut self, server: &str, choices: &[RoomChoice]) {
        if let Some(visit) = self.servers.iter_mut().find(|visit| visit.server == server) {
            visit.choices = choices.to_vec();
        }
    }

    fn put(&mut self, visit: Visit) {
        self.servers.retain(|other| other.server != visit.server);
        self.servers.push(visit);
    }

    /// Changes the file at `path` as `before` was changed to this, whatever others have written
    /// meanwhile. Blocks while another does so.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn write(&self, before: &Self, path: &Path) -> io::Result<()> {
        let _lock = files::lock(path)?;
        // What is wrong with it was told at the start.
        let (mut state, _) = Self::read_locked(path)?;
        let found = state.clone();
        state.change(before, self);
        if state == found { Ok(()) } else { state.write_locked(path) }
    }

    fn write_locked(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Changes this as `before` was changed to `after`.
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
                    // Of another run, ids cannot be compared; what was read last counts.
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

/// Adds to `list` and takes out of it what was added and taken out between `before` and `after`.
fn change_list<T: Clone>(list: &mut Vec<T>, before: &[T], after: &[T], same: impl Fn(&T, &T) -> bool) {
    let has = |list: &[T], one: &T| list.iter().any(|other| same(other, one));
    list.retain(|one| has(after, one) || !has(before, one));
    for one in after {
        if !has(before, one) && !has(list, one) {
            list.push(one.clone());
        }
    }
}

/// Takes `name` out of `values`; what cannot be read is `skipped`.
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

/// Returns the folder where the state is kept, on a platform that has a place for it.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let places = ProjectDirs::from("", "", "broadcast-chat")?;
    Some(places.state_dir().unwrap_or_else(|| places.data_local_dir()).to_owned())
}

/// Returns where the state is kept, on a platform that has a place for it.
#[must_use]
pub fn path() -> Option<PathBuf> {
    Some(path_in(&folder()?))
}

/// Returns where the state is kept in `folder`.
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
        // Nothing has changed since.
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
        // Two clients choose, each for another room; one also goes elsewhere meanwhile.
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
