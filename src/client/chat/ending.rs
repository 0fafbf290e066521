//! When a conversation is over: what was said has been echoed, or waiting longer is no use. Pure.

use std::time::Duration;

use super::{App, Effect, Failure, Phase, notice};
use crate::protocol::{ClientMessage, Dialect, json};

/// After the end of input, or with no room for more of it, without anything being acknowledged:
/// longer than a reconnect takes on a network that comes back.
const PATIENCE: Duration = Duration::from_secs(30);

/// After `/quit`: somebody sits there and waits.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);

/// For a server without acknowledgements to send a line back.
const TEXT_PATIENCE: Duration = Duration::from_secs(2);

/// Why lines behind a `/quit` are not said.
const AFTER_QUIT: &str = "they stand behind /quit";

/// Why lines behind a `/join` that was refused are not said.
const AFTER_JOIN: &str = "they were for the room of a /join that was refused";

/// That an end was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// There is no more input since then.
    InputEnded(Duration),
    /// The user said so, and need not see what is still on its way.
    Quit {
        /// When nothing is waited for any more.
        until: Duration,
    },
}

impl Ending {
    pub(super) fn quit(now: Duration) -> Self {
        Self::Quit { until: now + QUIT_PATIENCE }
    }

    /// Takes that the end of input is waited for from now on: before, there was no server.
    pub(super) fn begins(&mut self, now: Duration) {
        if let Self::InputEnded(at) = self {
            *at = now;
        }
    }

    fn is_quit(self) -> bool {
        matches!(self, Self::Quit { .. })
    }
}

/// How long the server has been taking nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stall {
    /// When it took something last, or else when the first began to wait.
    since: Duration,
    /// The longest that it has asked us to wait since: it counts once, however often it asks.
    asked: Duration,
}

impl App {
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() || ending.is_quit() {
            self.ending = Some(ending);
        }
    }

    /// Ends as the user said.
    pub(super) fn quit(&mut self, now: Duration) {
        self.left_behind.get_or_insert(AFTER_QUIT);
        self.end(Ending::quit(now));
    }

    /// Takes note that a `/join` was refused. What a program has written behind it is for the
    /// people of another room than this, so that nothing more is said.
    pub(super) fn join_refused(&mut self, now: Duration) {
        if self.settings.piped {
            self.left_behind = Some(AFTER_JOIN);
            self.end(Ending::InputEnded(now));
        }
    }

    /// The same where the server has refused it: what is in the outbox stands behind it.
    pub(super) fn join_failed(&mut self, now: Duration) {
        if self.settings.piped {
            self.unsaid += self.outbox.drain().count();
        }
        self.join_refused(now);
    }

    /// Takes note that the server has taken something, or that there was nothing to take.
    pub(super) fn progressed(&mut self, now: Duration) {
        self.stall = Stall { since: now, asked: Duration::ZERO };
    }

    /// Takes note that the server wants us to wait for so long.
    pub(super) fn asked_to_wait(&mut self, length: Duration) {
        self.stall.asked = self.stall.asked.max(length);
    }

    /// Returns when waiting longer is no use; nothing as long as nobody waits for the end.
    pub(super) fn gives_up_at(&self) -> Option<Duration> {
        let Stall { since, asked } = self.stall;
        match self.ending {
            Some(Ending::Quit { until }) => Some(until),
            _ if self.settings.wait && self.is_waiting() => None,
            Some(Ending::InputEnded(at)) => {
                let is_said = self.dialect == Dialect::Text && self.outbox.is_empty();
                Some(since.max(at) + asked + if is_said { TEXT_PATIENCE } else { PATIENCE })
            }
            // Nobody sees that a pipe stands still, and whoever writes into it stands still too.
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

    /// Ends at once, whatever is under way.
    pub(super) fn stop(&mut self, effects: &mut Vec<Effect>) {
        let result = match self.outbox.unsent_texts() {
            0 => self.all_taken(),
            _ => Err(self.unsent_failure()),
        };
        self.finish(result, effects);
    }

    /// Returns the success of a conversation whose texts are all said, unless lines of a pipe were
    /// refused: who wrote them does not read what we say of each.
    fn all_taken(&self) -> Result<(), Failure> {
        if self.unsaid > 0 {
            return Err(Failure::Unsent { lines: self.unsaid, doubtful: 0, why: AFTER_JOIN.to_owned() });
        }
        if self.settings.piped && self.refused > 0 { Err(Failure::LinesRefused(self.refused)) } else { Ok(()) }
    }

    /// Returns what became of the texts that wait.
    fn unsent_failure(&self) -> Failure {
        let doubtful = self.outbox.doubtful_texts();
        let lines = self.outbox.unsent_texts() - doubtful + self.unsaid;
        Failure::Unsent { lines, doubtful, why: self.why_unsent() }
    }

    /// Returns why texts wait, in words that may be the server's.
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

    /// Says good-bye, so that the nick is free at once, and ends.
    fn finish(&self, result: Result<(), Failure>, effects: &mut Vec<Effect>) {
        if self.dialect == Dialect::Json && matches!(self.phase, Phase::Replaying | Phase::Live) {
            effects.push(Effect::Send(json::encode_client(&ClientMessage::Quit)));
        }
        effects.push(Effect::Finish(result));
    }
}
