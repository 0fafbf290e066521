//! What the program remembers from one run to the next: what was changed by commands, and where reading stopped. It lives in
//! the platform's directory for state, for its owner alone. Nothing depends on it: a file that cannot be read is no memory, and one
//! that cannot be written is told once.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use directories::ProjectDirs;
use serde::{Deserialize, Serialize};

use super::view::Bell;
use crate::{
    os,
    wire::{Epoch, Limits, MessageId, Nick, RoomName, read},
};

/// The largest file that is read: all that is written fits many times.
const FILE: u64 = 1024 * 1024;

/// People ignored, and servers remembered; what is oldest goes first.
const IGNORED: usize = 500;
const SERVERS: usize = 50;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// What `/bell` said last.
    pub bell: Option<Bell>,
    /// Whose words are not shown.
    #[serde(deserialize_with = "read")]
    pub ignored: Vec<Nick>,
    /// The servers, the one visited last at the end.
    servers: Vec<Visit>,
}

/// What is remembered of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Its host and port.
    server: String,
    /// Which history the ids belong to.
    pub epoch: Option<Epoch>,
    /// The rooms that were open, in their order.
    pub rooms: Vec<OpenRoom>,
}

/// A room that was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRoom {
    /// Its name.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// The last message that was read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<MessageId>,
}

impl State {
    /// Returns what the file at `path` remembers; nothing where it cannot be read.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let fits = fs::metadata(path).is_ok_and(|file| file.len() <= FILE);
        let text = if fits { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Returns what is remembered of `server`, its host and port.
    #[must_use]
    pub fn visit(&self, server: &str) -> Option<&Visit> {
        self.servers.iter().find(|visit| visit.server == server)
    }

    /// Remembers the rooms open on `server`, the history they belong to, and where reading stopped.
    pub fn remember(&mut self, server: &str, epoch: Option<Epoch>, rooms: Vec<OpenRoom>) {
        self.servers.retain(|visit| visit.server != server);
        self.servers.push(Visit { server: server.to_owned(), epoch, rooms });
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn write(mut self, path: &Path) -> io::Result<()> {
        keep_last(&mut self.ignored, IGNORED);
        keep_last(&mut self.servers, SERVERS);
        self.servers.iter_mut().for_each(|visit| visit.rooms.truncate(Limits::SEATS));
        if let Some(folder) = path.parent() {
            os::create_private_dir(folder)?;
        }
        // One of its own: two clients may write at the same time.
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = os::open_private(&beside).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(&serde_json::to_vec_pretty(&self)?)?;
            fs::rename(&beside, path)
        });
        if written.is_err() {
            // It is of no use, and may not be there.
            drop(fs::remove_file(&beside));
        }
        written
    }
}

/// Returns where the state is kept, on a platform that has a place for it.
#[must_use]
pub fn path() -> Option<PathBuf> {
    let places = ProjectDirs::from("", "", "broadcast-chat")?;
    Some(places.state_dir().unwrap_or_else(|| places.data_local_dir()).join("client.json"))
}

fn keep_last<T>(all: &mut Vec<T>, most: usize) {
    all.drain(..all.len().saturating_sub(most));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str, read: u64) -> OpenRoom {
        OpenRoom { room: RoomName::new(name).unwrap(), read: Some(MessageId(read)) }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/client.json");
        assert_eq!(State::read(&path), State::default());
        let mut state = State { bell: Some(Bell::Off), ignored: vec![Nick::new("eve").unwrap()], ..State::default() };
        state.remember("a:1", None, vec![room("lobby", 1)]);
        state.remember("b:2", None, vec![room("rust", 2)]);
        state.remember("a:1", None, vec![room("lobby", 3), room("tea", 4)]);
        state.clone().write(&path).unwrap();
        let again = State::read(&path);
        assert_eq!(again, state);
        assert_eq!(again.visit("a:1").unwrap().rooms, [room("lobby", 3), room("tea", 4)]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        for text in ["", "{", "[]", "{\"bell\":\"loud\"}", "\u{0}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(State::read(&path), State::default(), "{text:?}");
        }
    }

    #[test]
    fn names_that_were_valid_once_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        let text = r#"{"ignored":["☃","a b"],"servers":[{"server":"a:1","epoch":null,"rooms":[{"room":"rust.dev"}]}]}"#;
        fs::write(&path, text).unwrap();
        let state = State::read(&path);
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
        state.write(&path).unwrap();
        let again = State::read(&path);
        assert!(again.visit("host:149").is_none());
        assert_eq!(again.visit("host:150").unwrap().rooms.len(), Limits::SEATS);
    }
}
