//! Property tests: after any sequence of changes the state of the rooms is consistent, and what a
//! room was told adds up to who is there.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

const ROOMS: [&str; 3] = ["lobby", "rust", "tea"];
const NICKS: [&str; 4] = ["ada", "bob", "eve", "zoe"];

/// Something that one of a few people does.
#[derive(Debug, Clone, Copy)]
enum Action {
    Arrive { author: u8, address: u8, nick: usize, room: usize },
    Go { member: usize, room: usize },
    Rename { member: usize, nick: usize },
    Speak { member: usize },
    Lose { member: usize },
    Leave { member: usize },
    Wait { millis: u64 },
}

fn deed() -> impl Strategy<Value = Action> {
    let member = 0..20_usize;
    prop_oneof![
        4 => (0..4_u8, 0..3_u8, 0..4_usize, 0..3_usize)
            .prop_map(|(author, address, nick, room)| Action::Arrive { author, address, nick, room }),
        2 => (member.clone(), 0..3_usize).prop_map(|(member, room)| Action::Go { member, room }),
        2 => (member.clone(), 0..4_usize).prop_map(|(member, nick)| Action::Rename { member, nick }),
        1 => member.clone().prop_map(|member| Action::Speak { member }),
        2 => member.clone().prop_map(|member| Action::Lose { member }),
        2 => member.prop_map(|member| Action::Leave { member }),
        2 => prop_oneof![Just(30), Just(100), Just(40_000)].prop_map(|millis| Action::Wait { millis }),
    ]
}

/// Rooms with one permanent member each, and what that member was told.
struct Scenario {
    rooms: Rooms,
    memberships: Vec<MemberId>,
    told: HashMap<RoomName, BTreeSet<Nick>>,
    now: Duration,
}

impl Scenario {
    fn new() -> Self {
        // The caps are small, so that some memberships give way.
        let mut rooms = Rooms { ghosts: Ghosts::new(2, 3), ..Rooms::default() };
        rooms.restore(0, [Kept { author: Hex([0; 16]), room: RoomName::lobby(), nick: nick(NICKS[0]), person: None }]);
        let mut told = HashMap::new();
        for (author, room) in (100..).zip(ROOMS) {
            let watcher = rooms.arrive(arrival(author, None, room), NOW).unwrap();
            told.insert(RoomName::new(room).unwrap(), BTreeSet::from([watcher.nick]));
        }
        told.entry(RoomName::lobby()).or_default().insert(nick(NICKS[0]));
        // The watchers are not announced, and memberships of an earlier run are not over yet.
        rooms.flush(&RoomName::lobby());
        Self { rooms, memberships: Vec::new(), told, now: NOW }
    }

    fn run(&mut self, deed: Action) {
        let Self { rooms, memberships, now, .. } = self;
        if let Action::Arrive { author, address, nick, room } = deed {
            let arrival =
                Arrival { address: super::address(address), ..arrival(author, Some(NICKS[nick]), ROOMS[room]) };
            memberships.extend(rooms.arrive(arrival, *now).map(|it| it.member));
        }
        // Any membership that ever existed, so also one that is lost or belongs to somebody else by
        // now.
        let at = |member: usize| memberships[member % memberships.len()];
        match deed {
            Action::Go { member, room } if !memberships.is_empty() => {
                rooms.go(at(member), &RoomName::new(ROOMS[room]).unwrap(), *now);
            }
            // Another person may have it.
            Action::Rename { member, nick } if !memberships.is_empty() => {
                rooms.rename(at(member), &super::nick(NICKS[nick]), *now).ok();
            }
            Action::Speak { member } if !memberships.is_empty() => rooms.spoke(at(member)),
            Action::Lose { member } if !memberships.is_empty() => rooms.lose(at(member), *now),
            Action::Leave { member } if !memberships.is_empty() => rooms.leave(at(member), *now),
            Action::Wait { millis } => {
                *now += Duration::from_millis(millis);
                self.hear();
            }
            _ => {}
        }
    }

    fn hear(&mut self) {
        for Notice { presence, .. } in self.rooms.due(self.now) {
            let here = self.told.get_mut(&presence.room).unwrap();
            for nick in presence.left.iter().chain(presence.renamed.iter().map(|rename| &rename.from)) {
                assert!(here.remove(nick), "{nick} was not known to be there: {presence:?}");
            }
            here.extend(presence.renamed.into_iter().map(|rename| rename.to));
            here.extend(presence.joined);
            assert_eq!(here.len(), presence.people);
        }
    }

    /// Checks that people, memberships, rooms and nicks are consistent.
    fn check(&self) {
        let Rooms { people, memberships, open, nick_registry, ghosts, digests, .. } = &self.rooms;
        for (author, person) in people {
            assert_eq!(nick_registry.find(&person.nick), Some(*author));
            let rooms: BTreeSet<_> = person.memberships.iter().map(|member| &memberships[member].room).collect();
            assert_eq!(rooms.len(), person.memberships.len(), "one seat a room");
            assert!((1..=Limits::SEATS).contains(&rooms.len()));
        }
        for (member, place) in memberships {
            let person = &people[&place.author];
            assert!(person.memberships.contains(member));
            assert_eq!(open[&place.room].members[&person.nick], *member);
        }
        assert_eq!(open.values().map(|room| room.members.len()).sum::<usize>(), memberships.len());
        assert!(open.values().all(|room| !room.members.is_empty()));
        ghosts.check(memberships.iter().filter_map(|(member, place)| Some(((place.dropped?, *member), place.address))));
        let due: BTreeSet<_> = open.iter().filter_map(|(name, room)| Some((room.due?, name.clone()))).collect();
        assert_eq!(*digests, due);
    }
}

proptest! {
    #[test]
    fn everything_fits_together_and_what_is_told_adds_up(deeds in vec(deed(), 1..60)) {
        let mut stage = Scenario::new();
        for deed in deeds {
            stage.run(deed);
            stage.check();
        }
        // The memberships of an earlier run end first, and then the room is told.
        for _ in 0..2 {
            stage.now += Limits::PRESENCE;
            stage.hear();
        }
        for (room, told) in &stage.told {
            let here: BTreeSet<_> = stage.rooms.view(room).names.into_iter().collect();
            prop_assert_eq!(told, &here);
        }
        for member in std::mem::take(&mut stage.memberships) {
            stage.rooms.leave(member, stage.now);
        }
        stage.check();
        prop_assert!(NICKS.iter().all(|name| !stage.rooms.nick_registry.is_taken(&nick(name))), "nobody is left");
    }
}
