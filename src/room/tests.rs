//! The rooms by value: what happened goes in, what is told comes out.

use super::*;
use crate::wire::Hex;

const NOW: Duration = Duration::from_secs(100);

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

fn arrival(author: u8, name: Option<&str>, room: &str) -> Arrival {
    Arrival {
        author: Hex([author; 16]),
        nick: name.map(nick),
        if_taken: IfTaken::Next,
        room: RoomName::new(room).unwrap(),
        returning: false,
    }
}

/// Seats somebody and returns their seat.
fn seat(rooms: &mut Rooms, author: u8, name: &str) -> SeatId {
    rooms.arrive(arrival(author, Some(name), "lobby"), NOW).unwrap().seat
}

/// Returns the lines that the room is told once the digest is due.
fn told(rooms: &mut Rooms, now: Duration) -> Vec<String> {
    let notices = rooms.due(now + Limits::PRESENCE);
    notices.iter().filter_map(|notice| crate::wire::text::presence(&notice.presence)).collect()
}

fn names(rooms: &Rooms) -> Vec<String> {
    rooms.view(&RoomName::lobby()).names.iter().map(ToString::to_string).collect()
}

#[test]
fn who_comes_and_goes_is_told_once_it_is_due() {
    let mut rooms = Rooms::default();
    let ada = seat(&mut rooms, 1, "ada");
    seat(&mut rooms, 2, "bob");
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
        seat(&mut rooms, number, &format!("p{number}"));
    }
    let notices = rooms.due(NOW + Limits::PRESENCE);
    let [Notice { presence, about: None }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((presence.joined.len(), presence.more_joined, presence.people), (Limits::PRESENCE_NAMES, 179, 200));
}

#[test]
fn what_cancels_out_is_not_told() {
    let mut rooms = Rooms::default();
    seat(&mut rooms, 1, "ada");
    let bob = seat(&mut rooms, 2, "bob");
    told(&mut rooms, NOW);
    let eve = seat(&mut rooms, 3, "eve");
    rooms.leave(eve, NOW);
    rooms.leave(bob, NOW);
    seat(&mut rooms, 4, "bob");
    assert_eq!(told(&mut rooms, NOW), Vec::<String>::new());
}

#[test]
fn a_digest_about_one_person_says_so() {
    let mut rooms = Rooms::default();
    seat(&mut rooms, 1, "ada");
    let bob = seat(&mut rooms, 2, "bob");
    assert_eq!(rooms.due(NOW + Limits::PRESENCE)[0].about, Some(bob));
}

#[test]
fn what_happened_before_a_message_can_be_told_before_it() {
    let mut rooms = Rooms::default();
    seat(&mut rooms, 1, "ada");
    seat(&mut rooms, 2, "bob");
    assert!(rooms.flush(&RoomName::lobby()).is_some());
    assert_eq!(rooms.flush(&RoomName::lobby()), None);
    assert!(rooms.due(NOW + Limits::PRESENCE).is_empty());
}

#[test]
fn a_taken_nick_is_numbered_or_refused() {
    let mut rooms = Rooms::default();
    seat(&mut rooms, 1, "ada");
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
    seat(&mut rooms, 1, "guest-1");
    assert_eq!(rooms.arrive(arrival(2, None, "lobby"), NOW).unwrap().nick, nick("guest-2"));
}

#[test]
fn a_lost_connection_is_silent_for_its_grace() {
    let mut rooms = Rooms::default();
    let ada = seat(&mut rooms, 1, "ada");
    seat(&mut rooms, 2, "bob");
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
    let ada = seat(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.lose(ada, NOW);
    let back = rooms.arrive(arrival(1, Some("whoever"), "lobby"), NOW).unwrap();
    assert_eq!((back.nick.clone(), back.evicted), (nick("ada"), Some(ada)));
    assert!(rooms.due(NOW + 2 * Limits::GRACE).is_empty());
    rooms.leave(ada, NOW);
    assert_eq!(names(&rooms), ["ada"], "a late word of the ghost changes nothing");
    rooms.leave(back.seat, NOW);
    assert_eq!(seat(&mut rooms, 5, "ada"), SeatId(3), "the nick is free again");
}

#[test]
fn ghosts_are_bounded() {
    let mut rooms = Rooms::default();
    for number in 0..=Limits::GHOSTS as u128 {
        let author = Hex(number.to_be_bytes());
        let ghost = rooms.arrive(Arrival { author, ..arrival(0, None, "lobby") }, NOW).unwrap().seat;
        rooms.lose(ghost, NOW);
    }
    assert_eq!(rooms.view(&RoomName::lobby()).people, Limits::GHOSTS);
}

#[test]
fn who_comes_back_to_another_room_has_moved() {
    let mut rooms = Rooms::default();
    seat(&mut rooms, 2, "bob");
    let ada = seat(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.lose(ada, NOW);
    rooms.arrive(arrival(1, None, "other"), NOW).unwrap();
    assert_eq!(told(&mut rooms, NOW), ["* ada left"]);
}

#[test]
fn a_rename_frees_the_old_nick_and_is_told() {
    let mut rooms = Rooms::default();
    let ada = seat(&mut rooms, 1, "ada");
    told(&mut rooms, NOW);
    rooms.rename(ada, &nick("eve"), NOW).unwrap();
    rooms.rename(ada, &nick("Eve"), NOW).unwrap();
    assert_eq!(told(&mut rooms, NOW), ["* ada is Eve now"]);
    let other = seat(&mut rooms, 2, "ada");
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
    rooms.leave(last.seat, NOW);
    let (entries, total) = rooms.list();
    let sizes: Vec<_> = entries.iter().map(|entry| (entry.room.as_str(), entry.people)).collect();
    assert_eq!((sizes, total), (vec![("rust", 2), ("art", 1), ("tea", 1)], 3));
    assert!(!rooms.is_open(&RoomName::new("gone").unwrap()));
}

#[test]
fn a_private_message_goes_to_whoever_is_there_whatever_the_room() {
    let mut rooms = Rooms::default();
    let bob = rooms.arrive(arrival(2, Some("Bob"), "other"), NOW).unwrap().seat;
    assert_eq!(rooms.addressee(&nick("bob")), Ok((bob, nick("Bob"))));
    assert_eq!(rooms.addressee(&nick("eve")).unwrap_err().message, "nobody called eve is here");
    rooms.lose(bob, NOW);
    assert_eq!(rooms.addressee(&nick("bob")).unwrap_err().code, ErrorCode::Unreachable);
}

#[test]
fn the_keys_of_private_messages_are_remembered_but_not_for_ever() {
    let mut rooms = Rooms::default();
    let ada = seat(&mut rooms, 1, "ada");
    rooms.note_private(ada, key("k"));
    assert!(!rooms.is_new_private(ada, &key("k")));
    for number in 0..Limits::PRIVATE_KEYS {
        rooms.note_private(ada, key(&number.to_string()));
    }
    assert!(rooms.is_new_private(ada, &key("k")));
}

#[test]
fn after_a_restart_who_was_here_has_never_been_away() {
    let mut rooms = Rooms::default();
    let start = Duration::from_secs(1);
    seat(&mut rooms, 1, "ada");
    let back = |author, name| Arrival { returning: true, ..arrival(author, Some(name), "lobby") };
    rooms.arrive(back(2, "bob"), start).unwrap();
    let [Notice { presence, .. }] = &rooms.due(start + Limits::PRESENCE)[..] else { panic!("programs are told") };
    assert_eq!((presence.returned.clone(), presence.joined.is_empty()), (vec![nick("bob")], true));
    assert_eq!(crate::wire::text::presence(presence), None, "people are not");
    let late = start + Limits::GRACE;
    rooms.arrive(back(3, "eve"), late).unwrap();
    assert_eq!(told(&mut rooms, late), ["* eve joined"]);
}
