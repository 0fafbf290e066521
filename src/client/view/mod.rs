//! From what happened to what is written. Pure: no tokio, no clock, no I/O.

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

/// What is told of a server without our subprotocol.
const PLAIN_TEXT_ONLY: &str = "connected; this server speaks plain text only: no names, no history, no commands";

/// Lines to be written, the last line break included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The lines.
    pub text: String,
    /// Whether these are words of ours beside the chat: off a terminal they go to stderr.
    pub aside: bool,
}

/// How the conversation is shown, line by line.
#[derive(Debug)]
pub enum View {
    /// For people: one line a message.
    Plain(Plain),
    /// For programs: one event a line.
    Json(Json),
}

impl View {
    /// Takes whose time is told where the user is by now.
    pub fn change_zone(&mut self, zone: TimeZone) {
        match self {
            Self::Plain(plain) => plain.change_zone(zone),
            Self::Json(_) => {}
        }
    }

    /// Takes when it is: what has no time of its own happens now.
    pub fn tell_time(&mut self, now: Moment) {
        match self {
            Self::Plain(plain) => plain.tell_time(now),
            Self::Json(_) => {}
        }
    }

    /// Returns what is written for `shown`, or `None` when it has nothing for this view's readers.
    #[must_use]
    pub fn render(&self, shown: &ViewEvent) -> Option<Block> {
        match self {
            Self::Plain(plain) => plain.render(shown),
            Self::Json(json) => Some(json.render(shown)),
        }
    }
}
