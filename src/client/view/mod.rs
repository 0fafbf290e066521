//! Converts events to the lines that are written. Pure: no tokio, no clock, no I/O.

mod format;
mod json;
mod plain;
pub mod tui;

use jiff::{Timestamp as Moment, tz::TimeZone};

pub use self::{
    format::{Format, FormatError},
    json::Json,
    plain::Plain,
    tui::{Bell, Joins, Notify, RoomChoice, RoomChoices, Tui, Word, Words},
};
use super::chat::ViewEvent;

/// Shown for a server without our subprotocol.
const PLAIN_TEXT_ONLY: &str = "connected; this server speaks plain text only: no names, no history, no commands";

/// Lines to be written, including the last line break.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The lines.
    pub text: String,
    /// Whether these are the client's own words. If the output is not a terminal, they go to
    /// stderr.
    pub aside: bool,
}

/// How the conversation is shown, line by line.
#[derive(Debug)]
pub enum View {
    /// For people: one line per message.
    Plain(Plain),
    /// For programs: one event per line.
    Json(Json),
}

impl View {
    /// Uses the time zone `zone` from now on.
    pub fn change_zone(&mut self, zone: TimeZone) {
        match self {
            Self::Plain(plain) => plain.change_zone(zone),
            Self::Json(_) => {}
        }
    }

    /// Sets the current time. An event without a time of its own happens now.
    pub fn tell_time(&mut self, now: Moment) {
        match self {
            Self::Plain(plain) => plain.tell_time(now),
            Self::Json(_) => {}
        }
    }

    /// Returns the lines for `shown`. `None` if the event has nothing for the readers of this view.
    #[must_use]
    pub fn render(&self, shown: &ViewEvent) -> Option<Block> {
        match self {
            Self::Plain(plain) => plain.render(shown),
            Self::Json(json) => Some(json.render(shown)),
        }
    }
}
