//! The undo stack: the text before each edit. Pure.

use std::collections::VecDeque;

/// The maximum number of undo steps. A typed word is one step.
const STEPS: usize = 100;

/// Earlier states of the editor, the newest first: the text, the cursor, and whether the text is
/// verbatim (sent as it is, never run as a command).
#[derive(Debug, Default)]
pub(super) struct Undo(VecDeque<(String, usize, bool)>);

impl Undo {
    /// Saves the state before an edit.
    pub(super) fn remember(&mut self, text: &str, cursor: usize, verbatim: bool) {
        self.0.push_front((text.to_owned(), cursor, verbatim));
        self.0.truncate(STEPS);
    }

    /// Removes and returns the state before the latest edit.
    pub(super) fn step(&mut self) -> Option<(String, usize, bool)> {
        self.0.pop_front()
    }

    /// Removes all steps, because the editor now holds another text.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
