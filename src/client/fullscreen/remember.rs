//! What the full screen remembers for the next time.

use std::path::PathBuf;

use super::FullScreen;
use crate::{
    client::{
        app::Event,
        state::{OpenRoom, State},
        writer::Writer,
    },
    os,
};

/// Returns what writes the state, which was read from the file at `path`; without a path nothing is written.
pub(super) fn writer(state: State, path: Option<PathBuf>) -> Writer<State> {
    Writer::start(state, move |before: &State, after: &State| {
        let Some(path) = &path else { return Ok(()) };
        let failed = |error| format!("cannot remember where you are: {}: {}", path.display(), os::reason(&error));
        after.write(before, path).map_err(failed)
    })
}

impl FullScreen {
    /// Remembers what has changed.
    pub(super) fn remember(&mut self) {
        self.remember_at = None;
        let mut state = State::clone(&self.state.latest());
        // What nobody has said is not remembered: the settings file may say otherwise the next time.
        if state.bell.is_some() || self.tui.bell() != self.settled_bell {
            state.bell = Some(self.tui.bell());
        }
        state.ignored = self.tui.ignored().nicks().to_vec();
        state.highlight.clone_from(&self.tui.words().added);
        state.no_highlight.clone_from(&self.tui.words().removed);
        let rooms = self.tui.open_rooms().map(|(room, read, run)| OpenRoom { room: room.clone(), read, run });
        state.remember(&self.address.server(), self.epoch, rooms.collect());
        state.choose(&self.address.server(), self.tui.room_choices().all());
        self.state.put(state);
    }

    /// Remembers what is left to be, and ends what goes on; returns what the user should be told after the screen.
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
