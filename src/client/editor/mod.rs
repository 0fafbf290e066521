//! The text being typed: keys and pastes go in, and rows of the screen and what is submitted come
//! out. Pure: no terminal, no tokio, no clock.
//!
//! It works on grapheme clusters: the cursor stands between two of them, and what looks like one
//! character is erased as one. The text may have several lines; nothing gets into it that could
//! command a terminal or mislead a reader.

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

/// What a text may hold, in bytes: a message, so that what is sent is what was seen, in one piece.
pub const LENGTH: usize = Limits::MESSAGE;

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The text, the cursor or the search is another.
    Changed,
    /// It was a key of the editor, and there was nothing for it to do.
    Unchanged,
    /// What was to be put into the text does not fit, and no part of it was.
    Full,
    /// This text was submitted, and the editor has let go of it. It may be empty.
    Submit(String),
    /// It is no key of the editor: whoever asked may do something else with it.
    Ignored,
}

/// A text and the place of the cursor in it, with what was entered, killed and changed before.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    /// Where the cursor stands: a byte between two clusters.
    cursor: usize,
    /// Whether the beginning of the text was pasted and is no command, whatever it looks like.
    verbatim: bool,
    /// The column that the cursor keeps while it goes up and down.
    column: Option<usize>,
    last: Last,
    history: History,
    search: Option<Search>,
    kills: KillRing,
    undo: Undo,
    /// Whether the last edit did not fit.
    full: bool,
}

/// What was done last, where the next key can go on with it.
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
    /// The piece of this age, which stands there now.
    Yanked {
        age: usize,
        range: Range<usize>,
    },
}

impl Last {
    /// Returns whether what is done `next` is undone together with this.
    fn joins(&self, next: &Self) -> bool {
        match (self, next) {
            // A word is one step, with the blanks behind it.
            (Self::Typed { blank: before }, Self::Typed { blank }) => *blank || !before,
            (Self::Erased, Self::Erased) | (Self::Replaced, Self::Replaced) => true,
            (Self::Yanked { .. }, Self::Yanked { age, .. }) => *age > 0,
            _ => false,
        }
    }
}

impl Editor {
    /// Returns the text. During a search it is the one from before the search.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what is submitted: the text, with a second slash before it where it begins with one
    /// and is no command.
    #[must_use]
    pub fn line(&self) -> Cow<'_, str> {
        if self.verbatim && self.text.starts_with('/') {
            Cow::Owned(format!("/{}", self.text))
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    /// Returns whether the text is said as it stands, whatever it begins with.
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// Returns how many bytes fit into the text beside what it holds.
    #[must_use]
    pub fn room(&self) -> usize {
        LENGTH.saturating_sub(self.text.len())
    }

    /// Returns whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the byte where the cursor stands, which is between two clusters.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns what is looked for in the history, and the line found, while that goes on.
    #[must_use]
    pub fn searching(&self) -> Option<(&str, Option<&str>)> {
        let search = self.search.as_ref()?;
        Some((search.query(), search.found(&self.history).map(|(line, _)| line)))
    }

    /// Returns the rows round the cursor for an area of `width` columns, at most `rows` of them.
    /// During a search they show the line found.
    #[must_use]
    pub fn layout(&self, width: u16, rows: u16) -> Layout {
        let found = self.search.as_ref().and_then(|search| search.found(&self.history));
        let (text, cursor) =
            found.map_or((self.text.as_str(), self.cursor), |(line, at)| (line, motion::settled(line, at)));
        layout::layout(text, cursor, width, rows)
    }

    /// Does what `key` asks for.
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

    /// Inserts `text`, whatever it holds, without what may not stand in a text; line breaks stay. A
    /// search takes it as words to look for.
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

    /// Does what [`Self::paste`] does. Where the text begins with what is pasted, all of it is said
    /// as it stands: it is no command.
    pub fn paste_verbatim(&mut self, text: &str) -> Outcome {
        let begins = self.cursor == 0 && self.search.is_none();
        let outcome = self.paste(text);
        if begins && outcome == Outcome::Changed {
            self.verbatim = true;
        }
        outcome
    }

    /// Puts `with` in the place of the bytes of `range`, and the cursor behind it. Several in a row
    /// are undone as one.
    pub fn replace(&mut self, range: Range<usize>, with: &str) -> Outcome {
        self.end_search(false);
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.ceil_char_boundary(range.end).max(start);
        let changed = self.replace_range(start..end, &sanitize::lines(with), Last::Replaced);
        self.outcome(changed)
    }

    /// Returns the draft: what is being typed, also while an older line stands there as it was
    /// entered.
    #[must_use]
    pub fn draft(&self) -> &str {
        self.history.draft(&self.text)
    }

    /// Returns whether `key` would put an older line in the place of a draft that is not empty.
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

    /// Returns the lines that were given back to this editor alone and not entered since, the
    /// latest first.
    pub fn given_back(&self) -> impl Iterator<Item = &str> {
        self.history.own()
    }

    /// Takes a line entered elsewhere: it can be called back here, too.
    pub fn remember(&mut self, line: Arc<str>) {
        self.history.add(line);
    }

    /// Takes back what an earlier editor held: its draft, and lines to be called back here alone,
    /// the latest first.
    pub fn restore(&mut self, draft: String, entered: Vec<String>) {
        self.set(draft);
        self.history.restore(entered);
    }

    /// Puts `text`, a draft, in the place of everything, and the cursor at its end. However long it
    /// is, none of it is lost.
    pub fn set(&mut self, text: String) {
        self.take();
        let clean = match sanitize::lines(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        };
        self.hold(clean);
    }

    /// Puts what was made of the text elsewhere in its place; it can be undone. What was said as it
    /// stands still is.
    pub fn rewrite(&mut self, text: &str) -> Outcome {
        self.end_search(false);
        self.last = Last::Other;
        let verbatim = self.verbatim;
        let changed = self.replace_range(0..self.text.len(), &sanitize::lines(text), Last::Other);
        self.verbatim = verbatim && self.text.starts_with('/');
        self.outcome(changed)
    }

    /// Returns the [line](Self::line), a draft, and leaves nothing. It does not go into the
    /// history.
    pub fn take(&mut self) -> String {
        self.end_search(false);
        self.history.leave();
        let text = self.line().into_owned();
        self.hold(String::new());
        text
    }

    /// Leaves nothing of the text; it can be undone.
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

    /// Begins with another text, which none of the edits before has made.
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

    /// Goes a line up or down, and from the first or last one through the history.
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
            // At the end of a line that is its break.
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

    /// Returns what lies between the cursor and where `motion` leads.
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

    /// Swaps the clusters on both sides of the cursor, at the end of a line the two before it.
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

    /// Puts `with`, if it fits, in the place of `range`, and the cursor behind it; returns whether
    /// anything is another now.
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
        // What another beginning makes of the text is its own matter.
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

    /// Does what `key` asks of the search; none when it ends the search first.
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

    /// Ends the search, if there is one, with the line found in the editor or with what was there
    /// before.
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
