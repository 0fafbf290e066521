//! The nick that the user wants while somebody else has it: it is asked for again as soon as it is
//! free, and nobody is told of the tries. Pure.

use std::time::Duration;

use super::{App, Phase, outbox::Asker};
use crate::protocol::{ClientMessage, Dialect, Nick, Presence};

/// How often we ask for it where we do not see who has it: seldom enough to cost the server
/// nothing.
const ASK_AGAIN: Duration = Duration::from_secs(30);

impl App {
    /// Returns the nick that the user wants, also where they have it.
    #[must_use]
    pub fn wanted(&self) -> Option<&Nick> {
        self.wanted.as_ref()
    }

    /// Takes which nick the server has given us with its welcome.
    pub(super) fn named(&mut self, nick: &Nick) {
        // Whoever is here already keeps the nick that they chose, perhaps on another connection.
        let is_in_place = |wanted: &Nick| wanted == nick || stands_for(nick, wanted);
        if self.taken.is_none() && !self.wanted.as_ref().is_some_and(is_in_place) {
            self.wanted = self.wanted.as_ref().map(|_| nick.clone());
        }
        self.nick = Some(nick.clone());
    }

    /// Returns when the nick that is wanted is asked for next, if it is.
    pub(super) fn asks_nick_at(&self) -> Option<Duration> {
        self.ask_nick_at.filter(|_| self.is_without_wanted())
    }

    /// Takes that the server has just said that the nick is taken.
    pub(super) fn nick_is_taken(&mut self, now: Duration) {
        self.ask_nick_at = Some(now + ASK_AGAIN);
    }

    /// Takes who came and went: perhaps the nick that is wanted is free.
    pub(super) fn nick_may_be_free(&mut self, presence: &Presence) {
        let Some(wanted) = &self.wanted else { return };
        if presence.left.contains(wanted) || presence.renamed.iter().any(|rename| rename.from == *wanted) {
            self.ask_nick_at = None;
        }
    }

    /// Asks for the nick that is wanted, if it is time.
    pub(super) fn ask_for_wanted(&mut self, now: Duration) {
        if self.is_without_wanted()
            && self.ask_nick_at.is_none_or(|at| at <= now)
            && let Some(nick) = self.wanted.clone()
        {
            self.ask_nick_at = Some(now + ASK_AGAIN);
            self.outbox.push_unasked(ClientMessage::Nick { nick }, Asker::App);
        }
    }

    fn is_without_wanted(&self) -> bool {
        self.phase == Phase::Live
            && self.dialect == Dialect::Json
            && self.ending.is_none()
            && self.wanted.is_some()
            && self.wanted != self.nick
    }
}

/// Returns whether a server gives `nick` to who wants `wanted`, which is taken: `ada-2` for `ada`.
fn stands_for(nick: &Nick, wanted: &Nick) -> bool {
    let base = nick.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
    base.len() < nick.as_str().len()
        && base.strip_suffix('-').is_some_and(|base| !base.is_empty() && wanted.as_str().starts_with(base))
}
