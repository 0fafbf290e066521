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

/// How long after a sign of somebody it is taken that they look. A terminal that has said that it has the keyboard may never say
/// that it lost it: tmux does not when the connection to it breaks.
const LOOKING: Duration = Duration::from_secs(45);

/// Whether somebody looks at the screen.
#[derive(Debug, Default)]
pub(super) struct Focus {
    /// The last sign of somebody: a key, or that the terminal has the keyboard now. The start of the program is one.
    sign: Duration,
    /// Whether the terminal has said since that it does not have the keyboard; many never say anything.
    lost: bool,
}

impl Focus {
    /// Takes what the terminal says.
    pub(super) fn told(&mut self, now: Duration, focused: bool) {
        if focused {
            self.key(now);
        } else {
            self.lost = true;
        }
    }

    /// Takes note of a key: whatever the terminal said, somebody is here.
    pub(super) fn key(&mut self, now: Duration) {
        (self.sign, self.lost) = (now, false);
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
    fn a_bell_has_a_name() {
        for bell in [Bell::Off, Bell::Mentions, Bell::All] {
            assert_eq!(Bell::named(&bell.to_string()), Some(bell));
        }
        assert_eq!(Bell::named("loud"), None);
    }
}
