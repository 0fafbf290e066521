//! The nick that the user wants while somebody else has it. The app asks for it again as soon as it
//! is free. The attempts are not shown to the user. Pure.

use std::time::Duration;

use super::{App, Phase, outbox::Asker};
use crate::protocol::{ClientMessage, Dialect, Nick, Presence};

/// How often the app asks for the nick if it cannot see who has it. Every 30 s is rare enough to
/// cost the server nothing.
const ASK_AGAIN: Duration = Duration::from_secs(30);

impl App {
    /// Returns the nick that the user wants, even if they already have it.
    #[must_use]
    pub fn wanted(&self) -> Option<&Nick> {
        self.wanted.as_ref()
    }

    /// Records the nick that the server assigned in its welcome.
    pub(super) fn named(&mut self, nick: &Nick) {
        // A session that already exists keeps its nick. The user may have chosen it on another
        // connection.
        let is_in_place = |wanted: &Nick| wanted == nick || stands_for(nick, wanted);
        if self.taken.is_none() && !self.wanted.as_ref().is_some_and(is_in_place) {
            self.wanted = self.wanted.as_ref().map(|_| nick.clone());
        }
        self.nick = Some(nick.clone());
    }

    /// Returns when to ask for the wanted nick next. `None` if there is nothing to ask for or no
    /// wait.
    pub(super) fn asks_nick_at(&self) -> Option<Duration> {
        self.ask_nick_at.filter(|_| self.is_without_wanted())
    }

    /// Records that the server has just reported the wanted nick as taken.
    pub(super) fn nick_is_taken(&mut self, now: Duration) {
        self.ask_nick_at = Some(now + ASK_AGAIN);
    }

    /// Reads a presence event: the wanted nick may have become free.
    pub(super) fn nick_may_be_free(&mut self, presence: &Presence) {
        let Some(wanted) = &self.wanted else { return };
        if presence.left.contains(wanted) || presence.renamed.iter().any(|rename| rename.from == *wanted) {
            self.ask_nick_at = None;
        }
    }

    /// Asks for the wanted nick if it is time.
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

/// Returns whether `nick` is the substitute that a server assigns if `wanted` is taken: `ada-2` for
/// `ada`.
fn stands_for(nick: &Nick, wanted: &Nick) -> bool {
    let base = nick.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
    base.len() < nick.as_str().len()
        && base.strip_suffix('-').is_some_and(|base| !base.is_empty() && wanted.as_str().starts_with(base))
}
