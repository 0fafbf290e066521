//! Turns: what they take together, and what is left of an empty room.

use tokio::time::timeout;

use super::*;
use crate::{room::IfTaken, wire::Hex};

fn arrival(room: RoomName) -> Arrival {
    Arrival { author: Hex([2; 16]), nick: None, if_taken: IfTaken::Next, room, returning: false }
}

async fn somebody(hub: &Hub) -> Seat {
    hub.arrive(arrival(RoomName::lobby())).await.unwrap().unwrap().0
}

#[tokio::test]
async fn a_turn_commits_so_much_together_and_no_more() {
    let (hub, run) = open(Log::memory(Hex([1; 8])), MessageId(0));
    tokio::spawn(run);
    let mut seat = somebody(&hub).await;
    let said = || Said { kind: Kind::Say, text: Some(Body::new("hi").unwrap()), key: None };
    let all = [TOGETHER - 1, 1, 1];
    for count in all {
        hub.say(seat.id, std::iter::repeat_with(said).take(count).collect()).await.unwrap();
    }
    for last in [TOGETHER, TOGETHER + 1] {
        let batch = timeout(Duration::from_secs(10), seat.place.ring.recv()).await.unwrap().unwrap();
        assert_eq!(batch.last(), Some(MessageId(last as u64)));
    }
}

#[tokio::test]
async fn an_empty_room_keeps_its_topic_and_a_few_of_them_their_ring() {
    let mut desk = Desk::new(Log::memory(Hex([1; 8])), MessageId(0));
    let tea = Topic::new("tea").unwrap();
    for number in 0..2 * EMPTY {
        let room = RoomName::new(&format!("room-{number}")).unwrap();
        for known in [None, Some(tea.clone())] {
            let (seat, view) = desk.arrive(arrival(room.clone()), Duration::ZERO).await.unwrap();
            assert_eq!(view.topic, known);
            let said = Said { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), key: None };
            let mut turn = Turn::default();
            desk.say(seat.id, vec![said], &mut turn);
            desk.commit(turn).await;
            desk.leave(seat.id, true, Duration::ZERO);
            desk.close_empty_rooms();
            assert!(desk.rings.count() <= EMPTY, "{}", desk.rings.count());
        }
    }
}
