//! Lines entered before, and the search through them. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use unicode_segmentation::UnicodeSegmentation as _;

use crate::protocol::{Limits, command::is_secret, sanitize};

/// Lines that can be called back.
pub const LINES: usize = 1000;
/// The bytes of them all.
pub const BYTES: usize = 256 * 1024;

/// Lines given back here alone, beside those entered in whatever room.
const OWN: usize = 200;

/// A line that can be called back.
#[derive(Debug)]
struct Line {
    /// All rooms have the same.
    text: Arc<str>,
    /// Whether it was given back to this room alone.
    is_own: bool,
}

/// Lines entered before, and which of them stands in the editor.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The latest first.
    lines: VecDeque<Line>,
    /// Of all lines.
    bytes: usize,
    /// How far back the line in the editor lies; 0 is the draft, which was not entered yet.
    age: usize,
    /// The draft, and lines changed since they were called back, by age. The one in the editor is
    /// there, not here.
    changed: BTreeMap<usize, String>,
}

impl History {
    /// Returns the line one further back, or one less far; `leaving` is what the editor holds now
    /// and will come back.
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

    /// Remembers what the editor holds, where that is not an old line as it was.
    fn set_aside(&mut self, text: &str) {
        let as_entered = self.age.checked_sub(1).and_then(|index| self.lines.get(index));
        if as_entered.is_none_or(|line| *line.text != *text) {
            self.changed.insert(self.age, text.to_owned());
        } else {
            self.changed.remove(&self.age);
        }
    }

    /// Takes an entered line; returns the draft that was left for an older line, so that it is not
    /// lost. What begins with a secret does not come back.
    pub(super) fn enter(&mut self, line: &str) -> String {
        let draft = self.leave();
        self.retain(|known| !known.is_own || *known.text != *line);
        if !line.trim().is_empty() && !is_secret(line) {
            self.add(line.into());
        }
        draft
    }

    /// Takes a line entered in whatever room. What stands in the editor stays.
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
        // The one that stands in the editor may be the oldest.
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

    /// Returns the draft, while the editor holds `text`.
    pub(super) fn draft<'a>(&'a self, text: &'a str) -> &'a str {
        let as_entered = self.age.checked_sub(1).and_then(|index| self.lines.get(index));
        if as_entered.is_some_and(|line| *line.text == *text) {
            self.changed.get(&0).map_or("", String::as_str)
        } else {
            text
        }
    }

    /// Returns whether the editor holds the draft, and no older line.
    pub(super) fn is_at_draft(&self) -> bool {
        self.age == 0
    }

    /// Returns the lines given back to this room alone, the latest first.
    pub(super) fn own(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|line| line.is_own).map(|line| &*line.text)
    }

    /// Puts these lines, the latest first, in the place of those given back before; they come
    /// before all others.
    pub(super) fn restore(&mut self, lines: Vec<String>) {
        self.retain(|line| !line.is_own);
        for line in lines.into_iter().take(OWN).collect::<Vec<_>>().into_iter().rev() {
            if !is_secret(&line) {
                self.push(Line { text: sanitize::lines(&line).into(), is_own: true });
            }
        }
    }

    /// Goes back to the draft without the line in the editor; returns it where it is not that line
    /// itself.
    pub(super) fn leave(&mut self) -> String {
        let draft = if self.age > 0 { self.changed.remove(&0) } else { None };
        self.changed.clear();
        self.age = 0;
        draft.unwrap_or_default()
    }

    /// Returns the line of `age`, which is at least 1, as it would come back.
    fn line(&self, age: usize) -> Option<&str> {
        let line = self.lines.get(age.checked_sub(1)?)?;
        Some(self.changed.get(&age).map_or(&*line.text, String::as_str))
    }

    /// Returns the latest line of `age` or older that contains `query`, and where.
    fn find(&self, query: &str, age: usize) -> Option<Found> {
        if query.is_empty() {
            return None;
        }
        (age..=self.lines.len()).find_map(|age| Some(Found { age, at: position(self.line(age)?, query)? }))
    }
}

/// A line that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    age: usize,
    /// The byte where what was looked for begins.
    at: usize,
}

/// A search backwards through the history, while its words are being typed.
#[derive(Debug, Default)]
pub(super) struct Search {
    query: String,
    found: Option<Found>,
}

impl Search {
    /// Begins to search; `text` is what the editor holds.
    pub(super) fn begin(history: &mut History, text: &str) -> Self {
        history.set_aside(text);
        Self::default()
    }

    /// What is looked for.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Returns the line found, and the byte where the query stands in it.
    pub(super) fn found<'a>(&self, history: &'a History) -> Option<(&'a str, usize)> {
        let found = self.found?;
        Some((history.line(found.age)?, found.at))
    }

    /// Looks for more than before, from the line on that was found.
    pub(super) fn extend(&mut self, history: &History, with: &str) {
        let room = Limits::QUERY.saturating_sub(self.query.len());
        self.query.push_str(&with[..with.floor_char_boundary(room)]);
        self.found = history.find(&self.query, self.found.map_or(1, |found| found.age));
    }

    /// Takes the last cluster back and begins again at the latest line; returns whether there was
    /// one.
    pub(super) fn shorten(&mut self, history: &History) -> bool {
        let Some((at, _)) = self.query.grapheme_indices(true).next_back() else { return false };
        self.query.truncate(at);
        self.found = history.find(&self.query, 1);
        true
    }

    /// Goes to the next older line with another text; returns whether there is one.
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

    /// Returns the line found and the place of the query in it, for the editor to hold instead of
    /// `leaving`.
    pub(super) fn accept(&self, history: &mut History, leaving: &str) -> Option<(String, usize)> {
        let found = self.found?;
        Some((history.go(found.age, leaving)?, found.at))
    }
}

/// Returns where `query` stands in `text`; small and capital letters are the same.
fn position(text: &str, query: &str) -> Option<usize> {
    let query: Vec<char> = query.chars().flat_map(char::to_lowercase).collect();
    let begins = |rest: &str| {
        let mut letters = rest.chars().flat_map(char::to_lowercase);
        query.iter().all(|wanted| letters.next() == Some(*wanted))
    };
    text.char_indices().map(|(at, _)| at).find(|&at| begins(&text[at..]))
}
