//! The input line: takes keys and pastes, produces the rows to show and the text to submit. Pure:
//! no terminal, no tokio, no clock.
//!
//! The editor works on grapheme clusters. The cursor is always between two clusters, and an erase
//! removes a whole cluster. The text may have several lines. Control characters and other
//! characters that could control the terminal or mislead a reader are removed.

mod history;
mod keymap;
mod kill;
mod layout;
mod motion;
#[cfg(test)]
mod tests;
mod undo;

use std::{borrow::Cow, mem, ops::Range, sync::Arc};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::{
    history::{BYTES, LINES},
    layout::Layout,
};
use self::{
    history::{History, Search},
    keymap::Action,
    kill::KillRing,
    motion::Motion,
    undo::Undo,
};
use crate::protocol::{Limits, sanitize};

/// The maximum length of the text, in bytes. It is the maximum of a message, so a text is always
/// sent as one message.
pub const LENGTH: usize = Limits::MESSAGE;

/// The result of a key or an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The text, the cursor or the search has changed.
    Changed,
    /// The key belongs to the editor, but it changed nothing.
    Unchanged,
    /// The insertion does not fit. Nothing was inserted.
    Full,
    /// This text was submitted and is no longer in the editor. It may be empty.
    Submit(String),
    /// The key does not belong to the editor. The caller may use it.
    Ignored,
}

/// The text and the cursor, with the history, the kill ring and the undo stack.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    /// The byte offset of the cursor, always between two grapheme clusters.
    cursor: usize,
    /// Whether the start of the text was pasted, so that it is not a command even if it looks like
    /// one.
    verbatim: bool,
    /// The column that the cursor keeps while it moves up and down.
    column: Option<usize>,
    last: Last,
    history: History,
    search: Option<Search>,
    kills: KillRing,
    undo: Undo,
    /// Whether the last edit did not fit.
    full: bool,
}

/// The last action, for keys that continue it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    Typed {
        blank: bool,
    },
    Erased,
    Killed,
    Replaced,
    /// The piece of this age was yanked and is now at `range`.
    Yanked {
        age: usize,
        range: Range<usize>,
    },
}

impl Last {
    /// Returns whether the action `next` is undone together with this one.
    fn joins(&self, next: &Self) -> bool {
        match (self, next) {
            // A word and the white space after it are one step.
            (Self::Typed { blank: before }, Self::Typed { blank }) => *blank || !before,
            (Self::Erased, Self::Erased) | (Self::Replaced, Self::Replaced) => true,
            (Self::Yanked { .. }, Self::Yanked { age, .. }) => *age > 0,
            _ => false,
        }
    }
}

impl Editor {
    /// Returns the text. During a search it is the text from before the search.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the line to submit. It is the text; if the text is verbatim and begins with a slash,
    /// a second slash is put before it.
    #[must_use]
    pub fn line(&self) -> Cow<'_, str> {
        if self.verbatim && self.text.starts_with('/') {
            Cow::Owned(format!("/{}", self.text))
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    /// Returns whether the text is sent as it is, never run as a command.
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// Returns how many more bytes fit into the text.
    #[must_use]
    pub fn room(&self) -> usize {
        LENGTH.saturating_sub(self.text.len())
    }

    /// Returns whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the byte offset of the cursor, which is between two grapheme clusters.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the search text and the line that was found, while a search is running.
    #[must_use]
    pub fn searching(&self) -> Option<(&str, Option<&str>)> {
        let search = self.search.as_ref()?;
        Some((search.query(), search.found(&self.history).map(|(line, _)| line)))
    }

    /// Returns the rows around the cursor, at most `rows` of them, for an area of `width` columns.
    /// During a search they show the line that was found.
    #[must_use]
    pub fn layout(&self, width: u16, rows: u16) -> Layout {
        let found = self.search.as_ref().and_then(|search| search.found(&self.history));
        let (text, cursor) =
            found.map_or((self.text.as_str(), self.cursor), |(line, at)| (line, motion::settled(line, at)));
        layout::layout(text, cursor, width, rows)
    }

    /// Handles a key.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Unchanged;
        }
        if self.search.is_none() {
            return self.edit(key);
        }
        self.search_key(key).unwrap_or_else(|| {
            self.end_search(true);
            match self.edit(key) {
                Outcome::Unchanged => Outcome::Changed,
                outcome => outcome,
            }
        })
    }

    /// Inserts `text` without the characters that a text may not contain. Line breaks stay. During
    /// a search the text is appended to the search text.
    pub fn paste(&mut self, text: &str) -> Outcome {
        let text = sanitize::lines(text);
        if let Some(search) = &mut self.search {
            search.extend(&self.history, &sanitize::line(&text));
            return Outcome::Changed;
        }
        self.last = Last::Other;
        let changed = self.replace_range(self.cursor..self.cursor, &text, Last::Other);
        self.outcome(changed)
    }

    /// Like [`Self::paste`], but if the paste is at the start of the text, the whole text becomes
    /// verbatim: it is sent as it is and is not a command.
    pub fn paste_verbatim(&mut self, text: &str) -> Outcome {
        let begins = self.cursor == 0 && self.search.is_none();
        let outcome = self.paste(text);
        if begins && outcome == Outcome::Changed {
            self.verbatim = true;
        }
        outcome
    }

    /// Replaces the bytes of `range` with `with` and puts the cursor after it. Successive calls are
    /// one undo step.
    pub fn replace(&mut self, range: Range<usize>, with: &str) -> Outcome {
        self.end_search(false);
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.ceil_char_boundary(range.end).max(start);
        let changed = self.replace_range(start..end, &sanitize::lines(with), Last::Replaced);
        self.outcome(changed)
    }

    /// Returns the draft, also while the editor shows an older line without changes.
    #[must_use]
    pub fn draft(&self) -> &str {
        self.history.draft(&self.text)
    }

    /// Returns whether `key` would replace a draft that is not empty with a line of the history.
    #[must_use]
    pub fn would_leave_draft(&self, key: KeyEvent) -> bool {
        let line = match Action::of(key) {
            Some(Action::Up) => motion::above,
            Some(Action::Down) => motion::below,
            _ => return false,
        };
        let is_draft = self.search.is_none() && self.history.is_at_draft() && !self.text.is_empty();
        is_draft && line(&self.text, self.cursor, 0).is_none()
    }

    /// Returns the lines that were restored into this editor only and were not entered since, the
    /// newest first.
    pub fn given_back(&self) -> impl Iterator<Item = &str> {
        self.history.own()
    }

    /// Adds a line that was entered in another editor to the history.
    pub fn remember(&mut self, line: Arc<str>) {
        self.history.add(line);
    }

    /// Restores the state of an earlier editor: its draft, and history lines for this editor only,
    /// the newest first.
    pub fn restore(&mut self, draft: String, entered: Vec<String>) {
        self.set(draft);
        self.history.restore(entered);
    }

    /// Replaces everything with the draft `text` and puts the cursor at its end. The draft may be
    /// longer than [`LENGTH`]; it is not cut.
    pub fn set(&mut self, text: String) {
        self.take();
        let clean = match sanitize::lines(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        };
        self.hold(clean);
    }

    /// Replaces the whole text with a rewritten version of it. This can be undone. A verbatim text
    /// that begins with a slash stays verbatim.
    pub fn rewrite(&mut self, text: &str) -> Outcome {
        self.end_search(false);
        self.last = Last::Other;
        let verbatim = self.verbatim;
        let changed = self.replace_range(0..self.text.len(), &sanitize::lines(text), Last::Other);
        self.verbatim = verbatim && self.text.starts_with('/');
        self.outcome(changed)
    }

    /// Returns the draft as a [line](Self::line) and empties the editor. The draft does not go into
    /// the history.
    pub fn take(&mut self) -> String {
        self.end_search(false);
        self.history.leave();
        let text = self.line().into_owned();
        self.hold(String::new());
        text
    }

    /// Empties the text. This can be undone.
    pub fn clear(&mut self) {
        self.end_search(false);
        let draft = self.history.leave();
        if !draft.is_empty() {
            self.undo.remember(&draft, draft.len(), false);
        }
        self.last = Last::Other;
        self.replace_range(0..self.text.len(), "", Last::Other);
    }

    fn edit(&mut self, key: KeyEvent) -> Outcome {
        let Some(action) = Action::of(key) else { return Outcome::Ignored };
        if self.text.is_empty() && key.code == KeyCode::Char('d') && action == Action::Erase(Motion::Right) {
            return Outcome::Ignored;
        }
        let column = self.column.take();
        let changed = match action {
            Action::Up | Action::Down => self.go_vertically(action == Action::Up, column),
            Action::Insert(c) => self.insert(c),
            Action::Break => self.insert('\n'),
            Action::Submit => return Outcome::Submit(self.submit()),
            Action::Go(motion) => self.go(motion.target(&self.text, self.cursor)),
            Action::Erase(motion) => self.erase(motion),
            Action::Kill(motion) => self.kill(motion),
            Action::Yank => self.yank(),
            Action::YankOlder => self.yank_older(),
            Action::Transpose => self.transpose(),
            Action::Undo => self.undo(),
            Action::Search => self.begin_search(),
        };
        if !changed {
            self.last = Last::Other;
        }
        self.outcome(changed)
    }

    fn outcome(&mut self, changed: bool) -> Outcome {
        match (changed, mem::take(&mut self.full)) {
            (true, _) => Outcome::Changed,
            (false, true) => Outcome::Full,
            (false, false) => Outcome::Unchanged,
        }
    }

    fn submit(&mut self) -> String {
        let text = self.line().into_owned();
        let draft = self.history.enter(&text);
        self.hold(draft);
        text
    }

    /// Replaces the text with one that no earlier edit has produced, so the undo stack is emptied.
    fn hold(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
        self.verbatim = false;
        self.last = Last::Other;
        self.column = None;
        self.undo.forget();
    }

    fn go(&mut self, to: usize) -> bool {
        self.last = Last::Other;
        mem::replace(&mut self.cursor, to) != to
    }

    /// Moves the cursor one line up or down. From the first or the last line it moves through the
    /// history.
    fn go_vertically(&mut self, up: bool, column: Option<usize>) -> bool {
        let column = column.unwrap_or_else(|| motion::column(&self.text, self.cursor));
        let line = if up { motion::above } else { motion::below };
        if let Some(to) = line(&self.text, self.cursor, column) {
            self.column = Some(column);
            return self.go(to);
        }
        let leaving = self.line().into_owned();
        let Some(line) = self.history.step(up, &leaving) else { return false };
        self.hold(line);
        true
    }

    fn insert(&mut self, c: char) -> bool {
        let next = Last::Typed { blank: c.is_whitespace() };
        self.replace_range(self.cursor..self.cursor, c.encode_utf8(&mut [0; 4]), next)
    }

    fn erase(&mut self, motion: Motion) -> bool {
        self.replace_range(self.upto(motion), "", Last::Erased)
    }

    fn kill(&mut self, motion: Motion) -> bool {
        let mut range = self.upto(motion);
        if range.is_empty() {
            // At the start or the end of a line, kill the line break.
            range = match motion {
                Motion::LineStart => self.upto(Motion::Left),
                Motion::LineEnd => self.upto(Motion::Right),
                _ => range,
            };
        }
        if range.is_empty() {
            return false;
        }
        self.kills.keep(&self.text[range.clone()], range.start < self.cursor, self.last == Last::Killed);
        self.replace_range(range, "", Last::Killed)
    }

    /// Returns the range between the cursor and the target of `motion`.
    fn upto(&self, motion: Motion) -> Range<usize> {
        let to = motion.target(&self.text, self.cursor);
        to.min(self.cursor)..to.max(self.cursor)
    }

    fn yank(&mut self) -> bool {
        self.last = Last::Other;
        self.put(self.cursor..self.cursor, 0)
    }

    fn yank_older(&mut self) -> bool {
        let Last::Yanked { age, range } = self.last.clone() else { return false };
        self.put(range, age + 1)
    }

    fn put(&mut self, range: Range<usize>, age: usize) -> bool {
        let Some(piece) = self.kills.piece(age) else { return false };
        let piece = piece.to_owned();
        let next = Last::Yanked { age, range: range.start..range.start + piece.len() };
        self.replace_range(range, &piece, next)
    }

    /// Swaps the two clusters around the cursor. At the end of a line it swaps the two clusters
    /// before the cursor.
    fn transpose(&mut self) -> bool {
        let left = |from| Motion::Left.target(&self.text, from);
        let at_end = Motion::LineEnd.target(&self.text, self.cursor) == self.cursor;
        let middle = if at_end { left(self.cursor) } else { self.cursor };
        let range = left(middle)..Motion::Right.target(&self.text, middle);
        let (first, second) = (&self.text[range.start..middle], &self.text[middle..range.end]);
        if first.is_empty() || first == "\n" || second == "\n" {
            return false;
        }
        let swapped = format!("{second}{first}");
        self.last = Last::Other;
        self.replace_range(range, &swapped, Last::Other)
    }

    fn undo(&mut self) -> bool {
        let Some((text, cursor, verbatim)) = self.undo.step() else { return false };
        (self.text, self.cursor, self.verbatim, self.last) = (text, cursor, verbatim, Last::Other);
        true
    }

    /// Replaces `range` with `with`, if it fits, and puts the cursor after it. Returns whether
    /// anything was replaced.
    fn replace_range(&mut self, range: Range<usize>, with: &str, next: Last) -> bool {
        if range.is_empty() && with.is_empty() {
            return false;
        }
        if with.len() > range.len() + self.room() {
            self.full = true;
            return false;
        }
        if !self.last.joins(&next) {
            self.undo.remember(&self.text, self.cursor, self.verbatim);
        }
        // An edit at the start of the text clears the flag. The caller sets it again if the new
        // start is verbatim.
        self.verbatim &= range.start > 0;
        self.last = next;
        self.column = None;
        let behind = range.start + with.len();
        self.text.replace_range(range, with);
        self.cursor = motion::settled(&self.text, behind);
        true
    }

    fn begin_search(&mut self) -> bool {
        self.last = Last::Other;
        let line = self.line().into_owned();
        self.search = Some(Search::begin(&mut self.history, &line));
        true
    }

    /// Handles a key during a search. Returns `None` if the key must end the search first and then
    /// edit the text.
    fn search_key(&mut self, key: KeyEvent) -> Option<Outcome> {
        let search = self.search.as_mut()?;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let changed = match key.code {
            KeyCode::Esc => self.end_search(false),
            KeyCode::Char('g' | 'c' | 'd') if control => self.end_search(false),
            KeyCode::Tab => self.end_search(true),
            _ => match Action::of(key) {
                Some(Action::Insert(c)) => {
                    search.extend(&self.history, c.encode_utf8(&mut [0; 4]));
                    true
                }
                Some(Action::Erase(Motion::Left)) => search.shorten(&self.history),
                Some(Action::Search) => search.older(&self.history),
                Some(Action::Submit) => self.end_search(true),
                Some(_) => return None,
                None => return Some(Outcome::Ignored),
            },
        };
        Some(if changed { Outcome::Changed } else { Outcome::Unchanged })
    }

    /// Ends the search, if one is running. If `accept`, the line that was found replaces the text;
    /// otherwise the text stays as it was before the search.
    fn end_search(&mut self, accept: bool) -> bool {
        let Some(search) = self.search.take() else { return false };
        let leaving = self.line().into_owned();
        if accept && let Some((line, at)) = search.accept(&mut self.history, &leaving) {
            self.hold(line);
            self.cursor = motion::settled(&self.text, at);
        }
        true
    }
}
