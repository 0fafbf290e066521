//! What the terminal tells. Pure. (A stand-in until the keys are there.)

use std::time::Duration;

use crossterm::event::{Event, KeyEvent, KeyEventKind};

/// One thing that the user, or their terminal, did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// A text at once.
    Paste(String),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// The terminal has the keyboard.
    FocusGained,
    /// It does not any more.
    FocusLost,
}

/// Stitches what belongs together.
#[derive(Debug, Default)]
pub struct Keys;

#[expect(missing_docs, clippy::unused_self, reason = "a stand-in")]
impl Keys {
    pub fn feed(&mut self, event: Event, _now: Duration) -> Vec<Input> {
        vec![match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Input::Key(key),
            Event::Key(_) | Event::Mouse(_) => return Vec::new(),
            Event::Paste(text) => Input::Paste(text),
            Event::Resize(width, height) => Input::Resize(width, height),
            Event::FocusGained => Input::FocusGained,
            Event::FocusLost => Input::FocusLost,
        }]
    }
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        None
    }
    pub fn wake(&mut self, _now: Duration) -> Vec<Input> {
        Vec::new()
    }
}
