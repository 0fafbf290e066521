//! Whose words are not shown. Pure.
//!
//! The server does not tell persons, so they are known by their nicks: by all that look alike (UTS 39), by the numbers that a
//! server gives to those whose nick is taken, and by the nick that they change to.

use crate::wire::{Limits, Nick, Rename};

/// How often a number is taken off a nick; nobody gets `eve-2-2-2-2` by chance.
const NUMBERS: usize = 4;

/// Those who are ignored.
#[derive(Debug, Clone, Default)]
pub struct Ignored {
    nicks: Vec<Nick>,
    /// What `nicks` look like, at the same places.
    keys: Vec<[String; 2]>,
    /// Those of `nicks` that nobody chose: somebody who is ignored has changed to them.
    followed: Vec<Nick>,
}

impl PartialEq for Ignored {
    fn eq(&self, other: &Self) -> bool {
        self.nicks == other.nicks
    }
}

impl Eq for Ignored {}

/// What a `/ignore` has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toggled {
    /// The nick is ignored now.
    Ignored,
    /// It is not ignored any more.
    Shown,
    /// It is ignored already, as this one is, and goes on being.
    With(Nick),
}

impl Ignored {
    /// Returns those who have these nicks.
    #[must_use]
    pub fn new(nicks: Vec<Nick>) -> Self {
        let keys = nicks.iter().map(Nick::look_alikes).collect();
        Self { nicks, keys, followed: Vec::new() }
    }

    /// Returns their nicks, the first who was ignored first.
    #[must_use]
    pub fn nicks(&self) -> &[Nick] {
        &self.nicks
    }

    /// Returns whether `nick` is somebody who is ignored.
    #[must_use]
    pub fn has(&self, nick: &Nick) -> bool {
        self.as_whom(nick).is_some()
    }

    /// Ignores `nick`, or shows it again where it is ignored.
    pub fn toggle(&mut self, nick: &Nick) -> Toggled {
        if self.remove(nick) {
            return Toggled::Shown;
        }
        if let Some(as_whom) = self.as_whom(nick) {
            return Toggled::With(as_whom.clone());
        }
        self.add(nick.clone());
        Toggled::Ignored
    }

    /// Takes note of a change of nick; returns whether somebody is known by another nick now.
    pub fn follow(&mut self, rename: &Rename) -> bool {
        if !self.has(&rename.from) {
            return false;
        }
        // What somebody has changed to and left again is free for others. What the user chose stays: it is in the history.
        let left = self.followed.iter().position(|nick| *nick == rename.from).map(|at| self.followed.remove(at));
        let changed = left.is_some_and(|left| self.remove(&left));
        let is_known = self.has(&rename.to);
        if !is_known {
            self.followed.push(rename.to.clone());
            self.add(rename.to.clone());
        }
        changed || !is_known
    }

    /// Returns which of the nicks makes `nick` one who is ignored.
    fn as_whom(&self, nick: &Nick) -> Option<&Nick> {
        if self.nicks.is_empty() {
            return None;
        }
        let alike = |nick: &Nick| {
            let looks = nick.look_alikes();
            self.keys.iter().position(|keys| keys.iter().any(|key| looks.contains(key)))
        };
        let mut nick = nick.clone();
        for _ in 0..NUMBERS {
            if let Some(at) = alike(&nick) {
                return self.nicks.get(at);
            }
            let (base, number) = numbered(&nick)?;
            // A long nick is cut where the number is put behind it.
            if nick.as_str().chars().count() == Limits::NICK_CHARS
                && let Some(whole) = self.nicks.iter().find(|whole| share(&whole.numbered(number), &nick))
            {
                return Some(whole);
            }
            nick = base?;
        }
        None
    }

    fn add(&mut self, nick: Nick) {
        self.keys.push(nick.look_alikes());
        self.nicks.push(nick);
    }

    /// Takes out what looks like `nick`; returns whether there was any.
    fn remove(&mut self, nick: &Nick) -> bool {
        let before = self.nicks.len();
        self.nicks.retain(|known| !share(known, nick));
        self.keys = self.nicks.iter().map(Nick::look_alikes).collect();
        self.nicks.len() < before
    }
}

/// Returns whether two nicks look alike, and are the same nick to a server.
#[must_use]
pub fn share(one: &Nick, other: &Nick) -> bool {
    one == other || {
        let other = other.look_alikes();
        one.look_alikes().iter().any(|key| other.contains(key))
    }
}

/// Returns the nick without the number that a server puts behind one that is taken, if it can be a nick, and the number. A guest's
/// number is all the name they have.
fn numbered(nick: &Nick) -> Option<(Option<Nick>, u64)> {
    let (base, digits) = nick.as_str().rsplit_once('-')?;
    let number =
        digits.parse().ok().filter(|number| *number >= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (*nick != Nick::guest(number)).then(|| (Nick::new(base).ok(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn ignored(nicks: &[&str]) -> Ignored {
        Ignored::new(nicks.iter().map(|text| nick(text)).collect())
    }

    fn rename(from: &str, to: &str) -> Rename {
        Rename { from: nick(from), to: nick(to) }
    }

    #[test]
    fn somebody_is_known_by_every_form_of_their_nick() {
        let eve = ignored(&["eve"]);
        for other in ["eve", "EVE", "Eve", "еvе", "eve-2", "Eve-17", "eve-2-2"] {
            assert!(eve.has(&nick(other)), "{other}");
        }
        for other in ["ev", "evee", "eve-", "eve-x", "eve-1", "eve-02x", "steve", "eve.2", "ada"] {
            assert!(!eve.has(&nick(other)), "{other}");
        }
        assert!(!Ignored::default().has(&nick("eve")));
    }

    #[test]
    fn a_number_that_was_chosen_is_not_taken_off() {
        let eve = ignored(&["eve-2"]);
        assert!(eve.has(&nick("eve-2")) && !eve.has(&nick("eve")) && !eve.has(&nick("eve-3")));
        assert!(!ignored(&["guest"]).has(&nick("guest-7")), "they are many");
        assert!(ignored(&["guest-7"]).has(&nick("guest-7")));
    }

    #[test]
    fn a_long_nick_is_known_by_what_is_left_of_it() {
        let long = nick(&"x".repeat(32));
        let eve = Ignored::new(vec![long.clone()]);
        assert!(eve.has(&long.numbered(2)) && eve.has(&long.numbered(1234)));
        assert!(!eve.has(&nick(&"x".repeat(29))));
    }

    #[test]
    fn a_nick_is_ignored_and_shown_again_in_any_form() {
        let mut all = Ignored::default();
        assert_eq!(all.toggle(&nick("eve")), Toggled::Ignored);
        assert_eq!(all.toggle(&nick("eve-2")), Toggled::With(nick("eve")));
        assert_eq!(all.toggle(&nick("EVE")), Toggled::Shown);
        assert!(all.nicks().is_empty() && !all.has(&nick("eve")));
    }

    #[test]
    fn who_changes_their_nick_is_followed() {
        let mut all = ignored(&["eve"]);
        assert!(!all.follow(&rename("bob", "rob")));
        assert!(all.follow(&rename("eve", "zoe")));
        assert!(all.has(&nick("eve")) && all.has(&nick("zoe-2")));
        assert!(all.follow(&rename("zoe", "mia")));
        assert!(all.has(&nick("eve")) && all.has(&nick("mia")) && !all.has(&nick("zoe")), "zoe may be another now");
        assert!(all.follow(&rename("mia", "eve")));
        assert_eq!(all.nicks(), [nick("eve")]);
        assert!(!all.follow(&rename("eve", "eve-2")), "they are known by it already");
        assert_eq!(all.nicks(), [nick("eve")]);
    }

    #[test]
    fn changes_of_nick_do_not_make_it_grow() {
        let mut all = ignored(&["eve"]);
        let mut before = nick("eve");
        for number in 0..1000 {
            let now = Nick::guest(number);
            all.follow(&Rename { from: before, to: now.clone() });
            before = now;
        }
        assert_eq!(all.nicks(), [nick("eve"), before]);
    }
}
