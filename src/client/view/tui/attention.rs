//! What calls for the user: a bell, a notification, the title. Pure.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What rings the bell; nothing does while the terminal has the keyboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bell {
    /// Nothing.
    Off,
    /// Being mentioned, and private messages.
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

/// How long after a key somebody is taken to look, where the terminal does not tell whether it has the keyboard.
const LOOKING: Duration = Duration::from_mins(1);

/// Whether somebody looks at the screen.
#[derive(Debug, Default)]
pub(super) struct Focus {
    /// What the terminal said last; many never say anything.
    told: Option<bool>,
    key: Option<Duration>,
}

impl Focus {
    pub(super) fn told(&mut self, focused: bool) {
        self.told = Some(focused);
    }

    pub(super) fn key(&mut self, now: Duration) {
        self.key = Some(now);
    }

    pub(super) fn is_here(&self, now: Duration) -> bool {
        self.told.unwrap_or_else(|| now.saturating_sub(self.key.unwrap_or_default()) < LOOKING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_says_nothing_is_looked_at_for_a_while_after_each_key() {
        let mut focus = Focus::default();
        let at = Duration::from_secs;
        assert!(focus.is_here(at(10)) && !focus.is_here(at(90)));
        focus.key(at(80));
        assert!(focus.is_here(at(90)) && !focus.is_here(at(140)));
        focus.told(true);
        assert!(focus.is_here(at(1000)));
        focus.told(false);
        assert!(!focus.is_here(at(81)));
    }

    #[test]
    fn a_bell_has_a_name() {
        for bell in [Bell::Off, Bell::Mentions, Bell::All] {
            assert_eq!(Bell::named(&bell.to_string()), Some(bell));
        }
        assert_eq!(Bell::named("loud"), None);
    }
}
