//! The input history of the editor and the incremental search through it. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use unicode_segmentation::UnicodeSegmentation as _;

use crate::protocol::{Limits, command::is_secret, sanitize};

/// The maximum number of lines in the history.
pub const LINES: usize = 1000;
/// The maximum size of all lines in the history, in bytes.
pub const BYTES: usize = 256 * 1024;

/// The maximum number of lines that [`History::restore`] adds for this room only. They come on top
/// of [`LINES`].
const OWN: usize = 200;

/// One line of the history.
#[derive(Debug)]
struct Line {
    /// Shared: the histories of all rooms hold the same allocation.
    text: Arc<str>,
    /// Whether the line was restored into the history of this room only.
    is_own: bool,
}

/// The input history and the position in it.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The newest first.
    lines: VecDeque<Line>,
    /// The size of all lines, in bytes.
    bytes: usize,
    /// The age of the line that is in the editor. 0 is the draft, which was not entered yet; 1 is
    /// the newest line.
    age: usize,
    /// The draft and the recalled lines that were edited, by age. The text in the editor itself is
    /// not in here.
    changed: BTreeMap<usize, String>,
}

impl History {
    /// Returns the next older line if `back`, else the next newer one. `leaving` is the text of the
    /// editor; it is kept and returned when the user comes back to its age.
    ///
    /// Returns `None` at either end of the history.
    pub(super) fn step(&mut self, back: bool, leaving: &str) -> Option<String> {
        let age = if back { self.age + 1 } else { self.age.checked_sub(1)? };
        self.go(age, leaving)
    }

    fn go(&mut self, age: usize, leaving: &str) -> Option<String> {
        if age > self.lines.len() {
            return None;
        }
        self.set_aside(leaving);
        self.age = age;
        self.changed.remove(&age).or_else(|| Some(self.lines.get(age.checked_sub(1)?)?.text.to_string()))
    }

    /// Keeps the text of the editor, unless it is a history line without changes.
    fn set_aside(&mut self, text: &str) {
        let as_entered = self.age.checked_sub(1).and_then(|index| self.lines.get(index));
        if as_entered.is_none_or(|line| *line.text != *text) {
            self.changed.insert(self.age, text.to_owned());
        } else {
            self.changed.remove(&self.age);
        }
    }

    /// Adds a line that was entered. Returns the draft if an older line was in the editor, so that
    /// the draft is not lost. A line that contains a secret is not added.
    pub(super) fn enter(&mut self, line: &str) -> String {
        let draft = self.leave();
        self.retain(|known| !known.is_own || *known.text != *line);
        if !line.trim().is_empty() && !is_secret(line) {
            self.add(line.into());
        }
        draft
    }

    /// Adds a line that was entered in any room. The text in the editor does not change.
    pub(super) fn add(&mut self, text: Arc<str>) {
        if self.lines.front().is_some_and(|latest| latest.text == text) {
            return;
        }
        self.push(Line { text, is_own: false });
        if self.age > 0 {
            self.age += 1;
        }
        let changed = std::mem::take(&mut self.changed);
        self.changed = changed.into_iter().map(|(age, text)| (if age > 0 { age + 1 } else { 0 }, text)).collect();
        // Do not remove the line that is in the editor: it may be the oldest one.
        while (self.lines.len() > LINES || self.bytes > BYTES) && self.age < self.lines.len() && self.lines.len() > 1 {
            self.changed.remove(&self.lines.len());
            self.bytes -= self.lines.pop_back().map_or(0, |line| line.text.len());
        }
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_front(line);
    }

    fn retain(&mut self, stays: impl Fn(&Line) -> bool) {
        self.lines.retain(stays);
        self.bytes = self.lines.iter().map(|line| line.text.len()).sum();
    }

    /// Returns the draft; `text` is the text of the editor.
    pub(super) fn draft<'a>(&'a self, text: &'a str) -> &'a str {
        let as_entered = self.age.checked_sub(1).and_then(|index| self.lines.get(index));
        if as_entered.is_some_and(|line| *line.text == *text) {
            self.changed.get(&0).map_or("", String::as_str)
        } else {
            text
        }
    }

    /// Returns whether the editor holds the draft and not an older line.
    pub(super) fn is_at_draft(&self) -> bool {
        self.age == 0
    }

    /// Returns the lines that were restored for this room only, the newest first.
    pub(super) fn own(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|line| line.is_own).map(|line| &*line.text)
    }

    /// Replaces the lines that were restored before with `lines`, the newest first. They become the
    /// newest lines of the history.
    pub(super) fn restore(&mut self, lines: Vec<String>) {
        self.retain(|line| !line.is_own);
        for line in lines.into_iter().take(OWN).collect::<Vec<_>>().into_iter().rev() {
            if !is_secret(&line) {
                self.push(Line { text: sanitize::lines(&line).into(), is_own: true });
            }
        }
    }

    /// Goes back to the draft and drops the changes to recalled lines. Returns the draft if an
    /// older line was in the editor; otherwise returns an empty string, because the editor holds
    /// the draft itself.
    pub(super) fn leave(&mut self) -> String {
        let draft = if self.age > 0 { self.changed.remove(&0) } else { None };
        self.changed.clear();
        self.age = 0;
        draft.unwrap_or_default()
    }

    /// Returns the line of `age` with the changes made to it. `age` is at least 1.
    fn line(&self, age: usize) -> Option<&str> {
        let line = self.lines.get(age.checked_sub(1)?)?;
        Some(self.changed.get(&age).map_or(&*line.text, String::as_str))
    }

    /// Returns the newest line of at least `age` that contains `query`, and the position of the
    /// match.
    fn find(&self, query: &str, age: usize) -> Option<Found> {
        if query.is_empty() {
            return None;
        }
        (age..=self.lines.len()).find_map(|age| Some(Found { age, at: position(self.line(age)?, query)? }))
    }
}

/// A match of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    age: usize,
    /// The start of the match, in bytes.
    at: usize,
}

/// An incremental search backwards through the history.
#[derive(Debug, Default)]
pub(super) struct Search {
    query: String,
    found: Option<Found>,
}

impl Search {
    /// Starts a search. `text` is the text of the editor.
    pub(super) fn begin(history: &mut History, text: &str) -> Self {
        history.set_aside(text);
        Self::default()
    }

    /// Returns the search text.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Returns the line that was found and the start of the match in it, in bytes.
    pub(super) fn found<'a>(&self, history: &'a History) -> Option<(&'a str, usize)> {
        let found = self.found?;
        Some((history.line(found.age)?, found.at))
    }

    /// Appends `with` to the search text and searches again, starting at the current match. The
    /// search text is cut at [`Limits::QUERY`] bytes.
    pub(super) fn extend(&mut self, history: &History, with: &str) {
        let room = Limits::QUERY.saturating_sub(self.query.len());
        self.query.push_str(&with[..with.floor_char_boundary(room)]);
        self.found = history.find(&self.query, self.found.map_or(1, |found| found.age));
    }

    /// Removes the last grapheme cluster of the search text and searches again from the newest
    /// line. Returns whether there was a cluster to remove.
    pub(super) fn shorten(&mut self, history: &History) -> bool {
        let Some((at, _)) = self.query.grapheme_indices(true).next_back() else { return false };
        self.query.truncate(at);
        self.found = history.find(&self.query, 1);
        true
    }

    /// Goes to the next older match with a different text. Returns whether there is one.
    pub(super) fn older(&mut self, history: &History) -> bool {
        let Some(found) = self.found else { return false };
        let current = history.line(found.age);
        let mut older = history.find(&self.query, found.age + 1);
        while let Some(same) = older.filter(|other| history.line(other.age) == current) {
            older = history.find(&self.query, same.age + 1);
        }
        self.found = older.or(self.found);
        older.is_some()
    }

    /// Returns the line that was found and the start of the match in it. The line replaces
    /// `leaving`, the text of the editor.
    pub(super) fn accept(&self, history: &mut History, leaving: &str) -> Option<(String, usize)> {
        let found = self.found?;
        Some((history.go(found.age, leaving)?, found.at))
    }
}

/// Returns the byte position of the first match of `query` in `text`. The comparison ignores case.
fn position(text: &str, query: &str) -> Option<usize> {
    let query: Vec<char> = query.chars().flat_map(char::to_lowercase).collect();
    let begins = |rest: &str| {
        let mut letters = rest.chars().flat_map(char::to_lowercase);
        query.iter().all(|wanted| letters.next() == Some(*wanted))
    };
    text.char_indices().map(|(at, _)| at).find(|&at| begins(&text[at..]))
}
