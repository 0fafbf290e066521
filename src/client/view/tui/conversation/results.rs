//! What a search has found: a list over the conversation, the newest first. Pure.

use std::sync::Arc;

use jiff::tz::TimeZone;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    super::{
        clock::Clock,
        palette::{self, Palette},
        styled::Role,
    },
    Conversation,
    entry::{NARROW, rule},
    moment,
    wrap::{Piece, Row, columns, cut},
};
use crate::wire::{Kind, Limits, Message, MessageId, Query};

/// The columns of a date and what is left blank beside it and its time.
const DATE: u16 = 13;

/// The results of a search, one of them selected.
#[derive(Debug)]
pub struct SearchResults {
    query: Query,
    messages: Vec<Arc<Message>>,
    complete: bool,
    /// Whether they wait, because the reader was busy when they came.
    waits: bool,
    selected: usize,
    /// The first in sight.
    top: usize,
}

impl SearchResults {
    /// Returns what was searched for.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Returns what was found, the newest first.
    #[must_use]
    pub fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// Returns the selected message, to be jumped to.
    #[must_use]
    pub fn selected(&self) -> Option<MessageId> {
        self.messages.get(self.selected).map(|message| message.id)
    }

    /// Takes out what does not stay.
    pub(super) fn retain(&mut self, stays: impl Fn(&Message) -> bool) {
        self.messages.retain(|message| stays(message));
        self.selected = self.selected.min(self.messages.len().saturating_sub(1));
    }

    /// Returns whether all of it has arrived and is shown.
    pub(super) fn is_open(&self) -> bool {
        self.complete && !self.waits
    }

    pub(super) fn draw(&mut self, area: Rect, buffer: &mut Buffer, palette: Palette, zone: &TimeZone, clock: Clock) {
        let width = area.width;
        let count = self.messages.len();
        let label =
            format!("{count} found for \"{}\"", cut(self.query.as_str(), usize::from(width).saturating_sub(24)));
        let mut y = 0;
        if area.height > 1 {
            rule(&[&label, &format!("{count} found")], width, Role::Quiet).draw(area, y, buffer, palette, Style::new());
            y += 1;
        }
        let hint = area.height > 5;
        let room = usize::from(area.height - y - u16::from(hint));
        self.top = self.top.clamp((self.selected + 1).saturating_sub(room), self.selected);
        for (index, message) in self.messages.iter().enumerate().skip(self.top).take(room) {
            let selected = index == self.selected;
            let over = if selected { palette.selected() } else { Style::new() };
            line(message, selected, width, zone, clock).draw(area, y, buffer, palette, over);
            y += 1;
        }
        if hint {
            let keys = [
                "Up, Down; on an empty line Enter shows it in its place; Esc closes",
                "Up, Down; Enter shows; Esc closes",
                "Enter, Esc",
            ];
            rule(&keys, width, Role::Quiet).draw(area, area.height - 1, buffer, palette, Style::new());
        }
    }
}

/// Returns a message in one row.
fn line(message: &Message, selected: bool, width: u16, zone: &TimeZone, clock: Clock) -> Row {
    let mut row = Row::default();
    let mut x = 2;
    let mut add = |x: &mut u16, text: String, role: Role| {
        let room = usize::from(width.saturating_sub(*x));
        let text = cut(&text, room);
        let wide = u16::try_from(columns(&text)).unwrap_or(u16::MAX);
        row.pieces.push(Piece { x: *x, text, role });
        *x = x.saturating_add(wide);
    };
    if selected {
        add(&mut 0, ">".to_owned(), Role::Mention);
    }
    if width >= NARROW {
        let date = moment(message.at).map_or_else(String::new, |at| {
            let local = at.to_zoned(zone.clone()).datetime();
            format!("{} {}", local.date(), clock.aligned(local))
        });
        add(&mut x, date, Role::Quiet);
        x = 2 + DATE + clock.columns();
    }
    let nick = message.nick.to_string();
    let hash = palette::hash(&nick);
    let text = message.text.as_ref().map_or("", |text| text.as_str()).replace(['\n', '\t'], " ");
    let (mark, between) = match (message.kind, &message.text) {
        (Kind::Say, _) => ("", ": "),
        (Kind::Me, _) => ("~ ", " "),
        (Kind::Topic, Some(_)) => ("* ", " set the topic: "),
        (Kind::Topic, None) => ("* ", " cleared the topic"),
    };
    add(&mut x, mark.to_owned(), Role::Text);
    add(&mut x, nick, Role::Nick(hash));
    add(&mut x, format!("{between}{text}"), Role::Text);
    row
}

impl Conversation {
    /// Returns the results of the last search while they are open.
    #[must_use]
    pub fn results(&self) -> Option<&SearchResults> {
        self.results.as_ref().filter(|results| results.is_open())
    }

    /// Selects the result so many further down the list.
    pub fn select(&mut self, by: i32) {
        if let Some(results) = &mut self.results {
            let last = results.messages.len().saturating_sub(1);
            let step = isize::try_from(by).unwrap_or(0);
            results.selected = results.selected.saturating_add_signed(step).min(last);
        }
    }

    /// Lets the results that have just come wait until [`Self::open_results`].
    pub fn let_results_wait(&mut self) {
        if let Some(results) = &mut self.results {
            results.waits = true;
        }
    }

    /// Returns how many results wait.
    #[must_use]
    pub fn waiting_results(&self) -> Option<usize> {
        self.results.as_ref().filter(|results| results.complete && results.waits).map(|results| results.messages.len())
    }

    /// Opens the results that wait; returns whether there are any.
    pub fn open_results(&mut self) -> bool {
        let waiting = self.results.as_mut().filter(|results| results.complete && results.waits);
        waiting.map(|results| results.waits = false).is_some()
    }

    /// Closes the results.
    pub fn close_results(&mut self) {
        self.results = None;
    }

    /// Takes what a search has found; returns whether that is nothing.
    pub(super) fn found(&mut self, query: &Query, messages: &[Arc<Message>], complete: bool) -> bool {
        let messages: Vec<_> = messages.iter().filter(|message| !self.hides(&message.nick)).cloned().collect();
        match &mut self.results {
            Some(results) if !results.complete && results.query == *query => {
                // Whatever a server sends: a search has its limit.
                let room = (Limits::HISTORY as usize).saturating_sub(results.messages.len());
                results.messages.extend(messages.into_iter().take(room));
                results.complete = complete;
            }
            results => {
                let (query, waits) = (query.clone(), false);
                *results = Some(SearchResults { query, messages, complete, waits, selected: 0, top: 0 });
            }
        }
        let nothing = self.results.as_ref().is_some_and(|results| results.complete && results.messages.is_empty());
        if nothing {
            self.results = None;
        }
        nothing
    }
}
