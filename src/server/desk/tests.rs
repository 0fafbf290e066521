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
    let (hub, run) = open(Log::memory(Hex([1; 8])), MessageId(0), Timestamp(0));
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
    let mut desk = Desk::new(Log::memory(Hex([1; 8])), MessageId(0), Timestamp(0));
    let tea = Topic::new("tea").unwrap();
    for number in 0..2 * EMPTY {
        let room = RoomName::new(&format!("room-{number}")).unwrap();
        for known in [None, Some(tea.clone())] {
            let (seat, _) = desk.arrive(arrival(room.clone()), Duration::ZERO).unwrap();
            assert!(!seat.place.knows_topic);
            assert_eq!(desk.log.topic(&room).await.unwrap(), known);
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

/// A log that answers nothing: whatever waits for it waits for ever.
#[tokio::test]
async fn the_hub_reads_nothing_whatever_is_asked_of_it() {
    let (hub, run) = open(Log::Silent, MessageId(0), Timestamp(0));
    tokio::spawn(run);
    let asked = async {
        let mut seat = somebody(&hub).await;
        let rust = RoomName::new("rust").unwrap();
        for ask in [Ask::Names, Ask::Rooms, Ask::Topic] {
            hub.ask(seat.id, ask).await.unwrap();
        }
        seat.place = hub.go(seat.id, rust.clone()).await.unwrap().0;
        assert!(!seat.place.knows_topic);
        // Who has left the room has no say in it.
        let other =
            hub.arrive(Arrival { author: Hex([3; 16]), ..arrival(RoomName::lobby()) }).await.unwrap().unwrap().0;
        hub.learn_topic(seat.id, RoomName::lobby(), Some(Topic::new("coffee").unwrap())).await.unwrap();
        assert!(matches!(hub.ask(other.id, Ask::Topic).await.unwrap(), ServerMessage::Error(_)));
        for topic in ["tea", "what another has read earlier"] {
            hub.learn_topic(seat.id, rust.clone(), Some(Topic::new(topic).unwrap())).await.unwrap();
        }
        hub.ask(seat.id, Ask::Topic).await.unwrap()
    };
    let topic = timeout(Duration::from_secs(10), asked).await.unwrap();
    let tea = Some(Topic::new("tea").unwrap());
    assert_eq!(topic, ServerMessage::Topic { room: RoomName::new("rust").unwrap(), topic: tea });
}
