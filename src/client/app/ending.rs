//! When a conversation is over: what was said has been echoed, or waiting longer is no use. Pure.

use std::time::Duration;

use super::{App, Effect, Failure, Phase, notice};
use crate::wire::{ClientMessage, Dialect, json};

/// After the end of input, without anything being acknowledged: longer than a reconnect takes on a network that comes back.
const PATIENCE: Duration = Duration::from_secs(30);

/// After `/quit`: somebody sits there and waits.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);

/// For a server without acknowledgements to send a line back.
const TEXT_PATIENCE: Duration = Duration::from_secs(2);

/// That an end was asked for.
#[derive(Debug)]
pub(super) struct Ending {
    deadline: Duration,
    /// Whether the user said so, and need not see what is still on its way.
    quit: bool,
}

impl Ending {
    pub(super) fn input_ended(now: Duration) -> Self {
        Self { deadline: now + PATIENCE, quit: false }
    }

    pub(super) fn quit(now: Duration) -> Self {
        Self { deadline: now + QUIT_PATIENCE, quit: true }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Grants new patience, because the server is taking what we say.
    pub(super) fn progress(&mut self, now: Duration, dialect: Dialect) {
        if !self.quit {
            self.deadline = now + if dialect == Dialect::Text { TEXT_PATIENCE } else { PATIENCE };
        }
    }
}

impl App {
    pub(super) fn end(&mut self, now: Duration, mut ending: Ending) {
        if self.speaks_text() {
            ending.progress(now, Dialect::Text);
        }
        if self.ending.is_none() || ending.quit {
            self.ending = Some(ending);
        }
    }

    pub(super) fn progressed(&mut self, now: Duration) {
        let dialect = self.dialect;
        if let Some(ending) = &mut self.ending {
            ending.progress(now, dialect);
        }
    }

    pub(super) fn end_if_done(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let Some(ending) = &self.ending else { return };
        let settled = self.outbox.is_empty() && self.unconfirmed.is_none();
        if settled && (ending.quit || self.phase == Phase::Live) {
            self.finish(Ok(()), effects);
        } else if now >= ending.deadline {
            let result = match self.outbox.unsent_texts() {
                0 if self.unconfirmed.is_some() => {
                    effects.push(notice("the server did not confirm that it took the last line"));
                    Ok(())
                }
                0 if ending.quit => Ok(()),
                0 => Err(Failure::Silent),
                lines => Err(Failure::Unsent(lines)),
            };
            self.finish(result, effects);
        }
    }

    /// Ends at once, whatever is under way.
    pub(super) fn stop(&mut self, effects: &mut Vec<Effect>) {
        let lines = self.outbox.unsent_texts();
        if lines > 0 {
            effects.push(notice(Failure::Unsent(lines).to_string()));
        }
        self.finish(Ok(()), effects);
    }

    /// Says good-bye, so that the nick is free at once, and ends.
    fn finish(&self, result: Result<(), Failure>, effects: &mut Vec<Effect>) {
        if self.dialect == Dialect::Json && matches!(self.phase, Phase::Replaying | Phase::Live) {
            effects.push(Effect::Send(json::encode_client(&ClientMessage::Quit)));
        }
        effects.push(Effect::Finish(result));
    }
}
