//! Whatever happens, in whatever order: what the rooms know fits together, and what a room is told adds up to who is there.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

const ROOMS: [&str; 3] = ["lobby", "rust", "tea"];
const NICKS: [&str; 4] = ["ada", "bob", "eve", "zoe"];

/// Something that one of a few people does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Arrive { author: u8, address: u8, nick: usize, room: usize },
    Go { seat: usize, room: usize },
    Rename { seat: usize, nick: usize },
    Speak { seat: usize },
    Lose { seat: usize },
    Leave { seat: usize },
    Wait { millis: u64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    let seat = 0..20_usize;
    prop_oneof![
        4 => (0..4_u8, 0..3_u8, 0..4_usize, 0..3_usize)
            .prop_map(|(author, address, nick, room)| Deed::Arrive { author, address, nick, room }),
        2 => (seat.clone(), 0..3_usize).prop_map(|(seat, room)| Deed::Go { seat, room }),
        2 => (seat.clone(), 0..4_usize).prop_map(|(seat, nick)| Deed::Rename { seat, nick }),
        1 => seat.clone().prop_map(|seat| Deed::Speak { seat }),
        2 => seat.clone().prop_map(|seat| Deed::Lose { seat }),
        2 => seat.prop_map(|seat| Deed::Leave { seat }),
        2 => prop_oneof![Just(30), Just(100), Just(40_000)].prop_map(|millis| Deed::Wait { millis }),
    ]
}

/// Rooms with somebody in each who stays, and what they have been told.
struct Stage {
    rooms: Rooms,
    seats: Vec<MemberId>,
    told: HashMap<RoomName, BTreeSet<Nick>>,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        // So few may be lost that some give way.
        let mut rooms = Rooms { ghosts: Ghosts::new(2, 3), ..Rooms::default() };
        rooms.restore(0, [Kept { author: Hex([0; 16]), room: RoomName::lobby(), nick: nick(NICKS[0]), person: None }]);
        let mut told = HashMap::new();
        for (author, room) in (100..).zip(ROOMS) {
            let watcher = rooms.arrive(arrival(author, None, room), NOW).unwrap();
            told.insert(RoomName::new(room).unwrap(), BTreeSet::from([watcher.nick]));
        }
        told.entry(RoomName::lobby()).or_default().insert(nick(NICKS[0]));
        // Nobody is told of the watchers, and what an earlier run has left is not gone yet.
        rooms.flush(&RoomName::lobby());
        Self { rooms, seats: Vec::new(), told, now: NOW }
    }

    fn run(&mut self, deed: Deed) {
        let Self { rooms, seats, now, .. } = self;
        if let Deed::Arrive { author, address, nick, room } = deed {
            let arrival =
                Arrival { address: super::address(address), ..arrival(author, Some(NICKS[nick]), ROOMS[room]) };
            seats.extend(rooms.arrive(arrival, *now).map(|it| it.seat));
        }
        // Any seat that ever was, and so also one that is lost or another's by now.
        let at = |seat: usize| seats[seat % seats.len()];
        match deed {
            Deed::Go { seat, room } if !seats.is_empty() => {
                rooms.go(at(seat), &RoomName::new(ROOMS[room]).unwrap(), *now);
            }
            // Another may have it.
            Deed::Rename { seat, nick } if !seats.is_empty() => {
                rooms.rename(at(seat), &super::nick(NICKS[nick]), *now).ok();
            }
            Deed::Speak { seat } if !seats.is_empty() => rooms.spoke(at(seat)),
            Deed::Lose { seat } if !seats.is_empty() => rooms.lose(at(seat), *now),
            Deed::Leave { seat } if !seats.is_empty() => rooms.leave(at(seat), *now),
            Deed::Wait { millis } => {
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

    /// Checks that people, seats, rooms and nicks fit together.
    fn check(&self) {
        let Rooms { people, seats, open, roster, ghosts, digests, .. } = &self.rooms;
        for (author, person) in people {
            assert_eq!(roster.find(&person.nick), Some(*author));
            let rooms: BTreeSet<_> = person.seats.iter().map(|seat| &seats[seat].room).collect();
            assert_eq!(rooms.len(), person.seats.len(), "one seat a room");
            assert!((1..=Limits::SEATS).contains(&rooms.len()));
        }
        for (seat, place) in seats {
            let person = &people[&place.author];
            assert!(person.seats.contains(seat));
            assert_eq!(open[&place.room].members[&person.nick], *seat);
        }
        assert_eq!(open.values().map(|room| room.members.len()).sum::<usize>(), seats.len());
        assert!(open.values().all(|room| !room.members.is_empty()));
        ghosts.check(seats.iter().filter_map(|(seat, place)| Some(((place.dropped?, *seat), place.address))));
        let due: BTreeSet<_> = open.iter().filter_map(|(name, room)| Some((room.due?, name.clone()))).collect();
        assert_eq!(*digests, due);
    }
}

proptest! {
    #[test]
    fn everything_fits_together_and_what_is_told_adds_up(deeds in vec(deed(), 1..60)) {
        let mut stage = Stage::new();
        for deed in deeds {
            stage.run(deed);
            stage.check();
        }
        // What an earlier run has left goes first, and then the room is told.
        for _ in 0..2 {
            stage.now += Limits::PRESENCE;
            stage.hear();
        }
        for (room, told) in &stage.told {
            let here: BTreeSet<_> = stage.rooms.view(room).names.into_iter().collect();
            prop_assert_eq!(told, &here);
        }
        for seat in std::mem::take(&mut stage.seats) {
            stage.rooms.leave(seat, stage.now);
        }
        stage.check();
        prop_assert!(NICKS.iter().all(|name| !stage.rooms.roster.is_taken(&nick(name))), "nobody is left");
    }
}
