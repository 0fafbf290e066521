//! Who spoke recently, and which of them joined and left. Pure.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp as Moment};

use crate::protocol::{Fate, Nick, Presence, Rename, text};

/// Joins and leaves of people who were silent for longer are not shown.
const LATELY: SignedDuration = SignedDuration::from_mins(30);

/// The maximum number of remembered speakers. Beyond it, the one who spoke longest ago is
/// forgotten.
const SPEAKERS: usize = 200;

/// The maximum number of names in one line.
const NAMES: usize = 20;

/// The people who spoke, the most recent first.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    list: Vec<(Nick, Moment)>,
}

impl Speakers {
    pub(super) fn spoke(&mut self, nick: &Nick, at: Moment) {
        let known = self.list.iter().position(|(known, _)| known == nick);
        let mut speaker = known.map_or_else(|| (nick.clone(), at), |index| self.list.remove(index));
        speaker.1 = at;
        self.list.insert(0, speaker);
        self.list.truncate(SPEAKERS);
    }

    /// Applies all changes of nick at once, because a new nick may be the old nick of somebody
    /// else.
    pub(super) fn follow(&mut self, presence: &Presence) {
        for (nick, _) in &mut self.list {
            if let Some(Fate::Renamed(to)) = presence.fate(nick) {
                *nick = to.clone();
            }
        }
    }

    pub(super) fn spoke_lately(&self, nick: &Nick, now: Moment) -> bool {
        self.list.iter().any(|(known, at)| known == nick && now.duration_since(*at) <= LATELY)
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&Nick) -> bool) {
        self.list.retain(|(nick, _)| stays(nick));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Nick> {
        self.list.iter().map(|(nick, _)| nick)
    }
}

/// The result of consecutive presence events: who joined, left and changed their nick. A person who
/// joined and left again is not included.
#[derive(Debug, Default)]
pub(super) struct Run {
    joined: Vec<Nick>,
    left: Vec<Nick>,
    renamed: Vec<Rename>,
    /// The number of people without a listed name, for each kind.
    more: [usize; 3],
}

impl Run {
    /// Adds the people of `presence` that `matters` accepts and, with `others`, those without a
    /// listed name. Returns whether there were any.
    pub(super) fn add(&mut self, presence: &Presence, matters: impl Fn(&Nick) -> bool, others: bool) -> bool {
        let mut any = false;
        if others {
            let Presence { more_joined, more_left, more_renamed, .. } = *presence;
            for (more, new) in self.more.iter_mut().zip([more_joined, more_left, more_renamed]) {
                any |= new > 0;
                *more = more.saturating_add(new);
            }
        }
        for nick in presence.joined.iter().filter(|nick| matters(nick)) {
            any = true;
            moved(nick, &mut self.left, &mut self.joined);
        }
        for rename in presence.renamed.iter().filter(|rename| matters(&rename.from) || matters(&rename.to)) {
            any = true;
            self.rename(rename);
        }
        for nick in presence.left.iter().filter(|nick| matters(nick)) {
            any = true;
            moved(nick, &mut self.joined, &mut self.left);
        }
        any
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty() && self.renamed.is_empty() && self.more == [0; 3]
    }

    pub(super) fn words(&self) -> String {
        let mut out = String::new();
        let mut tell = |who: String, what: &str| {
            // Cannot fail: a `String` accepts everything.
            let _ = write!(out, "{}{who} {what}", if out.is_empty() { "" } else { "; " });
        };
        let [more_joined, more_left, more_renamed] = self.more;
        for (nicks, more, what) in [(&self.joined, more_joined, "joined"), (&self.left, more_left, "left")] {
            let all = nicks.len().saturating_add(more);
            if all > 0 {
                tell(text::names(&nicks[..nicks.len().min(NAMES)], all), what);
            }
        }
        for rename in self.renamed.iter().take(NAMES) {
            tell(rename.from.to_string(), &format!("is {} now", rename.to));
        }
        let more = self.renamed.len().saturating_sub(NAMES).saturating_add(more_renamed);
        if more > 0 {
            tell(more.to_string(), "more changed their nick");
        }
        out
    }

    fn rename(&mut self, rename: &Rename) {
        if let Some(nick) = self.joined.iter_mut().find(|nick| **nick == rename.from) {
            *nick = rename.to.clone();
        } else if let Some(before) = self.renamed.iter_mut().find(|before| before.to == rename.from) {
            before.to = rename.to.clone();
            self.renamed.retain(|rename| rename.from != rename.to);
        } else {
            self.renamed.push(rename.clone());
        }
    }
}

/// Removes `nick` from `from`, or adds it to `to` if it was not there.
fn moved(nick: &Nick, from: &mut Vec<Nick>, to: &mut Vec<Nick>) {
    if let Some(index) = from.iter().position(|known| known == nick) {
        from.remove(index);
    } else if !to.contains(nick) {
        to.push(nick.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RoomName;

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    /// Returns a presence event: `+` joined, `-` left, `a>b` changed the nick.
    fn presence(changes: &str) -> Presence {
        let mut presence = Presence::unmoved(RoomName::lobby(), 1);
        for change in changes.split(' ') {
            match (change.strip_prefix('+'), change.strip_prefix('-'), change.split_once('>')) {
                (Some(who), ..) => presence.joined.push(nick(who)),
                (_, Some(who), _) => presence.left.push(nick(who)),
                (.., Some((from, to))) => presence.renamed.push(Rename { from: nick(from), to: nick(to) }),
                _ => panic!("{change}"),
            }
        }
        presence
    }

    fn words(all: &[&str]) -> String {
        let mut run = Run::default();
        for changes in all {
            assert!(run.add(&presence(changes), |_| true, false));
        }
        run.words()
    }

    #[test]
    fn a_run_is_one_line() {
        assert_eq!(words(&["+bob", "+eve -ada", "x>y"]), "bob, eve joined; ada left; x is y now");
    }

    #[test]
    fn who_is_where_they_were_is_not_told() {
        assert_eq!(words(&["-bob", "+bob"]), "");
        assert_eq!(words(&["+bob", "bob>rob", "+eve", "-rob"]), "eve joined");
        assert_eq!(words(&["a>b", "b>c"]), "a is c now");
        assert_eq!(words(&["a>b", "b>a"]), "");
    }

    #[test]
    fn only_who_matters_is_told() {
        let mut run = Run::default();
        assert!(!run.add(&presence("+bob -eve"), |_| false, false));
        assert!(run.add(&presence("+bob -eve"), |who| who.as_str() == "eve", false));
        assert_eq!(run.words(), "eve left");
    }

    #[test]
    fn who_is_not_spelled_out_is_counted_where_all_are_told() {
        let many = Presence { more_joined: 7, more_renamed: 2, ..presence("+bob") };
        let mut run = Run::default();
        assert!(!run.add(&many, |_| false, false));
        assert!(run.add(&many, |_| true, true) && run.add(&many, |_| false, true));
        assert_eq!(run.words(), "bob and 14 more joined; 4 more changed their nick");
    }

    #[test]
    fn speakers_are_forgotten_in_time_and_in_number() {
        let at = |seconds| Moment::from_second(seconds).unwrap();
        let mut speakers = Speakers::default();
        for (who, seconds) in [("ada", 0), ("bob", 1), ("ada", 2)] {
            speakers.spoke(&nick(who), at(seconds));
        }
        assert_eq!(speakers.iter().map(Nick::as_str).collect::<Vec<_>>(), ["ada", "bob"]);
        assert!(speakers.spoke_lately(&nick("ada"), at(1802)) && !speakers.spoke_lately(&nick("bob"), at(1802)));
        let mut presence = Presence::unmoved(RoomName::lobby(), 2);
        // The order in the event does not matter.
        for (from, to) in [("ada", "bob"), ("bob", "eve")] {
            presence.renamed.push(Rename { from: nick(from), to: nick(to) });
        }
        speakers.follow(&presence);
        assert_eq!(speakers.iter().map(Nick::as_str).collect::<Vec<_>>(), ["bob", "eve"]);
        (0..1000).for_each(|n| speakers.spoke(&Nick::guest(n), at(3)));
        assert_eq!(speakers.iter().count(), SPEAKERS);
    }
}
