//! The text as it was before each edit. Pure.

use std::collections::VecDeque;

/// Edits that can be undone; a word that is typed is one.
const STEPS: usize = 100;

/// Texts of the past, the latest first, each with the place of the cursor and whether it is said as
/// it stands.
#[derive(Debug, Default)]
pub(super) struct Undo(VecDeque<(String, usize, bool)>);

impl Undo {
    /// Remembers what the text is before an edit.
    pub(super) fn remember(&mut self, text: &str, cursor: usize, verbatim: bool) {
        self.0.push_front((text.to_owned(), cursor, verbatim));
        self.0.truncate(STEPS);
    }

    /// Returns what the text was before the latest edit.
    pub(super) fn step(&mut self) -> Option<(String, usize, bool)> {
        self.0.pop_front()
    }

    /// Forgets every edit: another text is being edited now.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
