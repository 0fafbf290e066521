//! Tests of away people, and of what a member may know of a person.

use super::*;
use crate::protocol::AwayText;

fn text(words: &str) -> AwayText {
    AwayText::new(words).unwrap()
}

fn away(rooms: &Rooms) -> Vec<Nick> {
    rooms.names(&RoomName::lobby()).away
}

#[test]
fn who_is_away_is_so_in_all_rooms_and_through_a_lost_connection_until_they_are_back_or_gone() {
    let mut rooms = Rooms::default();
    let bob = member(&mut rooms, 2, "bob");
    let tea = seat_in(&mut rooms, 1, "tea");
    let lobby = seat_in(&mut rooms, 1, "lobby");
    assert_eq!(rooms.set_away(tea, Some(text("lunch")), NOW), Some(text("lunch")));
    assert_eq!(away(&rooms), [nick("somebody")]);
    assert_eq!(rooms.view(&RoomName::lobby()).away, [], "it is told only where it is asked for");
    rooms.lose(tea, NOW);
    rooms.lose(lobby, NOW);
    let lobby = seat_in(&mut rooms, 1, "lobby");
    assert_eq!(rooms.known(bob, &nick("somebody")).unwrap().away, Some(text("lunch")));
    assert_eq!(rooms.set_away(lobby, Some(text("tea")), NOW), Some(text("tea")), "another text is no return");
    assert_eq!(rooms.set_away(lobby, None, NOW), None);
    assert_eq!((away(&rooms), rooms.known(bob, &nick("somebody")).unwrap().away), (vec![], None));
    assert_eq!(rooms.set_away(lobby, None, NOW), Some(AwayText::plain()));
    rooms.leave(lobby, NOW);
    rooms.due(NOW + Limits::GRACE);
    seat_in(&mut rooms, 1, "lobby");
    assert_eq!(away(&rooms), [], "who has gone comes anew");
}

#[test]
fn of_a_persons_rooms_only_those_are_known_that_one_is_in() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    rooms.arrive(arrival(1, None, "tea"), NOW).unwrap();
    let bob = rooms.arrive(arrival(2, Some("Bob"), "tea"), NOW).unwrap().member;
    for room in ["secret", "lobby"] {
        rooms.arrive(arrival(2, None, room), NOW).unwrap();
    }
    let known = |rooms: &Rooms, member, name: &str| rooms.known(member, &nick(name));
    let of_bob = known(&rooms, ada, "bob").unwrap();
    let both = ["lobby", "tea"].map(|room| RoomName::new(room).unwrap());
    assert_eq!((of_bob.nick, of_bob.rooms), (nick("Bob"), both.to_vec()));
    let eve = seat_in(&mut rooms, 3, "elsewhere");
    assert_eq!(known(&rooms, eve, "bob").unwrap().rooms, []);
    assert_eq!(known(&rooms, eve, "nobody").unwrap_err().code, ErrorCode::NoSuchNick);
    let later = NOW + Duration::from_mins(1);
    rooms.is_active(bob, later);
    let of_bob = known(&rooms, ada, "bob").unwrap();
    assert_eq!((of_bob.since, of_bob.active), (NOW, later));
}

#[test]
fn who_writes_to_somebody_away_is_told_once_for_each_time() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    let to = rooms.person(bob).unwrap();
    assert_eq!(rooms.tell_away(ada, to), None);
    rooms.set_away(bob, Some(text("lunch")), NOW);
    assert_eq!(rooms.tell_away(ada, to), Some(text("lunch")));
    assert_eq!(rooms.tell_away(ada, to), None);
    rooms.set_away(bob, None, NOW);
    assert_eq!(rooms.tell_away(ada, to), None);
    rooms.set_away(bob, Some(text("lunch")), NOW + Duration::from_secs(1));
    assert_eq!(rooms.tell_away(ada, to), Some(text("lunch")));
}
