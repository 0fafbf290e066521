//! The chat client: what is typed and what arrives become effects, and those become frames and
//! lines.
//!
//! ```text
//!      input ┐
//! connection ─┴→ chat.update → effects → connection / view → output
//! ```
//!
//! Where it has a terminal it is in several rooms at once:
//!
//! ```text
//!          keys → view::tui → wishes ┐
//! tabs: a chat and a connection each ─┴→ fullscreen → tabs / view::tui → screen
//! ```
//!
//! [`chat`], [`view`], and the parts that take what is typed ([`keys`](terminal::keys), [`editor`],
//! [`completion`]), are pure: no tokio, no clock.

pub mod address;
pub mod chat;
pub mod completion;
pub mod config;
pub mod connection;
mod draft_file;
pub mod driver;
pub mod editor;
mod files;
pub mod full_screen;
pub mod history;
pub mod ignored;
pub mod input;
pub mod output;
pub mod picture;
pub mod saved_state;
pub mod stopwatch;
pub mod tabs;
pub mod terminal;
pub mod unsent;
pub mod view;
pub mod writer;
pub mod zone;

use self::{chat::Failure, config::SettingsError, connection::ConnectError};

/// Why the client ended without success; its words are for people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first connection failed, or a later one must not be tried again.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The conversation could not be ended as it should.
    #[error(transparent)]
    App(#[from] Failure),
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Who read the output went away before the end; nothing is left unsaid.
    #[error("the output was cut off: nobody reads it any more")]
    CutOff,
    /// What was to be shown could not be written.
    #[error("cannot write the output: {0}")]
    Output(String),
    /// The terminal could not be used.
    #[error("cannot read the terminal: {0}")]
    Terminal(String),
    /// The terminal that we draw on is gone.
    #[error("the terminal is gone")]
    Hangup,
    /// A task of ours ended before its time.
    #[error("{0} ended unexpectedly")]
    Task(&'static str),
    /// The operating system refused something that every run needs.
    #[error("cannot start: {0}")]
    Start(String),
}

impl Error {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connection(error) => error.hint(),
            Self::App(failure) => failure.hint(),
            Self::Settings(SettingsError::Line { .. }) => Some("correct the line, or take it out".to_owned()),
            _ => None,
        }
    }

    /// Returns what the program exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            // As if SIGHUP had told.
            Self::Hangup => 129,
            _ => 1,
        }
    }
}
