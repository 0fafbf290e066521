//! The persons whose messages are hidden. Pure.
//!
//! The server has no accounts, so a person is known by nick: by every nick that looks alike (UTS
//! 39), by the numbers that a server appends to a taken nick, and by the nicks that the person
//! changes to. Another person can take a nick as soon as it is free. So a changed nick counts only
//! while the person is seen to have it.

use std::time::Duration;

use jiff::Timestamp as Moment;

use crate::protocol::{Limits, Nick, Presence, RoomName};

/// The maximum number of suffixes that are removed from a nick. Nobody gets `eve-2-2-2-2` by
/// chance.
const NUMBERS: usize = 4;

/// How long before the report of a nick change the person may have sent messages under the new
/// nick. A server collects presence changes ([`Limits::PRESENCE`]) before it reports them, and the
/// report needs time to arrive.
const UNTOLD: Duration = Duration::from_secs(1);

/// The maximum number of changed nicks that are followed. Beyond it, the oldest is forgotten.
const FOLLOWED: usize = 200;

/// The ignored persons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// The nicks that the user chose.
    nicks: Vec<Nick>,
    /// The look-alike keys of `nicks`, at the same indices.
    keys: Vec<[String; 2]>,
    followed: Vec<Followed>,
    /// Those of `nicks` whose first nick change was already reported to the user.
    told: Vec<Nick>,
}

/// The current nick of an ignored person who changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Followed {
    /// The room where the change was seen. Only presence in this room ends it.
    room: RoomName,
    nick: Nick,
    /// The chosen nick through which the person is ignored.
    of: Nick,
    /// The earliest time at which the person may have had the nick.
    since: Moment,
}

/// The result of `/ignore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toggled {
    /// The nick is now ignored.
    Ignored,
    /// The nick is no longer ignored.
    ViewEvent,
    /// The nick was already ignored because of this chosen nick, and stays ignored.
    With(Nick),
}

impl Ignored {
    /// Returns a list of persons with these nicks.
    #[must_use]
    pub fn new(nicks: Vec<Nick>) -> Self {
        let keys = nicks.iter().map(Nick::look_alikes).collect();
        Self { nicks, keys, ..Self::default() }
    }

    /// Returns the nicks that the user chose, in the order in which they were ignored.
    #[must_use]
    pub fn nicks(&self) -> &[Nick] {
        &self.nicks
    }

    /// Returns the followed nicks, each with its chosen nick.
    pub fn followed(&self) -> impl Iterator<Item = (&Nick, &Nick)> {
        let is_first = |at: usize| !self.followed[..at].iter().any(|other| other.nick == self.followed[at].nick);
        self.followed.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, one)| (&one.nick, &one.of))
    }

    /// Returns whether `nick` belongs to an ignored person.
    #[must_use]
    pub fn has(&self, nick: &Nick) -> bool {
        self.as_whom(nick).is_some()
    }

    /// Returns whether `nick` is a form of a nick that the user chose.
    #[must_use]
    pub fn chose(&self, nick: &Nick) -> bool {
        self.chosen(nick).is_some()
    }

    /// Returns the chosen nick because of which `nick` is ignored.
    #[must_use]
    pub fn as_whom(&self, nick: &Nick) -> Option<&Nick> {
        self.chosen(nick).or_else(|| Some(&self.followed.iter().find(|one| one.nick == *nick)?.of))
    }

    /// Returns the chosen nick of the ignored person who had the changed nick `nick` at the time
    /// `at`.
    #[must_use]
    pub fn as_whom_at(&self, nick: &Nick, at: Moment) -> Option<&Nick> {
        Some(&self.followed.iter().find(|one| one.nick == *nick && one.since <= at)?.of)
    }

    /// Ignores `nick`, or shows it again if it was ignored.
    pub fn toggle(&mut self, nick: &Nick) -> Toggled {
        if self.remove(nick) {
            return Toggled::ViewEvent;
        }
        let followed = || Some(&self.followed.iter().find(|one| share(&one.nick, nick))?.of);
        if let Some(as_whom) = self.chosen(nick).or_else(followed) {
            return Toggled::With(as_whom.clone());
        }
        self.add(nick.clone());
        Toggled::Ignored
    }

    /// Updates the followed nicks from joins, departures and nick changes. Returns each ignored
    /// person whose nick change is seen for the first time: the chosen nick and the new one.
    pub fn follow(&mut self, presence: &Presence, now: Moment) -> Vec<(Nick, Nick)> {
        let since = now.checked_sub(UNTOLD).unwrap_or(now);
        let changed = presence.renamed.iter().filter_map(|rename| {
            let of = self.as_whom(&rename.from)?.clone();
            let (room, nick) = (presence.room.clone(), rename.to.clone());
            // A form of a chosen nick is ignored anyway and need not be followed.
            (!self.chose(&nick)).then_some(Followed { room, nick, of, since })
        });
        let changed: Vec<_> = changed.collect();
        // If the report omits names, it is unknown who is still here.
        let all = presence.more_left > 0 || presence.more_renamed > 0;
        let left = presence.left.iter().chain(presence.renamed.iter().map(|rename| &rename.from));
        // A person who joins with a followed nick is someone else.
        let others: Vec<_> = left.chain(&presence.joined).chain(&presence.returned).collect();
        self.followed.retain(|one| one.room != presence.room || !(all || others.contains(&&one.nick)));
        let mut news = Vec::new();
        for one in changed {
            if !self.told.contains(&one.of) {
                self.told.push(one.of.clone());
                news.push((one.of.clone(), one.nick.clone()));
            }
            self.followed.push(one);
        }
        self.followed.drain(..self.followed.len().saturating_sub(FOLLOWED));
        news
    }

    /// Stops following in `room`, because nick changes there are no longer seen.
    pub fn lose_sight(&mut self, room: &RoomName) {
        self.followed.retain(|one| one.room != *room);
    }

    /// Returns the chosen nick of which `nick` is a form.
    fn chosen(&self, nick: &Nick) -> Option<&Nick> {
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
            // The server truncates a long nick to make room for the number.
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

    /// Removes the chosen nicks that look like `nick`. Returns whether there were any.
    fn remove(&mut self, nick: &Nick) -> bool {
        let before = self.nicks.len();
        self.nicks.retain(|known| !share(known, nick));
        self.keys = self.nicks.iter().map(Nick::look_alikes).collect();
        let Self { nicks, followed, told, .. } = self;
        followed.retain(|one| nicks.contains(&one.of));
        told.retain(|one| nicks.contains(one));
        nicks.len() < before
    }
}

/// Returns whether two nicks look alike. A server treats look-alikes as the same nick.
#[must_use]
pub fn share(one: &Nick, other: &Nick) -> bool {
    one == other || {
        let other = other.look_alikes();
        one.look_alikes().iter().any(|key| other.contains(key))
    }
}

/// Splits the number from a nick that a server numbered because it was taken. Returns the base, if
/// it is a valid nick, and the number. A guest's number is part of the name and is not split off.
fn numbered(nick: &Nick) -> Option<(Option<Nick>, u64)> {
    let (base, digits) = nick.as_str().rsplit_once('-')?;
    let number =
        digits.parse().ok().filter(|number| *number >= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (*nick != Nick::guest(number)).then(|| (Nick::new(base).ok(), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Rename;

    const NOW: Moment = Moment::UNIX_EPOCH;

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn ignored(nicks: &[&str]) -> Ignored {
        Ignored::new(nicks.iter().map(|text| nick(text)).collect())
    }

    fn presence(room: &str) -> Presence {
        Presence::unmoved(RoomName::new(room).unwrap(), 3)
    }

    fn rename(from: &str, to: &str) -> Presence {
        Presence { renamed: vec![Rename { from: nick(from), to: nick(to) }], ..presence("lobby") }
    }

    /// Returns the followed nicks after eve became boss and then `seen` arrived.
    fn followed_after(seen: &Presence) -> Vec<Nick> {
        let mut all = ignored(&["eve"]);
        all.follow(&rename("eve", "boss"), NOW);
        all.follow(seen, NOW);
        all.followed().map(|(nick, _)| nick.clone()).collect()
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
        assert_eq!(all.toggle(&nick("EVE")), Toggled::ViewEvent);
        assert!(all.nicks().is_empty() && !all.has(&nick("eve")));
    }

    #[test]
    fn who_changes_their_nick_is_followed_and_told_once() {
        let mut all = ignored(&["eve"]);
        assert_eq!(all.follow(&rename("bob", "rob"), NOW), []);
        assert_eq!(all.follow(&rename("eve", "zoe"), NOW), [(nick("eve"), nick("zoe"))]);
        assert!(all.has(&nick("eve")) && all.has(&nick("zoe")) && !all.has(&nick("zoe-2")), "zoe-2 is another");
        assert_eq!(all.follow(&rename("zoe", "mia"), NOW), []);
        assert!(all.has(&nick("eve")) && all.has(&nick("mia")) && !all.has(&nick("zoe")), "zoe may be another now");
        assert_eq!(all.toggle(&nick("MIA")), Toggled::With(nick("eve")));
        assert_eq!(all.nicks(), [nick("eve")], "the user chose no other");
        all.follow(&rename("mia", "eve"), NOW);
        all.follow(&rename("eve", "eve-2"), NOW);
        assert_eq!(all, Ignored { told: vec![nick("eve")], ..ignored(&["eve"]) }, "she is known by these already");
    }

    #[test]
    fn a_nick_is_another_s_once_they_may_have_left_it() {
        assert_eq!(followed_after(&presence("lobby")), [nick("boss")]);
        let boss = || vec![nick("boss")];
        for seen in [
            Presence { left: boss(), ..presence("lobby") },
            Presence { joined: boss(), ..presence("lobby") },
            Presence { left: boss(), joined: boss(), ..presence("lobby") },
            Presence { returned: boss(), ..presence("lobby") },
            Presence { more_left: 1, ..presence("lobby") },
            Presence { more_renamed: 1, ..presence("lobby") },
        ] {
            assert_eq!(followed_after(&seen), [], "{seen:?}");
        }
        assert_eq!(followed_after(&Presence { left: boss(), ..presence("tea") }), boss(), "they have it in the lobby");
        let mut all = ignored(&["eve"]);
        all.follow(&rename("eve", "boss"), NOW);
        all.lose_sight(&RoomName::new("tea").unwrap());
        assert!(all.has(&nick("boss")));
        all.lose_sight(&RoomName::lobby());
        assert!(!all.has(&nick("boss")) && all.has(&nick("eve")));
    }

    #[test]
    fn somebody_is_followed_where_they_are_seen() {
        let mut all = ignored(&["eve"]);
        let in_tea = |from, to| Presence { room: RoomName::new("tea").unwrap(), ..rename(from, to) };
        assert_eq!(all.follow(&rename("eve", "boss"), NOW).len(), 1);
        assert_eq!(all.follow(&in_tea("eve", "boss"), NOW), [], "it was told");
        all.follow(&Presence { left: vec![nick("boss")], ..presence("lobby") }, NOW);
        assert!(all.has(&nick("boss")), "she is still in the other room");
        all.follow(&in_tea("boss", "mia"), NOW);
        assert!(!all.has(&nick("boss")) && all.has(&nick("mia")));
    }

    #[test]
    fn a_new_nick_is_theirs_from_shortly_before_it_is_told() {
        let mut all = ignored(&["eve"]);
        all.follow(&rename("eve", "boss"), NOW);
        assert_eq!(all.as_whom_at(&nick("boss"), NOW - UNTOLD), Some(&nick("eve")));
        assert_eq!(all.as_whom_at(&nick("boss"), NOW - 2 * UNTOLD), None, "that was another");
    }

    #[test]
    fn who_is_shown_again_is_shown_under_every_nick() {
        let mut all = ignored(&["eve"]);
        all.follow(&rename("eve", "boss"), NOW);
        assert_eq!(all.toggle(&nick("eve")), Toggled::ViewEvent);
        assert_eq!(all, Ignored::default());
    }

    #[test]
    fn changes_of_nick_do_not_make_it_grow() {
        let mut all = ignored(&["eve"]);
        for number in 0..1000 {
            all.follow(&rename("eve", Nick::guest(number).as_str()), NOW);
        }
        assert_eq!((all.nicks().len(), all.told.len(), all.followed.len()), (1, 1, FOLLOWED));
    }
}
