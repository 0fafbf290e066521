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
use crate::protocol::{Kind, Limits, Message, MessageId, Query, ServerMessage, text::total_words};

/// The columns of a date and what is left blank beside it and its time.
const DATE: u16 = 13;

/// Results that are kept; who looks for one of so many has to say more of it.
const MOST: usize = 500;

/// Bytes of text in them.
const MOST_TEXT: usize = 1024 * 1024;

/// What there is to find past what is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Older {
    /// Perhaps something.
    Unknown,
    /// It is asked for.
    Asked,
    /// Nothing, or more than is kept.
    Nothing,
}

/// The results of a search, one of them selected.
#[derive(Debug)]
pub struct SearchResults {
    query: Query,
    messages: Vec<Arc<Message>>,
    complete: bool,
    /// Whether all rooms of the person were searched.
    all: bool,
    /// How many there are to find, and whether there are perhaps more.
    total: Option<(u64, bool)>,
    /// What of it comes next.
    older: Older,
    /// The last that has come, whether it is shown or not.
    last: MessageId,
    /// Messages that have come with the page that is arriving.
    arrived: u32,
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
    pub fn selected(&self) -> Option<&Arc<Message>> {
        self.messages.get(self.selected)
    }

    /// Returns whether all rooms of the person were searched.
    #[must_use]
    pub fn is_of_all_rooms(&self) -> bool {
        self.all
    }

    /// Returns before which message the next page is wanted, now that the end of what is here is
    /// near. It is wanted once.
    fn wanted_page(&mut self) -> Option<MessageId> {
        /// Results below the selected one that are here before it gets there.
        const AHEAD: usize = 5;
        let is_near = self.selected + AHEAD >= self.messages.len();
        if !is_near || self.older != Older::Unknown {
            return None;
        }
        self.older = Older::Asked;
        self.arrived = 0;
        Some(self.last)
    }

    /// Adds messages that come behind those that are here.
    fn add(&mut self, messages: &[Arc<Message>], shown: impl Fn(&Message) -> bool) {
        self.arrived = self.arrived.saturating_add(u32::try_from(messages.len()).unwrap_or(u32::MAX));
        self.last = messages.last().map_or(self.last, |last| last.id);
        for message in messages.iter().filter(|message| shown(message)) {
            let text: usize = self.messages.iter().map(|message| message.text_len()).sum();
            if self.messages.len() >= MOST || text >= MOST_TEXT {
                self.older = Older::Nothing;
                return;
            }
            self.messages.push(Arc::clone(message));
        }
    }

    /// Takes that a page has come whole.
    fn page_is_whole(&mut self) {
        if self.older != Older::Nothing {
            self.older = if self.arrived < Limits::FOUND { Older::Nothing } else { Older::Unknown };
        }
    }

    /// Returns the words above the list, once at length.
    fn labels(&self, width: u16) -> [String; 2] {
        let count = self.messages.len();
        let of = match self.total {
            Some((total, or_more)) if total > count as u64 || or_more => {
                format!("{count} of {}", total_words(total.max(count as u64), or_more))
            }
            _ => count.to_string(),
        };
        let place = if self.all { " in your rooms" } else { "" };
        let query = cut(self.query.as_str(), usize::from(width).saturating_sub(24 + of.len() + place.len()));
        [format!("{of} found{place} for \"{query}\""), format!("{of} found")]
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
        let [long, short] = self.labels(width);
        let mut y = 0;
        if area.height > 1 {
            rule(&[&long, &short], width, Role::Quiet).draw(area, y, buffer, palette, Style::new());
            y += 1;
        }
        let hint = area.height > 5;
        let room = usize::from(area.height - y - u16::from(hint));
        self.top = self.top.clamp((self.selected + 1).saturating_sub(room), self.selected);
        for (index, message) in self.messages.iter().enumerate().skip(self.top).take(room) {
            let selected = index == self.selected;
            let over = if selected { palette.selected() } else { Style::new() };
            line(message, self.all, selected, width, zone, clock).draw(area, y, buffer, palette, over);
            y += 1;
        }
        if hint {
            let has_more = self.older != Older::Nothing;
            let long = if has_more {
                "Up, Down, PgDn: more; on an empty line Enter shows it in its place; Esc closes"
            } else {
                "Up, Down; on an empty line Enter shows it in its place; Esc closes"
            };
            let short =
                if has_more { "PgDn: more; Enter shows; Esc closes" } else { "Up, Down; Enter shows; Esc closes" };
            rule(&[long, short, "Enter, Esc"], width, Role::Quiet).draw(
                area,
                area.height - 1,
                buffer,
                palette,
                Style::new(),
            );
        }
    }
}

/// Returns a message in one row, with its room where there are several.
fn line(message: &Message, all: bool, selected: bool, width: u16, zone: &TimeZone, clock: Clock) -> Row {
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
    if all {
        add(&mut x, format!("#{} ", message.room), Role::Quiet);
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

    /// Returns before which message the next page of the results is wanted, once they are open.
    pub fn wanted_results(&mut self) -> Option<(MessageId, Query, bool)> {
        let results = self.results.as_mut().filter(|results| results.is_open())?;
        Some((results.wanted_page()?, results.query.clone(), results.all))
    }

    /// Takes a page of results that was asked for by [`Self::wanted_results`]; with `more`, the
    /// rest of it follows.
    pub fn take_results(&mut self, before: MessageId, query: &Query, messages: &[Arc<Message>], more: bool) {
        let (me, ignored) = (self.me.clone(), Arc::clone(&self.ignored));
        let Some(results) = &mut self.results else { return };
        // Another search may have come meanwhile.
        let is_rest = results.last == before || results.arrived > 0;
        if results.older == Older::Asked && results.query == *query && is_rest {
            results.add(messages, |message| me.as_ref() == Some(&message.nick) || !ignored.has(&message.nick));
            if !more {
                results.page_is_whole();
            }
        }
    }

    /// Takes that a page of results is not given. It is not asked for again before the reader goes
    /// on.
    pub fn results_refused(&mut self) {
        if let Some(results) = self.results.as_mut().filter(|results| results.older == Older::Asked) {
            results.older = Older::Unknown;
        }
    }

    /// Takes what a search has found; returns whether that is nothing.
    pub(super) fn found(&mut self, found: &ServerMessage) -> bool {
        let ServerMessage::Found { query, messages, more, all, total, or_more, .. } = found else { return false };
        let is_more = |results: &SearchResults| !results.complete && results.query == *query;
        let mut results = self.results.take().filter(is_more).unwrap_or_else(|| SearchResults {
            query: query.clone(),
            messages: Vec::new(),
            complete: false,
            all: *all,
            total: total.map(|total| (total, *or_more)),
            older: Older::Unknown,
            last: MessageId(u64::MAX),
            arrived: 0,
            waits: false,
            selected: 0,
            top: 0,
        });
        results.add(messages, |message| !self.hides(&message.nick));
        results.complete = !more;
        if results.complete {
            results.page_is_whole();
            // A server of an earlier version gives no further pages, nor counts.
            if total.is_none() {
                results.older = Older::Nothing;
            }
        }
        let nothing = results.complete && results.messages.is_empty();
        self.results = Some(results).filter(|_| !nothing);
        nothing
    }
}
