//! When a conversation is over: all texts were echoed, or it is useless to wait longer. Pure.

use std::time::Duration;

use super::{App, Effect, Failure, Phase, notice};
use crate::protocol::{ClientMessage, Dialect, json};

/// The maximum time without an acknowledgement after the end of input, or while a full outbox
/// blocks a pipe. It is longer than a reconnect takes on a network that recovers.
const PATIENCE: Duration = Duration::from_secs(30);

/// The maximum time after `/quit`. It is short because the user is waiting.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a server without acknowledgements has to send a line back.
const TEXT_PATIENCE: Duration = Duration::from_secs(2);

/// Why lines after a `/quit` are not sent.
const AFTER_QUIT: &str = "they stand behind /quit";

/// Why lines after a refused `/join` are not sent.
const AFTER_JOIN: &str = "they were for the room of a /join that was refused";

/// The kind of end that was requested.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// The input ended at this time.
    InputEnded(Duration),
    /// The user asked to quit and need not see what is still in flight.
    Quit {
        /// When to stop waiting.
        until: Duration,
    },
}

impl Ending {
    pub(super) fn quit(now: Duration) -> Self {
        Self::Quit { until: now + QUIT_PATIENCE }
    }

    /// Starts the wait after the end of input now, because there was no server before.
    pub(super) fn begins(&mut self, now: Duration) {
        if let Self::InputEnded(at) = self {
            *at = now;
        }
    }

    fn is_quit(self) -> bool {
        matches!(self, Self::Quit { .. })
    }
}

/// How long the server has not taken anything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stall {
    /// When the server last took something. If it never did, when the first text began to wait.
    since: Duration,
    /// The longest wait that the server has requested since then. Repeated requests do not add up.
    asked: Duration,
}

impl App {
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() || ending.is_quit() {
            self.ending = Some(ending);
        }
    }

    /// Ends the conversation because the user asked for it.
    pub(super) fn quit(&mut self, now: Duration) {
        self.left_behind.get_or_insert(AFTER_QUIT);
        self.end(Ending::quit(now));
    }

    /// Records that a `/join` was refused. In a pipe, the lines after it are for the people of
    /// another room, so nothing more is sent.
    pub(super) fn join_refused(&mut self, now: Duration) {
        if self.settings.piped {
            self.left_behind = Some(AFTER_JOIN);
            self.end(Ending::InputEnded(now));
        }
    }

    /// Like [`Self::join_refused`], but the server refused the `/join`. Everything in the outbox
    /// comes after it.
    pub(super) fn join_failed(&mut self, now: Duration) {
        if self.settings.piped {
            self.unsaid += self.outbox.drain().count();
        }
        self.join_refused(now);
    }

    /// Records that the server has taken something, or that there was nothing to take.
    pub(super) fn progressed(&mut self, now: Duration) {
        self.stall = Stall { since: now, asked: Duration::ZERO };
    }

    /// Records that the server wants us to wait for `length`.
    pub(super) fn asked_to_wait(&mut self, length: Duration) {
        self.stall.asked = self.stall.asked.max(length);
    }

    /// Returns when it becomes useless to wait longer. `None` while nothing waits for the end.
    pub(super) fn gives_up_at(&self) -> Option<Duration> {
        let Stall { since, asked } = self.stall;
        match self.ending {
            Some(Ending::Quit { until }) => Some(until),
            _ if self.settings.wait && self.is_waiting() => None,
            Some(Ending::InputEnded(at)) => {
                let is_said = self.dialect == Dialect::Text && self.outbox.is_empty();
                Some(since.max(at) + asked + if is_said { TEXT_PATIENCE } else { PATIENCE })
            }
            // Nobody sees that a pipe is blocked, and the program that writes into it is blocked
            // too.
            None => (self.settings.piped && self.outbox.is_full()).then(|| since + asked + PATIENCE),
        }
    }

    pub(super) fn end_if_done(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let quits = self.ending.is_some_and(Ending::is_quit);
        let settled = self.ending.is_some() && self.outbox.is_empty() && self.unconfirmed.is_none();
        if settled && (quits || self.phase == Phase::Live) {
            self.finish(self.all_taken(), effects);
        } else if self.gives_up_at().is_some_and(|at| now >= at) {
            let result = match self.outbox.unsent_texts() + self.unsaid {
                0 if self.unconfirmed.is_some() => {
                    effects.push(notice("the server did not confirm that it took the last line"));
                    self.all_taken()
                }
                0 if quits => self.all_taken(),
                0 => Err(Failure::Silent),
                _ => Err(self.unsent_failure()),
            };
            self.finish(result, effects);
        }
    }

    /// Ends at once, whatever is in flight.
    pub(super) fn stop(&mut self, effects: &mut Vec<Effect>) {
        let result = match self.outbox.unsent_texts() {
            0 => self.all_taken(),
            _ => Err(self.unsent_failure()),
        };
        self.finish(result, effects);
    }

    /// Returns the result of a conversation whose texts were all sent. It is a failure if lines of
    /// a pipe were refused, because the program that wrote them does not read the refusals.
    fn all_taken(&self) -> Result<(), Failure> {
        if self.unsaid > 0 {
            return Err(Failure::Unsent { lines: self.unsaid, doubtful: 0, why: AFTER_JOIN.to_owned() });
        }
        if self.settings.piped && self.refused > 0 { Err(Failure::LinesRefused(self.refused)) } else { Ok(()) }
    }

    /// Returns the failure that reports what happened to the waiting texts.
    fn unsent_failure(&self) -> Failure {
        let doubtful = self.outbox.doubtful_texts();
        let lines = self.outbox.unsent_texts() - doubtful + self.unsaid;
        Failure::Unsent { lines, doubtful, why: self.why_unsent() }
    }

    /// Returns why texts wait. The words may come from the server.
    fn why_unsent(&self) -> String {
        match (self.phase, &self.trouble) {
            (Phase::Offline, _) if self.lost_because.is_empty() => "there is no connection".to_owned(),
            (Phase::Offline, _) if self.lost_at.is_none() => format!("there is no server: {}", self.lost_because),
            (Phase::Offline, _) => format!("the connection is lost: {}", self.lost_because),
            (_, Some(trouble)) => format!("the server cannot take what is said: {trouble}"),
            _ if !self.stall.asked.is_zero() => "the server asks for patience".to_owned(),
            _ => "the server has not confirmed it".to_owned(),
        }
    }

    /// Sends `quit`, so that the nick is free at once, and ends.
    fn finish(&self, result: Result<(), Failure>, effects: &mut Vec<Effect>) {
        if self.dialect == Dialect::Json && matches!(self.phase, Phase::Replaying | Phase::Live) {
            effects.push(Effect::Send(json::encode_client(&ClientMessage::Quit)));
        }
        effects.push(Effect::Finish(result));
    }
}
