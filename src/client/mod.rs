//! The chat client. Typed input and server messages become effects. Effects become frames for the
//! server and lines for the output.
//!
//! ```text
//!      input ┐
//! connection ─┴→ chat.update → effects → connection / view → output
//! ```
//!
//! On a terminal with the full screen, the client is in several rooms at once:
//!
//! ```text
//!          keys → view::tui → wishes ┐
//! tabs: a chat and a connection each ─┴→ fullscreen → tabs / view::tui → screen
//! ```
//!
//! [`chat`], [`view`], and the modules that handle typed text ([`keys`](terminal::keys),
//! [`editor`], [`completion`]) are pure: they use neither tokio nor a clock.

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

/// The reason why the client ended without success. The message is shown to the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first connection failed, or the connection must not be retried.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The conversation did not end as it should.
    #[error(transparent)]
    App(#[from] Failure),
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The reader of the output closed it before the end. All messages were sent.
    #[error("the output was cut off: nobody reads it any more")]
    CutOff,
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(String),
    /// The terminal could not be used.
    #[error("cannot read the terminal: {0}")]
    Terminal(String),
    /// The terminal of the full screen was closed.
    #[error("the terminal is gone")]
    Hangup,
    /// A task of the client ended unexpectedly.
    #[error("{0} ended unexpectedly")]
    Task(&'static str),
    /// The operating system refused something that every run needs.
    #[error("cannot start: {0}")]
    Start(String),
}

impl Error {
    /// Returns what the user can do about the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connection(error) => error.hint(),
            Self::App(failure) => failure.hint(),
            Self::Settings(SettingsError::Line { .. }) => Some("correct the line, or take it out".to_owned()),
            _ => None,
        }
    }

    /// Returns the exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            // The exit code of a program that SIGHUP ended.
            Self::Hangup => 129,
            _ => 1,
        }
    }
}
