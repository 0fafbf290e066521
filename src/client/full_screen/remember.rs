//! What the full screen saves for the next start.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::FullScreen;
use crate::{
    client::{
        chat::Event,
        history::{Entered, HistoryFile},
        saved_state::{OpenRoom, State},
        writer::Writer,
    },
    os,
};

/// Returns the writer of the state, which was read from the file at `path`. Without a path, nothing
/// is written.
pub(super) fn writer(state: State, path: Option<PathBuf>) -> Writer<State> {
    Writer::start(state, move |before: &State, after: &State| {
        let Some(path) = &path else { return Ok(()) };
        let failed = |error| format!("cannot remember where you are: {}: {}", path.display(), os::reason(&error));
        after.write(before, path).map_err(failed)
    })
}

/// Returns the lines entered before on `server`, newest first, and the writer that stores new lines
/// beside the state. Without a path, nothing is stored.
pub(super) fn history(state: Option<&Path>, server: &str, told: &mut Vec<String>) -> (Vec<Arc<str>>, Writer<Entered>) {
    let file = state.and_then(Path::parent).map(|folder| HistoryFile::new(folder, server));
    let read = file.as_ref().map_or_else(|| Ok(Vec::new()), HistoryFile::read);
    let lines = read.unwrap_or_else(|error| {
        let path = file.as_ref().map_or(Path::new(""), HistoryFile::path);
        told.push(format!("cannot read {}: {}", path.display(), os::reason(&error)));
        Vec::new()
    });
    let writer = Writer::start(Entered::default(), move |before: &Entered, after: &Entered| {
        let Some(file) = &file else { return Ok(()) };
        let failed = |error| format!("cannot keep what was sent: {}: {}", file.path().display(), os::reason(&error));
        file.add(before, after).map_err(failed)
    });
    (lines, writer)
}

impl FullScreen {
    /// Stores the lines that were just entered.
    pub(super) fn keep_entered(&mut self) {
        let lines = self.tui.take_entered();
        if lines.is_empty() {
            return;
        }
        let mut entered = Entered::clone(&self.entered.latest());
        for line in lines {
            entered.push(line);
        }
        self.entered.put(entered);
    }

    /// Saves what has changed.
    pub(super) fn remember(&mut self) {
        self.remember_at = None;
        let mut state = State::clone(&self.state.latest());
        // A bell setting that the user has not changed is not saved: the settings file may differ
        // the next time.
        if state.bell.is_some() || self.tui.bell() != self.settled_bell {
            state.bell = Some(self.tui.bell());
        }
        state.ignored = self.tui.ignored().nicks().to_vec();
        state.highlight.clone_from(&self.tui.words().added);
        state.no_highlight.clone_from(&self.tui.words().removed);
        // An address that never had a connection is not offered the next time.
        if self.met {
            let rooms = self.tui.open_rooms().map(|(room, read, run)| OpenRoom { room: room.clone(), read, run });
            state.remember(&self.address.server(), self.epoch, rooms.collect());
            state.choose(&self.address.server(), self.tui.room_choices().all());
        }
        self.state.put(state);
    }

    /// Saves the rest and ends the conversations. Returns what the user should be told after the
    /// screen is closed.
    pub(super) fn end(&mut self) -> String {
        let now = self.now();
        self.remember();
        self.quitting = true;
        for tab in 0..self.tabs.len() {
            self.update(now, tab, Event::Stop);
        }
        self.keep_for_good();
        std::mem::take(&mut self.last_words)
    }
}
