//! Tests of who receives a private message, and what happens if nobody receives it.

use super::*;
use crate::{
    protocol::{Body, Private, ServerMessage, Timestamp},
    rooms::{Full, Sender},
};

#[test]
fn a_private_message_goes_to_the_connection_that_spoke_or_came_last_and_is_there() {
    let mut rooms = Rooms::default();
    let lobby = member(&mut rooms, 1, "ada");
    let tea = seat_in(&mut rooms, 1, "tea");
    let addressee = |rooms: &Rooms| rooms.addressee(&to("ada")).map(|addressee| addressee.member);
    assert_eq!(addressee(&rooms), Ok(tea));
    rooms.spoke(lobby);
    assert_eq!(addressee(&rooms), Ok(lobby));
    rooms.lose(lobby, NOW);
    assert_eq!(addressee(&rooms), Ok(tea));
    rooms.note_private(tea, key("k"), 7);
    assert_eq!(rooms.earlier_private(lobby, &key("k")), Some(7), "keys are the person's");
    rooms.lose(tea, NOW);
    assert_eq!(addressee(&rooms).unwrap_err().code, ErrorCode::Unreachable);
    let back = member(&mut rooms, 1, "ada");
    assert_eq!(addressee(&rooms), Ok(back));
}

#[test]
fn a_private_message_goes_to_whoever_is_there_whatever_the_room() {
    let mut rooms = Rooms::default();
    let bob = rooms.arrive(arrival(2, Some("Bob"), "other"), NOW).unwrap().member;
    let found = rooms.addressee(&to("bob")).unwrap();
    assert_eq!((found.member, found.nick), (bob, nick("Bob")));
    assert_eq!(rooms.addressee(&to("eve")).unwrap_err().message, "nobody called eve is here");
    rooms.lose(bob, NOW);
    assert_eq!(rooms.addressee(&to("bob")).unwrap_err().code, ErrorCode::Unreachable);
}

#[test]
fn a_person_is_found_whatever_the_nick_and_a_namesake_is_another() {
    let mut rooms = Rooms::default();
    let bob = member(&mut rooms, 2, "bob");
    let to_bob = To { peer: rooms.person(bob), ..to("bob") };
    rooms.rename(bob, &nick("robert"), NOW).unwrap();
    let carol = member(&mut rooms, 3, "bob");
    assert_eq!(rooms.addressee(&to("bob")).unwrap().member, carol);
    let found = rooms.addressee(&to_bob).unwrap();
    assert_eq!((found.member, found.nick, Some(found.id)), (bob, nick("robert"), to_bob.peer));
    rooms.leave(bob, NOW);
    assert_eq!(rooms.addressee(&to_bob).unwrap_err().code, ErrorCode::NoSuchNick);
    member(&mut rooms, 2, "robert");
    assert!(rooms.addressee(&to_bob).is_err(), "a number is not given twice");
    assert_eq!((rooms.numbers.len(), rooms.people.len()), (2, 2));
}

#[test]
fn the_keys_of_private_messages_are_remembered_but_not_for_ever() {
    let mut rooms = Rooms::default();
    let ada = member(&mut rooms, 1, "ada");
    rooms.note_private(ada, key("k"), 7);
    assert_eq!(rooms.earlier_private(ada, &key("k")), Some(7));
    for number in 0..Limits::PRIVATE_KEYS {
        rooms.note_private(ada, key(&number.to_string()), 8);
    }
    assert_eq!(rooms.earlier_private(ada, &key("k")), None);
}

#[test]
fn what_is_owed_is_bounded_and_goes_where_it_is_taken() {
    let mut rooms = Rooms::default();
    member(&mut rooms, 1, "ada");
    let bob = member(&mut rooms, 2, "bob");
    let (ada_is, bob_is) = (Hex([1; 16]), Hex([2; 16]));
    let owe = |rooms: &mut Rooms, key_of: &str, text: &str| {
        let (from, to, text) = (nick("ada"), nick("bob"), Body::new(text).unwrap());
        let private = Private { peer: None, id: None, from, to, at: Timestamp(0), text, key: None };
        let sender = Sender { author: ada_is, key: Some(key(key_of)) };
        rooms.owe(bob_is, ServerMessage::Private(private), Some(sender)).is_ok()
    };
    let longest = "x".repeat(Limits::MESSAGE);
    let taken = (0..=1000).take_while(|number| owe(&mut rooms, &number.to_string(), &longest)).count();
    assert_eq!(taken, Limits::UNCONFIRMED_TEXT / Limits::MESSAGE);
    // Events that do not fit into the mailbox follow after a confirmation.
    let mut given = Vec::new();
    let mut hand_over = |rooms: &mut Rooms, room: usize| {
        let mut left = room;
        rooms.hand_over(bob_is, |member, _| {
            let fits = left > 0;
            left = left.saturating_sub(1);
            given.extend(fits.then_some(member));
            fits
        });
        given.len()
    };
    assert_eq!(hand_over(&mut rooms, 2), 2);
    assert_eq!(rooms.confirm(bob, 1), Some(bob_is));
    assert_eq!(hand_over(&mut rooms, 100), taken);
    assert_eq!(rooms.confirm(bob, taken as u64 - 1), Some(bob_is));
    assert!(rooms.undelivered().is_empty());
    // A new membership is given what the old one did not confirm, and counts from the start.
    rooms.lose(bob, NOW);
    let back = member(&mut rooms, 2, "bob");
    assert_eq!(hand_over(&mut rooms, 100), taken + 1);
    assert_eq!(rooms.confirm(bob, u64::MAX), None, "an old seat confirms nothing");
    rooms.confirm(back, 1);
    assert_eq!(hand_over(&mut rooms, 100), taken + 1);
    // The sender is told if nobody receives it.
    let many = (0..=1000).take_while(|number| owe(&mut rooms, &number.to_string(), "short")).count();
    assert_eq!(many, Limits::UNCONFIRMED);
    rooms.leave(back, NOW);
    let undelivered = rooms.undelivered();
    assert_eq!(undelivered.len(), many);
    assert_eq!((undelivered[0].0, undelivered[0].1.key.clone()), (ada_is, Some(key("0"))));
    assert!(!owe(&mut rooms, "k", "too late"));
    assert!(rooms.under_way.is_empty(), "{:?}", rooms.under_way);
}

/// Records a message from `from` that is owed to `to`.
fn owe(rooms: &mut Rooms, from: u8, to: u8, text: &str) -> Result<(), Full> {
    let (author, text) = (Hex([from; 16]), Body::new(text).unwrap());
    let private = Private { peer: None, id: None, from: nick("x"), to: nick("bob"), at: Timestamp(0), text, key: None };
    rooms.owe(Hex([to; 16]), ServerMessage::Private(private), Some(Sender { author, key: None }))
}

#[test]
fn what_does_not_arrive_is_charged_to_who_said_it_too() {
    for (text, most) in [("short".to_owned(), Limits::UNCONFIRMED), ("x".repeat(4096), Limits::UNCONFIRMED_TEXT / 4096)]
    {
        let mut rooms = Rooms::default();
        let ada = member(&mut rooms, 1, "ada");
        let memberships: Vec<_> =
            (2..=5).map(|author| member(&mut rooms, author, &format!("silent-{author}"))).collect();
        // The same amount to each, and too much to nobody.
        let mut all = (2..=5).cycle();
        let taken = (0..=1000).take_while(|_| owe(&mut rooms, 1, all.next().unwrap(), &text).is_ok()).count();
        assert_eq!(taken, most);
        assert_eq!(owe(&mut rooms, 1, 2, &text), Err(Full::Sender));
        assert_eq!(owe(&mut rooms, 5, 2, &text), Ok(()), "others may");
        // A sender who leaves and comes back is still charged for it.
        rooms.leave(ada, NOW);
        member(&mut rooms, 1, "ada");
        assert_eq!(owe(&mut rooms, 1, 2, &text), Err(Full::Sender));
        // Room is made by messages that arrive, and by messages that nobody receives.
        rooms.hand_over(Hex([2; 16]), |_, _| true);
        rooms.confirm(memberships[0], 1);
        assert_eq!(owe(&mut rooms, 1, 3, &text), Ok(()));
        assert_eq!(owe(&mut rooms, 1, 3, &text), Err(Full::Sender));
        rooms.leave(memberships[1], NOW);
        assert_eq!(owe(&mut rooms, 1, 4, &text), Ok(()));
        for member in memberships {
            rooms.leave(member, NOW);
        }
        assert!(rooms.under_way.is_empty(), "{:?}", rooms.under_way);
    }
}

#[test]
fn who_takes_nothing_has_not_gone() {
    let mut rooms = Rooms::default();
    let (bob, _) = (member(&mut rooms, 2, "bob"), member(&mut rooms, 1, "ada"));
    let words =
        |rooms: &mut Rooms| rooms.undelivered().into_iter().map(|(_, failure)| failure.message).collect::<Vec<_>>();
    owe(&mut rooms, 1, 2, "psst").unwrap();
    rooms.hand_over(Hex([2; 16]), |_, _| false);
    assert_eq!(words(&mut rooms), ["bob is not receiving messages and did not get \"psst\""]);
    owe(&mut rooms, 1, 2, "psst").unwrap();
    rooms.leave(bob, NOW);
    assert_eq!(words(&mut rooms), ["bob has gone and did not get \"psst\""]);
}
