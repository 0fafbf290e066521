//! Decides when to call the user's attention with the bell or a desktop notification. Pure.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The messages that ring the bell. The bell never rings while the terminal has the keyboard focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bell {
    /// Nothing.
    Off,
    /// Messages that mention the user, and private messages.
    #[default]
    Mentions,
    /// Every message.
    All,
}

impl Bell {
    /// Returns the choice that `word` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Off, Self::Mentions, Self::All].into_iter().find(|bell| bell.to_string() == word)
    }
}

impl fmt::Display for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Mentions => "mentions",
            Self::All => "all",
        })
    }
}

/// The time after a sign of the user during which they are assumed to look at the screen. There is
/// a maximum because a terminal that reported focus may never report that it lost it: tmux does not
/// when its connection breaks.
const LOOKING: Duration = Duration::from_secs(45);

/// The minimum time between two calls. The user does not need a second call within it, and one bell
/// for each message of a flood is noise.
const PAUSE: Duration = Duration::from_secs(3);

/// Tracks whether the user looks at the screen, and when they were last called.
#[derive(Debug, Default)]
pub(super) struct Focus {
    /// The time of the last sign of the user: a key, or a report that the terminal has the focus.
    /// The start of the program counts as a sign.
    sign: Duration,
    /// Whether the terminal has reported since then that it lost the focus. Many terminals never
    /// report the focus.
    lost: bool,
    /// The time of the last call.
    called: Option<Duration>,
    /// The number of calls left out since the last one because they came too soon.
    uncalled: usize,
}

impl Focus {
    /// Handles a focus report of the terminal.
    pub(super) fn told(&mut self, now: Duration, focused: bool) {
        if focused {
            self.key(now);
        } else {
            self.lost = true;
        }
    }

    /// Notes that a key was pressed: the user is here, whatever the terminal reported.
    pub(super) fn key(&mut self, now: Duration) {
        (self.sign, self.lost, self.uncalled) = (now, false, 0);
    }

    /// Returns the number of calls left out before this one if the user is to be called now.
    /// Returns `None` if it is too soon since the last call, and counts this call as left out.
    pub(super) fn call(&mut self, now: Duration) -> Option<usize> {
        if self.called.is_some_and(|called| now.saturating_sub(called) < PAUSE) {
            self.uncalled += 1;
            return None;
        }
        self.called = Some(now);
        Some(std::mem::take(&mut self.uncalled))
    }

    pub(super) fn is_here(&self, now: Duration) -> bool {
        !self.lost && now.saturating_sub(self.sign) < LOOKING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_here_for_a_while_after_each_sign() {
        let mut focus = Focus::default();
        let at = Duration::from_secs;
        assert!(focus.is_here(at(44)) && !focus.is_here(at(45)), "the start is a sign");
        focus.key(at(80));
        assert!(focus.is_here(at(124)) && !focus.is_here(at(125)));
        focus.told(at(200), true);
        assert!(focus.is_here(at(244)) && !focus.is_here(at(245)), "a claim ends");
        focus.key(at(250));
        focus.told(at(251), false);
        assert!(!focus.is_here(at(252)));
        focus.key(at(253));
        assert!(focus.is_here(at(254)), "a key comes from somebody");
    }

    #[test]
    fn nobody_is_called_again_at_once() {
        let mut focus = Focus::default();
        let at = Duration::from_millis;
        let calls: Vec<_> = (0..50).filter_map(|step| focus.call(at(step * 100))).collect();
        assert_eq!(calls, [0, 29]);
        assert_eq!(focus.call(at(6000)), Some(19));
        assert_eq!(focus.call(at(6100)), None);
        focus.key(at(7000));
        assert_eq!(focus.call(at(9000)), Some(0), "they have seen the rest");
    }

    #[test]
    fn a_bell_has_a_name() {
        for bell in [Bell::Off, Bell::Mentions, Bell::All] {
            assert_eq!(Bell::named(&bell.to_string()), Some(bell));
        }
        assert_eq!(Bell::named("loud"), None);
    }
}
