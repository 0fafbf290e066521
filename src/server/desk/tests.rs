//! Turns: what they take together, what they wait for, and what is left of an empty room.

use tokio::{task::yield_now, time::timeout};

use super::*;
use crate::{room::IfTaken, wire::Hex};

fn arrival(room: RoomName) -> Arrival {
    Arrival { author: Hex([2; 16]), nick: None, if_taken: IfTaken::Next, room, returning: false }
}

async fn somebody(hub: &Hub) -> Seat {
    hub.arrive(arrival(RoomName::lobby())).await.unwrap().unwrap().0
}

async fn say(hub: &Hub, seat: SeatId) {
    let said = Said { kind: Kind::Say, text: Some(Body::new("hi").unwrap()), key: None };
    hub.say(seat, vec![said]).await.unwrap();
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
async fn a_turn_with_less_waits_for_the_last_to_be_written_but_not_for_ever() {
    let (hub, run) = open(Log::memory(Hex([1; 8])), MessageId(0));
    tokio::spawn(run);
    let mut seat = somebody(&hub).await;
    let ring = &mut seat.place.ring;
    for is_written in [true, false] {
        say(&hub, seat.id).await;
        say(&hub, seat.id).await;
        let batch = ring.recv().await.unwrap();
        say(&hub, seat.id).await;
        for _ in 0..LINGER / 2 {
            yield_now().await;
        }
        assert!(ring.is_empty(), "fewer have spoken, and the last turn is being written");
        let batch = (!is_written).then_some(batch);
        timeout(Duration::from_secs(10), ring.recv()).await.unwrap().unwrap();
        drop(batch);
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
