//! A conversation without a connection: why there is none, when the next attempt is made, and what
//! was missed. Pure.

use std::time::Duration;

use super::{App, Effect, Phase, ViewEvent};
use crate::protocol::{Limits, text::grouped, when};

impl App {
    /// Records that the connection is lost. `heard` is when the server was last heard.
    pub(super) fn dropped(&mut self, heard: Duration, reason: String, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Offline {
            return;
        }
        self.phase = Phase::Offline;
        self.lost_at = self.lost_at.or(Some(heard));
        self.paused_until = None;
        self.trouble = None;
        self.lost_because.clone_from(&reason);
        self.outbox.rewind();
        effects.push(Effect::Show(ViewEvent::Disconnected { reason }));
    }

    /// Records that the next connection attempt is made after `length`. Shows the reason of a
    /// failure only if it differs from the last one shown.
    pub(super) fn waits(
        &mut self,
        now: Duration,
        reason: Option<String>,
        hint: Option<String>,
        length: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.retry_at = Some(now + length);
        if self.lost_at.is_none() {
            self.waiting_since.get_or_insert(now);
        }
        if let Some(reason) = reason.filter(|reason| self.lost_because != *reason) {
            self.lost_because.clone_from(&reason);
            effects.push(Effect::Show(if self.lost_at.is_some() {
                ViewEvent::Unreachable { reason }
            } else {
                let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
                ViewEvent::Waiting {
                    words: format!("waiting for a server at {}: {reason}{hint}", self.settings.server),
                }
            }));
        }
    }

    /// Makes a new connection now.
    pub(super) fn reconnect(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Offline {
            self.retry_at = None;
            effects.push(Effect::Retry);
        } else {
            let reason = "another one was asked for";
            self.dropped(now, reason.to_owned(), effects);
            effects.push(Effect::Reconnect { reason: reason.to_owned() });
        }
    }

    /// Reports that more messages were missed since an earlier conversation than are shown.
    pub(super) fn say_resumed(&self, effects: &mut Vec<Effect>) {
        let missed = self.missed.unwrap_or(0);
        if missed >= Limits::HISTORY as usize {
            let words = "1,000 messages or more were missed since the last time; the last 1,000 are shown".to_owned();
            effects.push(Effect::Show(ViewEvent::Back { words, missed }));
        }
    }

    /// If the connection was lost, reports for how long and how many messages were missed.
    pub(super) fn say_back(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let missed = self.missed.take();
        let incomplete = self.incomplete.take();
        let Some(lost_at) = self.lost_at.take() else { return };
        let away = when::in_words(now.saturating_sub(lost_at));
        let count = missed.unwrap_or(0);
        let missed = missed.map_or(String::new(), |missed| format!(": {} missed", grouped(missed)));
        let lost = match incomplete {
            Some(why) => format!("; {why}"),
            None if missed.is_empty() => String::new(),
            None => ", none lost".to_owned(),
        };
        let words = format!("back after {away}{missed}{lost}");
        effects.push(Effect::Show(ViewEvent::Back { words, missed: count }));
    }
}
