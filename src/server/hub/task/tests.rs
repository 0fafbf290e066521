//! Turns: what they take together, and what is left of an empty room.

use tokio::{sync::oneshot, time::timeout};

use super::*;
use crate::{protocol::Hex, rooms::IfTaken};

fn arrival(room: RoomName) -> Arrival {
    Arrival {
        author: Hex([2; 16]),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        nick: None,
        if_taken: IfTaken::Next,
        room,
        can_return: false,
        returning: false,
    }
}

fn by_ada(topic: &str) -> TopicBy {
    TopicBy { topic: Topic::new(topic).unwrap(), by: Some(Nick::new("ada").unwrap()) }
}

async fn somebody(hub: &Hub) -> Membership {
    hub.arrive(arrival(RoomName::lobby())).await.unwrap().unwrap().0
}

#[tokio::test]
async fn a_turn_commits_so_much_together_and_no_more() {
    let (hub, run) = open(Store::memory(Hex([1; 8])), MessageId(0), Timestamp(0), 0);
    tokio::spawn(run);
    let mut member = somebody(&hub).await;
    let said = || Outgoing { kind: Kind::Say, text: Some(Body::new("hi").unwrap()), key: None };
    let all = [MAX_COMMIT - 1, 1, 1];
    for count in all {
        hub.say(member.id, std::iter::repeat_with(said).take(count).collect()).await.unwrap();
    }
    for last in [MAX_COMMIT, MAX_COMMIT + 1] {
        let batch = timeout(Duration::from_secs(10), member.place.receiver.recv()).await.unwrap().unwrap();
        assert_eq!(batch.last(), Some(MessageId(last as u64)));
    }
}

#[tokio::test]
async fn an_empty_room_keeps_its_topic_and_a_few_of_them_their_ring() {
    let mut task = HubTask::new(
        Store::memory(Hex([1; 8])),
        MessageId(0),
        Timestamp(0),
        mpsc::channel(1).0.downgrade(),
        Rooms::default(),
    );
    let tea = Topic::new("tea").unwrap();
    for number in 0..2 * KEEP_EMPTY_ROOMS {
        let room = RoomName::new(&format!("room-{number}")).unwrap();
        for known in [None, Some(tea.clone())] {
            let (member, _) = task.arrive(arrival(room.clone()), Duration::ZERO).unwrap();
            assert!(!member.place.knows_topic);
            assert_eq!(task.store.topic(&room).await.unwrap().map(|topic| topic.topic), known);
            let said = Outgoing { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), key: None };
            let mut turn = PendingBatch::default();
            task.say(member.id, vec![said], &mut turn);
            task.commit(turn).await;
            task.leave(member.id, true, Duration::ZERO);
            task.close_empty_rooms();
            assert!(task.fanout.count() <= KEEP_EMPTY_ROOMS, "{}", task.fanout.count());
        }
    }
}

/// A log that answers nothing: whatever waits for it waits for ever.
#[tokio::test]
async fn the_hub_reads_nothing_whatever_is_asked_of_it() {
    let (hub, run) = open(Store::Silent, MessageId(0), Timestamp(0), 0);
    tokio::spawn(run);
    let asked = async {
        let mut member = somebody(&hub).await;
        let rust = RoomName::new("rust").unwrap();
        for ask in [Ask::Names, Ask::Rooms, Ask::Topic] {
            hub.ask(member.id, ask).await.unwrap();
        }
        member.place = hub.go(member.id, rust.clone()).await.unwrap().0;
        assert!(!member.place.knows_topic);
        // Who has left the room has no say in it.
        let other =
            hub.arrive(Arrival { author: Hex([3; 16]), ..arrival(RoomName::lobby()) }).await.unwrap().unwrap().0;
        hub.learn_topic(member.id, RoomName::lobby(), Some(by_ada("coffee"))).await.unwrap();
        assert!(matches!(hub.ask(other.id, Ask::Topic).await.unwrap(), ServerMessage::Error(_)));
        for topic in ["tea", "what another has read earlier"] {
            hub.learn_topic(member.id, rust.clone(), Some(by_ada(topic))).await.unwrap();
        }
        hub.ask(member.id, Ask::Topic).await.unwrap()
    };
    let topic = timeout(Duration::from_secs(10), asked).await.unwrap();
    let tea = Some(Topic::new("tea").unwrap());
    assert_eq!(
        topic,
        ServerMessage::Topic {
            room: RoomName::new("rust").unwrap(),
            topic: tea,
            topic_by: Some(Nick::new("ada").unwrap())
        }
    );
}

/// Returns what comes of several things that are asked in one turn.
async fn in_one_turn(requests: impl FnOnce(MemberId) -> Vec<Request>) {
    let (hub, run) = open(Store::memory(Hex([1; 8])), MessageId(0), Timestamp(0), 0);
    let task = tokio::spawn(run);
    let member = somebody(&hub).await;
    // Nobody else has a turn before all of them are asked.
    for request in requests(member.id) {
        assert!(hub.requests().try_send(request).is_ok());
    }
    drop((member, hub));
    timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
}

fn topic(member: MemberId, text: &str) -> Request {
    Request::Say(member, vec![Outgoing { kind: Kind::Topic, text: Some(Body::new(text).unwrap()), key: None }])
}

#[tokio::test]
async fn an_answer_knows_what_was_said_before() {
    for ask in [Ask::Topic, Ask::Names, Ask::Rooms] {
        let (reply, answer) = oneshot::channel();
        in_one_turn(|member| vec![topic(member, "tea"), Request::Ask(member, ask, reply), topic(member, "too late")])
            .await;
        let topic = match answer.await.unwrap() {
            ServerMessage::Topic { topic, .. } | ServerMessage::Names(RoomView { topic, .. }) => topic,
            ServerMessage::Rooms { rooms, .. } => rooms[0].topic.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(topic, Some(Topic::new("tea").unwrap()));
    }
}

#[tokio::test]
async fn what_was_said_is_settled_when_it_is_in_the_ring_and_costs_no_turn_of_its_own() {
    let (mut task, tea) = (
        HubTask::new(
            Store::memory(Hex([1; 8])),
            MessageId(0),
            Timestamp(0),
            mpsc::channel(1).0.downgrade(),
            Rooms::default(),
        ),
        "tea",
    );
    let (mut member, _) = task.arrive(arrival(RoomName::lobby()), Duration::ZERO).unwrap();
    let (reply, mut settled) = oneshot::channel();
    let mut turn = PendingBatch::default();
    task.handle(topic(member.id, tea), Duration::ZERO, &mut turn).await;
    task.handle(Request::Barrier(reply), Duration::ZERO, &mut turn).await;
    assert!(settled.try_recv().is_err() && turn.drafts.len() == 1, "others may still say something in this turn");
    task.commit(turn).await;
    assert_eq!(settled.try_recv(), Ok(()));
    assert!(member.place.receiver.try_recv().is_ok());
}

#[tokio::test]
async fn a_session_that_panics_leaves_its_place() {
    let (hub, run) = open(Store::memory(Hex([1; 8])), MessageId(0), Timestamp(0), 0);
    tokio::spawn(run);
    let mut watcher = somebody(&hub).await;
    for can_return in [false, true] {
        let (author, nick) = (Hex([u8::from(can_return); 16]), Some(Nick::new("ada").unwrap()));
        let ada = Arrival { author, nick, can_return, ..arrival(RoomName::lobby()) };
        let member = hub.arrive(ada.clone()).await.unwrap().unwrap().0;
        let session = tokio::spawn(async move {
            let _seat = member;
            panic!("a defect");
        });
        assert!(session.await.unwrap_err().is_panic());
        let bob = Arrival { author: Hex([7; 16]), if_taken: IfTaken::Refuse, ..ada.clone() };
        let taken = hub.arrive(bob).await.unwrap().err().map(|failure| failure.code);
        // Who can return keeps the nick for the grace, and the place with it.
        assert_eq!(taken, can_return.then_some(ErrorCode::NickTaken));
        if can_return {
            assert!(hub.arrive(ada).await.unwrap().unwrap().0.resumed);
        }
    }
    timeout(Duration::from_secs(10), watcher.place.receiver.recv()).await.unwrap().expect("the room is told");
}

#[tokio::test]
async fn a_place_is_given_back_also_when_many_wait_for_the_hub() {
    let (requests, mut incoming) = mpsc::channel(1);
    let hub = Hub::new(requests.clone());
    requests.try_send(Request::Barrier(oneshot::channel().0)).ok().unwrap();
    drop(Leaving::new(hub.requests().downgrade(), MemberId::numbered(7), false));
    assert!(matches!(incoming.recv().await, Some(Request::Barrier(_))));
    assert!(
        matches!(incoming.recv().await, Some(Request::Leave { member, for_good: false }) if member == MemberId::numbered(7))
    );
}

#[tokio::test]
async fn a_restart_changes_nobodys_number_and_gives_none_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("chat.db");
    let person = |author: u8, nick: &str| Arrival {
        author: Hex([author; 16]),
        nick: Some(Nick::new(nick).unwrap()),
        can_return: true,
        ..arrival(RoomName::lobby())
    };
    let (mut ids, mut privates) = (Vec::new(), Vec::new());
    for stranger in [7, 8] {
        let store = Store::open(&path, crate::store::Keep::default()).unwrap();
        let mut task =
            HubTask::new(store.clone(), MessageId(0), Timestamp(0), mpsc::channel(1).0.downgrade(), Rooms::default());
        task.restore().await;
        let ada = task.arrive(person(2, "ada"), Duration::ZERO).unwrap().0;
        // Who is not kept has a number too.
        let gone = task.arrive(person(stranger, "gone"), Duration::ZERO).unwrap().0;
        ids.push((task.rooms.person(ada.id).unwrap(), task.rooms.person(gone.id).unwrap()));
        privates.push(task.rooms.number_private());
        task.leave(gone.id, true, Duration::ZERO);
        task.keep_memberships().await;
        store.close().await;
    }
    assert_eq!(ids[0].0, ids[1].0, "an answer that was typed before reaches her");
    assert!(privates[0] < privates[1], "{privates:?}");
    assert!(ids[0].0 < ids[0].1 && ids[0].1 < ids[1].1, "{ids:?}");
}
