//! Tests of batches: what they hold, and what is left of an empty room.

use proptest::prelude::*;
use tokio::{sync::oneshot, time::timeout};

use super::*;
use crate::{
    protocol::{Body, Dialect, Hex, IdempotencyKey},
    rooms::{IfTaken, To},
    server::hub::{fanout::RoomReceiver, handle::Outgoing, mailbox::Mailbox},
};

const START: Stamp = Stamp { elapsed: Duration::ZERO, at: Timestamp(0) };

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
            let (member, _) = task.arrive(arrival(room.clone()), START, &mut PendingBatch::default()).await.unwrap();
            assert!(!member.place.knows_topic);
            assert_eq!(task.store.topic(&room).await.unwrap().map(|topic| topic.topic), known);
            let said = Outgoing { kind: Kind::Topic, text: Some(Body::new("tea").unwrap()), key: None };
            let mut turn = PendingBatch::default();
            task.handle(Request::Say(member.id, vec![said]), START, &mut turn).await;
            task.commit(turn).await;
            task.command(Change::Leave { member: member.id, for_good: true }, START, &mut PendingBatch::default())
                .await;
            task.close_empty_rooms();
            assert!(task.fanout.count() <= KEEP_EMPTY_ROOMS, "{}", task.fanout.count());
        }
    }
}

/// The store never answers, so everything that waits for it waits for ever.
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
        // A member that has left the room has no say in it.
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

/// Returns the outcomes of several requests in one batch.
async fn in_one_turn(requests: impl FnOnce(MemberId) -> Vec<Request>) {
    let (hub, run) = open(Store::memory(Hex([1; 8])), MessageId(0), Timestamp(0), 0);
    let task = tokio::spawn(run);
    let member = somebody(&hub).await;
    // No other task runs before all of them are sent.
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
    let (mut member, _) = task.arrive(arrival(RoomName::lobby()), START, &mut PendingBatch::default()).await.unwrap();
    let (reply, mut settled) = oneshot::channel();
    let mut turn = PendingBatch::default();
    task.handle(topic(member.id, tea), START, &mut turn).await;
    task.handle(Request::Barrier(reply), START, &mut turn).await;
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
        // A person that can return keeps the nick for the grace, and the place with it.
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
        let ada = task.arrive(person(2, "ada"), START, &mut PendingBatch::default()).await.unwrap().0;
        // A person that is not stored has a number too.
        let gone = task.arrive(person(stranger, "gone"), START, &mut PendingBatch::default()).await.unwrap().0;
        ids.push((task.state.rooms.person(ada.id).unwrap(), task.state.rooms.person(gone.id).unwrap()));
        privates.push(task.state.rooms.number_private());
        task.command(Change::Leave { member: gone.id, for_good: true }, START, &mut PendingBatch::default()).await;
        task.keep_memberships().await;
        store.close().await;
    }
    assert_eq!(ids[0].0, ids[1].0, "an answer that was typed before reaches her");
    assert!(privates[0] < privates[1], "{privates:?}");
    assert!(ids[0].0 < ids[0].1 && ids[0].1 < ids[1].1, "{ids:?}");
}

/// Something that one of a few people does in a generated history.
#[derive(Debug, Clone)]
enum Deed {
    Arrives(u8, u8),
    Says(u8, u8),
    SetsTopic(u8, u8),
    Tells(u8, u8),
    Renames(u8, u8),
    Goes(u8, u8),
    Leaves(u8, bool),
    IsAway(u8),
    Confirms(u8, u8),
    Expires,
}

fn deed() -> impl Strategy<Value = (Deed, u16)> {
    let (who, what) = (|| 0..4_u8, || 0..3_u8);
    let deed = prop_oneof![
        3 => (who(), what()).prop_map(|(who, room)| Deed::Arrives(who, room)),
        6 => (who(), what()).prop_map(|(who, key)| Deed::Says(who, key)),
        1 => (who(), what()).prop_map(|(who, topic)| Deed::SetsTopic(who, topic)),
        2 => (who(), who()).prop_map(|(who, to)| Deed::Tells(who, to)),
        1 => (who(), what()).prop_map(|(who, nick)| Deed::Renames(who, nick)),
        2 => (who(), what()).prop_map(|(who, room)| Deed::Goes(who, room)),
        2 => (who(), any::<bool>()).prop_map(|(who, for_good)| Deed::Leaves(who, for_good)),
        1 => who().prop_map(Deed::IsAway),
        1 => (who(), what()).prop_map(|(who, count)| Deed::Confirms(who, count)),
        2 => Just(Deed::Expires),
    ];
    (deed, prop_oneof![4 => Just(0_u16), 2 => 1..500_u16, 1 => 500..40_000_u16])
}

fn room(number: u8) -> RoomName {
    RoomName::new(&format!("room-{number}")).unwrap()
}

/// A hub that receives commands, and everything that came out of it.
struct Observed {
    task: HubTask,
    batch: PendingBatch,
    /// The current connection of each of the four people.
    members: [Option<MemberId>; 4],
    /// What each room is told, in order. In a real server nobody subscribes so early; a session
    /// that joins later reads the store first.
    receivers: Vec<RoomReceiver>,
    mailboxes: Vec<(MemberId, Mailbox)>,
    /// Never dropped, because each drop would give the membership back.
    leaving: Vec<Leaving>,
    outcomes: Vec<String>,
}

impl Observed {
    fn new() -> Self {
        let store = Store::memory(Hex([1; 8]));
        let requests = mpsc::channel(1).0.downgrade();
        let mut task = HubTask::new(store, MessageId(0), Timestamp(0), requests, Rooms::new(2));
        let receivers = (0..3).map(|number| task.fanout.subscribe(&room(number))).collect();
        Self {
            task,
            receivers,
            batch: PendingBatch::default(),
            members: [None; 4],
            mailboxes: Vec::new(),
            leaving: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    async fn commit(&mut self) {
        self.task.commit(std::mem::take(&mut self.batch)).await;
    }

    async fn apply(&mut self, deed: Deed, stamp: Stamp) {
        let member = |who: u8, members: &[Option<MemberId>; 4]| members[usize::from(who)];
        let said = |kind, text: &str, key: Option<u8>| Outgoing {
            kind,
            text: Some(Body::new(text).unwrap()),
            key: key.map(|key| IdempotencyKey::new(&format!("k{key}")).unwrap()),
        };
        let change = match deed {
            Deed::Arrives(who, number) => {
                let arrival = Arrival {
                    author: Hex([who; 16]),
                    address: std::net::Ipv4Addr::LOCALHOST.into(),
                    nick: Some(Nick::new(&format!("p{}", who % 3)).unwrap()),
                    if_taken: if who == 3 { IfTaken::Refuse } else { IfTaken::Next },
                    room: room(number),
                    can_return: true,
                    returning: false,
                };
                let arrived = self.task.arrive(arrival, stamp, &mut self.batch).await;
                self.outcomes.push(match arrived {
                    Ok((Membership { id, nick, resumed, mailbox, leaving, .. }, view)) => {
                        self.members[usize::from(who)] = Some(id);
                        self.mailboxes.push((id, mailbox));
                        self.leaving.push(leaving);
                        format!("{id:?} {nick} {resumed} {view:?}")
                    }
                    Err(failure) => format!("{failure:?}"),
                });
                return;
            }
            Deed::Goes(who, number) => {
                let Some(id) = member(who, &self.members) else { return };
                let change = Change::Go(id, room(number));
                self.task.command(change, stamp, &mut self.batch).await;
                let (_, view) = self.task.place(room(number));
                self.outcomes.push(format!("{view:?}"));
                return;
            }
            Deed::Says(who, key) => {
                let Some(id) = member(who, &self.members) else { return };
                // Keys repeat, so some messages are duplicates.
                Change::Say(id, vec![said(Kind::Say, "hi", Some(key)), said(Kind::Say, "ho", None)])
            }
            Deed::SetsTopic(who, topic) => {
                let Some(id) = member(who, &self.members) else { return };
                Change::Say(id, vec![said(Kind::Topic, &format!("topic {topic}"), None)])
            }
            Deed::Tells(who, to) => {
                let Some(from) = member(who, &self.members) else { return };
                let to = To { nick: Nick::new(&format!("p{}", to % 3)).unwrap(), peer: None };
                Change::Tell { from, to, text: Body::new("psst").unwrap(), key: None }
            }
            Deed::Renames(who, nick) => {
                let Some(id) = member(who, &self.members) else { return };
                Change::Rename(id, Nick::new(&format!("p{nick}")).unwrap())
            }
            Deed::Leaves(who, for_good) => {
                let Some(member) = self.members[usize::from(who)].take() else { return };
                Change::Leave { member, for_good }
            }
            Deed::IsAway(who) => {
                let Some(id) = member(who, &self.members) else { return };
                Change::Away(id, None)
            }
            Deed::Confirms(who, count) => {
                let Some(id) = member(who, &self.members) else { return };
                Change::Confirm(id, count.into())
            }
            Deed::Expires => Change::Expire,
        };
        let outcome = self.task.command(change, stamp, &mut self.batch).await;
        self.outcomes.push(format!("{outcome:?}"));
    }

    /// Returns everything that anybody could see, at that time or by asking.
    async fn seen(mut self) -> Vec<String> {
        self.commit().await;
        let mut seen = self.outcomes;
        for receiver in &mut self.receivers {
            let mut bytes = Vec::new();
            while let Ok(batch) = receiver.try_recv() {
                // No member has this number, so no frame is left out.
                bytes.extend_from_slice(&batch.unseen(Dialect::Json, MemberId::numbered(u64::MAX), MessageId(0)));
            }
            seen.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        for (member, mut mailbox) in self.mailboxes {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            while let std::task::Poll::Ready(event) = mailbox.poll_next(&mut cx) {
                let is_closed = event.is_err();
                // The echo of a duplicate comes with the commit, and only if its connection is
                // still there.
                if !matches!(&event, Ok(event) if matches!(**event, ServerMessage::Message(_))) {
                    seen.push(format!("{member:?} {event:?}"));
                }
                if is_closed {
                    break;
                }
            }
        }
        for number in 0..3 {
            let page = self.task.store.page(&room(number), MessageId(0), 1000).await.unwrap();
            seen.push(format!("{:?} {:?}", self.task.state.rooms.view(&room(number)), page.messages));
        }
        for member in self.members.into_iter().flatten() {
            let nicks = (0..3).map(|number| Nick::new(&format!("p{number}")).unwrap());
            let known = nicks.map(|nick| self.task.state.rooms.known(member, &nick));
            seen.extend(known.flatten().map(|known| format!("{} {:?} {:?}", known.nick, known.since, known.active)));
        }
        seen.push(format!("{:?} {:?}", self.task.state.rooms.list(), self.task.state.rooms.changed_memberships()));
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn however_commands_are_cut_into_turns_the_outcome_is_the_same(
        deeds in prop::collection::vec(deed(), 1..40),
        cuts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (whole, cut) = runtime.block_on(async {
            let (mut whole, mut cut) = (Observed::new(), Observed::new());
            let mut stamp = START;
            for ((deed, later), cuts) in deeds.into_iter().zip(cuts) {
                stamp.elapsed += Duration::from_millis(later.into());
                stamp.at.0 += u64::from(later);
                whole.apply(deed.clone(), stamp).await;
                cut.apply(deed, stamp).await;
                if cuts {
                    cut.commit().await;
                }
            }
            (whole.seen().await, cut.seen().await)
        });
        prop_assert_eq!(whole, cut);
    }
}
