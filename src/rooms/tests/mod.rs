//! Tests of the rooms by value: a change goes in, and what is announced comes out.

use super::*;
use crate::protocol::Hex;

mod away;
mod direct_messages;
mod invariants;

const NOW: Duration = Duration::from_secs(100);

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

fn to(name: &str) -> To {
    To { nick: nick(name), peer: None }
}

fn address(number: u8) -> IpAddr {
    [10, 0, 0, number].into()
}

fn arrival(author: u8, name: Option<&str>, room: &str) -> Arrival {
    Arrival {
        author: Hex([author; 16]),
        address: address(0),
        nick: name.map(nick),
        if_taken: IfTaken::Next,
        room: RoomName::new(room).unwrap(),
        can_return: true,
        returning: false,
    }
}

/// Adds a member to the lobby and returns its id.
fn member(rooms: &mut Rooms, author: u8, name: &str) -> MemberId {
    rooms.arrive(arrival(author, Some(name), "lobby"), NOW).unwrap().member
}

/// Adds a member to a room and returns its id.
fn seat_in(rooms: &mut Rooms, author: u8, room: &str) -> MemberId {
    rooms.arrive(arrival(author, Some("somebody"), room), NOW).unwrap().member
}

/// Returns the lines that the room is told once the announcement is due.
fn told(rooms: &mut Rooms, now: Duration) -> Vec<String> {
    let notices = rooms.due(now + Limits::PRESENCE);
    notices.iter().filter_map(|notice| crate::protocol::text::presence(&notice.presence)).collect()
}

fn names(rooms: &Rooms) -> Vec<String> {
    names_in(rooms, "lobby")
}

fn names_in(rooms: &Rooms, room: &str) -> Vec<String> {
    rooms.view(&RoomName::new(room).unwrap()).names.iter().map(ToString::to_string).collect()
}

#[test]
fn who_comes_and_goes_is_told_once_it_is_due() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    member(&mut rooms, 2, "bob");
    assert_eq!(rooms.next_due(), Some(NOW + Limits::PRESENCE));
    assert!(rooms.due(NOW).is_empty());
    assert_eq!(told(&mut rooms, NOW), ["* bob joined"], "nobody was there to be told of ada");
    rooms.leave(ada, NOW);
    assert_eq!(told(&mut rooms, NOW), ["* ada left"]);
    assert_eq!((rooms.next_due(), names(&rooms)), (None, vec!["bob".to_owned()]));
}

#[test]
fn a_storm_is_one_event_that_counts() {
    let mut rooms = Rooms::default();
    for number in 0..200 {
        member(&mut rooms, number, &format!("p{number}"));
    }
    let notices = rooms.due(NOW + Limits::PRESENCE);
    let [Notice { presence, about: None }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((presence.joined.len(), presence.more_joined, presence.people), (Limits::PRESENCE_NAMES, 179, 200));
}

#[test]
fn what_cancels_out_is_not_told() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    let eve = member(&mut rooms, 3, "eve");
    rooms.leave(eve, NOW);
    rooms.leave(bob, NOW);
    member(&mut rooms, 2, "bob");
    assert_eq!(told(&mut rooms, NOW), Vec::<String>::new());
}

#[test]
fn a_namesake_is_another_person() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    rooms.leave(bob, NOW);
    let other = member(&mut rooms, 3, "bob");
    assert_eq!(told(&mut rooms, NOW), ["* bob left\n* bob joined"]);
    rooms.rename(other, &nick("eve"), NOW).unwrap();
    rooms.leave(other, NOW);
    member(&mut rooms, 4, "bob");
    assert_eq!(told(&mut rooms, NOW), ["* bob left\n* bob joined"], "the room never knew eve");
}

#[test]
fn who_is_back_at_once_under_another_nick_has_changed_it() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    rooms.leave(bob, NOW);
    member(&mut rooms, 2, "eve");
    assert_eq!(told(&mut rooms, NOW), ["* bob is eve now"]);
}

#[test]
fn who_is_back_after_a_restart_and_goes_is_known_to_people() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let start = Duration::from_secs(1);
    let back = Arrival { returning: true, ..arrival(2, Some("bob"), "lobby") };
    let bob = rooms.arrive(back.clone(), start).unwrap().member;
    rooms.leave(bob, start);
    let bob = rooms.arrive(back, start).unwrap().member;
    let notice = rooms.flush(&RoomName::lobby()).unwrap();
    assert_eq!((notice.presence.returned, notice.presence.joined), (vec![nick("bob")], vec![]));
    rooms.leave(bob, start);
    assert_eq!(told(&mut rooms, start), ["* bob left"]);
}

#[test]
fn a_digest_about_one_person_says_so() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    assert_eq!(rooms.due(NOW + Limits::PRESENCE)[0].about, Some(bob));
}

#[test]
fn what_happened_before_a_message_can_be_told_before_it() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    member(&mut rooms, 2, "bob");
    assert!(rooms.flush(&RoomName::lobby()).is_some());
    assert_eq!(rooms.flush(&RoomName::lobby()), None);
    assert!(rooms.due(NOW + Limits::PRESENCE).is_empty());
}

#[test]
fn a_taken_nick_is_numbered_or_refused() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    assert_eq!(rooms.arrive(arrival(2, Some("ADA"), "other"), NOW).unwrap().nick, nick("ADA-2"));
    let refused = rooms.arrive(Arrival { if_taken: IfTaken::Refuse, ..arrival(3, Some("аda"), "lobby") }, NOW);
    let failure = refused.unwrap_err();
    assert_eq!((failure.code, failure.free), (ErrorCode::NickTaken, Some(nick("аda-3"))));
}

#[test]
fn many_of_one_name_all_get_another() {
    let mut rooms = Rooms::default();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..u8::MAX {
        seen.insert(rooms.arrive(arrival(number, Some("ada"), "lobby"), NOW).unwrap().nick);
    }
    assert_eq!(seen.len(), usize::from(u8::MAX));
}

#[test]
fn who_brings_no_nick_is_a_guest() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "guest-1");
    assert_eq!(rooms.arrive(arrival(2, None, "lobby"), NOW).unwrap().nick, nick("guest-2"));
}

#[test]
fn a_lost_connection_is_silent_for_its_grace() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    member(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    rooms.lose(ada, NOW);
    assert_eq!(rooms.next_due(), Some(NOW + Limits::GRACE));
    assert!(rooms.due(NOW + Limits::PRESENCE).is_empty());
    assert_eq!(names(&rooms), ["ada", "bob"]);
    assert_eq!(told(&mut rooms, NOW + Limits::GRACE), Vec::<String>::new(), "the leave has its own digest");
    assert_eq!(told(&mut rooms, NOW + Limits::GRACE + Limits::PRESENCE), ["* ada left"]);
    assert_eq!(names(&rooms), ["bob"]);
}

#[test]
fn who_comes_back_has_the_same_nick_and_nobody_is_told() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.lose(ada, NOW);
    let back = rooms.arrive(arrival(1, Some("whoever"), "lobby"), NOW).unwrap();
    assert_eq!((back.nick.clone(), back.evicted), (nick("ada"), Some(ada)));
    assert!(rooms.due(NOW + 2 * Limits::GRACE).is_empty());
    rooms.leave(ada, NOW);
    assert_eq!(names(&rooms), ["ada"], "a late word of the ghost changes nothing");
    rooms.leave(back.member, NOW);
    assert_eq!(member(&mut rooms, 5, "ada"), MemberId(3), "the nick is free again");
}

#[test]
fn ghosts_are_bounded() {
    let mut rooms = Rooms::default();
    for number in 0..=Limits::GHOSTS as u128 {
        let author = Hex(number.to_be_bytes());
        let ghost = rooms.arrive(Arrival { author, ..arrival(0, None, "lobby") }, NOW).unwrap().member;
        rooms.lose(ghost, NOW);
    }
    assert_eq!(rooms.view(&RoomName::lobby()).people, Limits::GHOSTS);
}

#[test]
fn an_address_that_loses_many_connections_gives_up_its_own_places() {
    for (ghosts, kept) in [(Ghosts::new(3, 1000), 6 * 3), (Ghosts::new(0, 10), 10 - 1)] {
        let mut rooms = Rooms { ghosts, ..Rooms::default() };
        rooms.restore(0, [Kept { author: Hex([1; 16]), room: RoomName::lobby(), nick: nick("eve"), person: None }]);
        let ada = member(&mut rooms, 2, "ada");
        rooms.lose(ada, NOW);
        for number in 3..200 {
            let stranger = Arrival { address: address(1 + number % 6), ..arrival(number, Some("bob"), "lobby") };
            let stranger = rooms.arrive(stranger, NOW).unwrap().member;
            rooms.lose(stranger, NOW + Duration::from_secs(1));
        }
        let names = names(&rooms);
        assert!(names.contains(&"ada".to_owned()), "she is the only one from her address: {names:?}");
        assert!(names.contains(&"eve".to_owned()), "and the server itself has lost eve: {names:?}");
        assert_eq!(names.len(), 2 + kept, "{names:?}");
    }
}

#[test]
fn who_comes_back_counts_as_no_ghost() {
    let mut rooms = Rooms::default();
    let mut restless = member(&mut rooms, 1, "restless");
    let ada = member(&mut rooms, 2, "ada");
    rooms.lose(ada, NOW);
    for _ in 0..=Limits::GHOSTS {
        rooms.lose(restless, NOW);
        restless = member(&mut rooms, 1, "restless");
    }
    assert_eq!(names(&rooms), ["ada", "restless"], "nobody else's grace ends for that");
    rooms.ghosts.check([((NOW, ada), Some(address(0)))]);
    rooms.lose(ada, NOW + Limits::GRACE / 2);
    rooms.due(NOW + Limits::GRACE);
    assert_eq!(names(&rooms), ["restless"], "who is lost cannot be lost again");
}

#[test]
fn a_room_waits_once_for_its_digest() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    for _ in 0..100 {
        let bob = member(&mut rooms, 2, "bob");
        rooms.flush(&RoomName::lobby());
        rooms.leave(bob, NOW);
        let eve = seat_in(&mut rooms, 3, "tea");
        seat_in(&mut rooms, 4, "tea");
        rooms.leave(eve, NOW);
        rooms.go(MemberId(rooms.seats_given), &RoomName::new("art").unwrap(), NOW);
        rooms.leave(MemberId(rooms.seats_given), NOW);
    }
    assert_eq!(rooms.digests.len(), 1, "{:?}", rooms.digests);
}

#[test]
fn a_lost_connection_keeps_its_own_room_alone() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 2, "bob");
    let ada = member(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.lose(ada, NOW);
    let other = rooms.arrive(arrival(1, None, "other"), NOW).unwrap();
    assert_eq!((other.nick, other.evicted), (nick("ada"), None));
    assert!(told(&mut rooms, NOW).is_empty());
    rooms.due(NOW + Limits::GRACE);
    assert_eq!(told(&mut rooms, NOW + Limits::GRACE), ["* ada left"]);
    assert_eq!((names(&rooms), names_in(&rooms, "other")), (vec!["bob".to_owned()], vec!["ada".to_owned()]));
}

#[test]
fn a_person_has_one_nick_and_a_seat_in_each_room() {
    let mut rooms = Rooms::default();
    let lobby = member(&mut rooms, 1, "ada");
    let tea = seat_in(&mut rooms, 1, "tea");
    assert_eq!((names(&rooms), names_in(&rooms, "tea")), (vec!["ada".to_owned()], vec!["ada".to_owned()]));
    let newer = rooms.arrive(arrival(1, None, "tea"), NOW).unwrap();
    assert_eq!(newer.evicted, Some(tea), "in one room there is one");
    assert_eq!(rooms.whereabouts(lobby).map(|(nick, ..)| nick.clone()), Some(nick("ada")));
    rooms.leave(lobby, NOW);
    assert!(!rooms.is_open(&RoomName::lobby()));
    let other = rooms.arrive(arrival(2, Some("ada"), "lobby"), NOW).unwrap();
    assert_eq!(other.nick, nick("ada-2"), "the nick is not free while one seat is left");
    rooms.leave(newer.member, NOW);
    assert_eq!(rooms.arrive(arrival(3, Some("ada"), "lobby"), NOW).unwrap().nick, nick("ada"));
}

#[test]
fn a_person_in_two_rooms_is_counted_once_in_each() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    for _ in 0..3 {
        seat_in(&mut rooms, 1, "tea");
    }
    let (entries, total) = rooms.list();
    let sizes: Vec<_> = entries.iter().map(|entry| (entry.room.as_str(), entry.people)).collect();
    assert_eq!((sizes, total), (vec![("lobby", 1), ("tea", 1)], 2));
}

#[test]
fn a_rename_is_told_in_every_room_and_to_every_connection() {
    let mut rooms = Rooms::default();
    let lobby = member(&mut rooms, 1, "ada");
    let tea = seat_in(&mut rooms, 1, "tea");
    member(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    assert_eq!(rooms.rename(tea, &nick("eve"), NOW), Ok(vec![lobby, tea]));
    assert_eq!(rooms.rename(tea, &nick("eve"), NOW), Ok(vec![tea]), "nothing is new to the others");
    assert_eq!((names(&rooms), names_in(&rooms, "tea")), (vec!["bob".into(), "eve".into()], vec!["eve".to_owned()]));
    let about: Vec<_> = rooms.due(NOW + Limits::PRESENCE).into_iter().map(|notice| notice.about).collect();
    assert_eq!(about, [Some(lobby), Some(tea)], "nobody is told by their room what their mailbox tells");
    let failure = rooms.rename(lobby, &nick("bob"), NOW).unwrap_err();
    assert_eq!(failure.code, ErrorCode::NickTaken);
    assert_eq!(rooms.arrive(arrival(3, Some("ada"), "lobby"), NOW).unwrap().nick, nick("ada"), "the old nick is free");
}

#[test]
fn who_goes_where_they_have_another_connection_takes_its_place() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 2, "bob");
    let lobby = member(&mut rooms, 1, "ada");
    let tea = seat_in(&mut rooms, 1, "tea");
    told(&mut rooms, NOW);
    assert_eq!(rooms.go(tea, &RoomName::lobby(), NOW), Some(lobby));
    assert_eq!(told(&mut rooms, NOW), Vec::<String>::new(), "the lobby saw nobody come or go");
    assert_eq!((names(&rooms), rooms.count()), (vec!["ada".to_owned(), "bob".to_owned()], 1));
    assert_eq!(rooms.whereabouts(lobby), None);
    rooms.leave(lobby, NOW);
    rooms.leave(tea, NOW);
    assert_eq!(told(&mut rooms, NOW), ["* ada left"]);
    assert_eq!(rooms.arrive(arrival(3, Some("ada"), "lobby"), NOW).unwrap().nick, nick("ada"));
}

#[test]
fn who_is_replaced_before_they_were_announced_is_announced_once() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 2, "bob");
    member(&mut rooms, 1, "ada");
    let newer = member(&mut rooms, 1, "ada");
    let [Notice { presence, about }] = &rooms.due(NOW + Limits::PRESENCE)[..] else { panic!("one digest") };
    assert_eq!(
        (presence.joined.clone(), *about),
        (vec![nick("ada")], Some(newer)),
        "and need not be told of themselves"
    );
    member(&mut rooms, 3, "eve");
    let eve = member(&mut rooms, 3, "eve");
    rooms.leave(eve, NOW);
    assert!(rooms.due(NOW + Limits::PRESENCE).is_empty(), "who came and went was never there");
}

#[test]
fn a_person_is_in_so_many_rooms_and_no_more() {
    let mut rooms = Rooms::default();
    let memberships: Vec<_> = (0..Limits::SEATS).map(|number| seat_in(&mut rooms, 1, &format!("r{number}"))).collect();
    let refused = rooms.arrive(arrival(1, None, "more"), NOW).unwrap_err();
    assert_eq!((refused.code, rooms.count()), (ErrorCode::TooManyRooms, Limits::SEATS));
    assert_eq!(rooms.arrive(arrival(1, None, "r5"), NOW).unwrap().evicted, Some(memberships[5]), "it is one of them");
    assert_eq!(rooms.go(memberships[7], &RoomName::new("other").unwrap(), NOW), None);
    rooms.lose(memberships[9], NOW);
    rooms.lose(memberships[8], NOW);
    seat_in(&mut rooms, 1, "more");
    let is_open = |room| rooms.is_open(&RoomName::new(room).unwrap());
    assert!(!is_open("r8") && is_open("r9"), "a lost connection gives way");
}

#[test]
fn a_rename_frees_the_old_nick_and_is_told() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.rename(ada, &nick("eve"), NOW).unwrap();
    rooms.rename(ada, &nick("Eve"), NOW).unwrap();
    assert_eq!(told(&mut rooms, NOW), ["* ada is Eve now"]);
    let other = member(&mut rooms, 2, "ada");
    assert_eq!(rooms.rename(other, &nick("EVE"), NOW).unwrap_err().code, ErrorCode::NickTaken);
    rooms.rename(ada, &nick("bob"), NOW).unwrap();
    rooms.rename(other, &nick("eve"), NOW).unwrap();
}

#[test]
fn rooms_close_behind_the_last_and_are_listed_by_size() {
    let mut rooms = Rooms::default();
    for (author, room) in [(1, "rust"), (2, "rust"), (3, "tea"), (4, "art")] {
        rooms.arrive(arrival(author, None, room), NOW).unwrap();
    }
    let last = rooms.arrive(arrival(5, None, "gone"), NOW).unwrap();
    rooms.leave(last.member, NOW);
    let (entries, total) = rooms.list();
    let sizes: Vec<_> = entries.iter().map(|entry| (entry.room.as_str(), entry.people)).collect();
    assert_eq!((sizes, total), (vec![("rust", 2), ("art", 1), ("tea", 1)], 3));
    assert!(!rooms.is_open(&RoomName::new("gone").unwrap()));
}

#[test]
fn after_a_restart_who_was_here_has_never_been_away() {
    let mut rooms = Rooms::default();
    let start = Duration::from_secs(1);
    member(&mut rooms, 1, "ada");
    let back = |author, name| Arrival { returning: true, ..arrival(author, Some(name), "lobby") };
    rooms.arrive(back(2, "bob"), start).unwrap();
    let [Notice { presence, .. }] = &rooms.due(start + Limits::PRESENCE)[..] else { panic!("programs are told") };
    assert_eq!((presence.returned.clone(), presence.joined.is_empty()), (vec![nick("bob")], true));
    assert_eq!(crate::protocol::text::presence(presence), None, "people are not");
    let late = start + Limits::GRACE;
    rooms.arrive(back(3, "eve"), late).unwrap();
    assert_eq!(told(&mut rooms, late), ["* eve joined"]);
}

#[test]
fn after_a_restart_places_and_nicks_are_held_for_the_grace() {
    let mut before = Rooms::default();
    let text = Arrival { can_return: false, ..arrival(9, Some("text"), "lobby") };
    before.arrive(text, NOW).unwrap();
    let ada = member(&mut before, 1, "ada");
    seat_in(&mut before, 1, "tea");
    let bob = member(&mut before, 2, "bob");
    let eve = member(&mut before, 3, "eve");
    let ada_is = before.person(ada);
    before.rename(ada, &nick("lovelace"), NOW).unwrap();
    before.lose(bob, NOW);
    before.leave(eve, NOW);
    let changed = before.changed_memberships();
    let kept: Vec<_> = changed
        .into_iter()
        .filter_map(|((author, room), who)| {
            let (nick, person) = who?;
            Some(Kept { author, room, nick, person: Some(person) })
        })
        .collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(before.changed_memberships().is_empty());

    let mut rooms = Rooms::default();
    let twice = Kept { author: Hex([4; 16]), room: RoomName::lobby(), nick: nick("Bob"), person: None };
    rooms.restore(100, kept.into_iter().chain([twice.clone()]));
    assert_eq!(names(&rooms), ["bob", "lovelace"]);
    assert_eq!(rooms.changed_memberships().into_iter().collect::<Vec<_>>(), [((twice.author, twice.room), None)]);
    let start = Duration::from_secs(1);
    let stranger = Arrival { if_taken: IfTaken::Refuse, ..arrival(5, Some("bob"), "lobby") };
    assert_eq!(rooms.arrive(stranger, start).unwrap_err().code, ErrorCode::NickTaken);
    let back = rooms.arrive(arrival(1, Some("ada"), "lobby"), start).unwrap();
    assert_eq!((back.nick, back.evicted.is_some()), (nick("lovelace"), true));
    assert_eq!(rooms.person(back.member), ada_is, "who was written to before can be answered");
    let new = Arrival { can_return: false, ..arrival(6, Some("zoe"), "elsewhere") };
    let new = rooms.arrive(new, start).unwrap();
    assert_eq!(rooms.person(new.member), Some(PersonId(101)));
    assert_eq!(told(&mut rooms, start), Vec::<String>::new(), "nobody came");
    rooms.due(Limits::GRACE);
    assert_eq!(told(&mut rooms, Limits::GRACE), ["* bob left"]);
    assert_eq!((names(&rooms), names_in(&rooms, "tea").len()), (vec!["lovelace".to_owned()], 0));
    rooms.leave(back.member, NOW);
    assert_eq!(rooms.changed_memberships().into_values().flatten().count(), 0, "all are forgotten");
}

#[test]
fn after_a_restart_nobody_has_the_number_of_another_whatever_was_kept() {
    let mut rooms = Rooms::default();
    let kept = |author, name, person: Option<u64>| Kept {
        author: Hex([author; 16]),
        room: RoomName::lobby(),
        nick: nick(name),
        person: person.map(PersonId),
    };
    let all =
        [(1, "ada", Some(7)), (2, "bob", Some(7)), (3, "eve", None), (4, "kim", Some(500)), (5, "zoe", Some(101))];
    rooms.restore(100, all.map(|(author, name, person)| kept(author, name, person)));
    let mut numbers: Vec<_> = rooms.numbers.keys().map(|PersonId(number)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [7, 101, 102, 500, 501]);
    let new = member(&mut rooms, 6, "new");
    assert_eq!(rooms.person(new), Some(PersonId(502)));
    assert!(rooms.people.iter().all(|(author, person)| rooms.numbers[&person.id] == *author));
}
