//! The task of the hub, the only writer. It takes the requests of all sessions, gives drafts to the
//! store, and fans out what the store has committed.
//!
//! A batch is everything that waits at the same time. Its drafts are committed together. A room is
//! then told everything in the order in which it happened: consecutive messages are one batch, and
//! a notice keeps its place between two batches.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};
use tracing::debug;

use super::coalesce::Coalescer;
use crate::server::{
    hub::fanout::Fanout,
    hub::handle::{Ask, Hub, Leaving, Membership, Request, RoomSubscription},
    hub::mailbox::Mailboxes,
    hub::state::{Change, Command, Effect, Item, Outcome, PendingBatch, Stamp, State, evicted},
};
use crate::{
    protocol::{
        Author, ErrorCode, Failure, Kind, Limits, MessageId, Nick, RoomName, RoomView, ServerMessage, Timestamp, Topic,
        TopicBy, Whois,
    },
    rooms::{Arrival, Kept, Known, MemberId, Rooms},
    store::{Appended, Clock, Complaints, MembershipChange, Reading, Store},
};

/// The maximum number of messages in a commit. A larger batch is committed in parts.
const MAX_COMMIT: usize = 1024;

/// The number of empty rooms whose channels are kept, because people come back to a room. An empty
/// room's channels cost 10 KB for each 64 people that were there, until somebody joins.
const KEEP_EMPTY_ROOMS: usize = 16;

/// Returns a hub over a store, and the task that serves the hub until all its clones are dropped.
/// `last` is the last id that the store has given, and `at` the time of its last message. The hub
/// keeps the places of up to `lost_per_address` lost connections from one address; 0 means no cap.
pub(crate) fn open(
    store: Store,
    last: MessageId,
    at: Timestamp,
    lost_per_address: u32,
) -> (Hub, impl Future<Output = ()> + Send) {
    let (requests, incoming) = mpsc::channel(Limits::HUB_QUEUE);
    let task = HubTask::new(store, last, at, requests.downgrade(), Rooms::new(lost_per_address));
    (Hub::new(requests), task.run(incoming))
}

/// Everything that only the hub may touch.
struct HubTask {
    state: State,
    /// The effects of the command that is being applied.
    effects: Vec<Effect>,
    fanout: Fanout,
    mail: Mailboxes,
    store: Store,
    complaints: Complaints,
    /// The queue through which sessions give their memberships back.
    requests: mpsc::WeakSender<Request>,
    last: MessageId,
    started: Instant,
    clock: Clock,
}

impl HubTask {
    fn new(store: Store, last: MessageId, at: Timestamp, requests: mpsc::WeakSender<Request>, rooms: Rooms) -> Self {
        Self {
            state: State { rooms },
            effects: Vec::new(),
            fanout: Fanout::default(),
            mail: Mailboxes::default(),
            store,
            complaints: Complaints::default(),
            requests,
            last,
            started: Instant::now(),
            clock: Clock::new(at, Reading::now()),
        }
    }

    /// Restores the people who were here when the server ended, as if their connections had been
    /// lost just now.
    async fn restore(&mut self) {
        /// The number of low bits, in the number of a person or of a private message, that count
        /// within one run of the server. No number is given twice in one store.
        const WITHIN_RUN: u32 = 32;
        let memberships = match self.store.memberships().await {
            Ok(memberships) => memberships,
            Err(error) => {
                self.complaints.log("it cannot be read who was here", &error);
                Vec::new()
            }
        };
        let people = memberships.into_iter().map(|member| {
            let crate::store::Membership { author, room, nick, person } = member;
            Kept { author, room, nick, person }
        });
        self.state.rooms.restore(self.store.runs().before() << WITHIN_RUN, people);
    }

    /// Stores who is where now, for the next start.
    async fn keep_memberships(&mut self) {
        let changed = self.state.rooms.changed_memberships();
        if !changed.is_empty() {
            let change = |((author, room), who)| MembershipChange { author, room, who };
            // The store is closed only when the server has ended.
            drop(self.store.keep_memberships(changed.into_iter().map(change).collect()).await);
        }
    }

    async fn run(mut self, mut incoming: mpsc::Receiver<Request>) {
        self.restore().await;
        let mut waiting = Vec::with_capacity(Limits::HUB_QUEUE);
        let mut coalescer = Coalescer::default();
        loop {
            let due = self.state.rooms.next_due().map(|due| self.started + due);
            tokio::select! {
                biased;
                received = incoming.recv_many(&mut waiting, Limits::HUB_QUEUE) => if received == 0 { break },
                () = tokio::time::sleep_until(due.unwrap_or(self.started)), if due.is_some() => {}
            }
            coalescer.complete(&mut incoming, &mut waiting).await;
            let stamp = self.stamp();
            let mut batch = PendingBatch::default();
            for request in waiting.drain(..) {
                self.handle(request, stamp, &mut batch).await;
                if batch.drafts.len() >= MAX_COMMIT {
                    self.commit(std::mem::take(&mut batch)).await;
                }
            }
            let stamp = self.stamp();
            self.command(Change::Expire, stamp, &mut batch).await;
            self.commit(batch).await;
            self.keep_memberships().await;
            self.close_empty_rooms();
        }
    }

    /// Returns the time for the commands that are ordered now.
    fn stamp(&mut self) -> Stamp {
        Stamp { elapsed: self.started.elapsed(), at: self.clock.time(Reading::now()) }
    }

    /// Handles a request. A command is ordered, which gives it its place and its time, then applied
    /// and answered. A question is answered from the state as it is then.
    async fn handle(&mut self, request: Request, stamp: Stamp, batch: &mut PendingBatch) {
        // The session that asked may have ended meanwhile, so an answer may be lost.
        match request {
            Request::Say(member, said) => drop(self.command(Change::Say(member, said), stamp, batch).await),
            Request::Arrive(arrival, reply) => {
                // If nobody takes the answer, dropping it gives the membership back.
                drop(reply.send(self.arrive(arrival, stamp, batch).await));
            }
            Request::Go(member, room, reply) => {
                self.command(Change::Go(member, room.clone()), stamp, batch).await;
                drop(reply.send(self.place(room)));
            }
            Request::LearnTopic(member, room, topic) => {
                self.command(Change::LearnTopic(member, room, topic), stamp, batch).await;
            }
            Request::Rename(member, to, reply) => {
                if let Outcome::Renamed(renamed) = self.command(Change::Rename(member, to), stamp, batch).await {
                    drop(reply.send(renamed));
                }
            }
            Request::Ask(member, ask, reply) => drop(reply.send(self.ask(member, ask, stamp, batch).await)),
            Request::Rooms(member, reply) => drop(reply.send(self.state.rooms.rooms_of(member))),
            Request::Confirm(member, count) => {
                self.command(Change::Confirm(member, count), stamp, batch).await;
            }
            Request::Leave { member, for_good } => {
                self.command(Change::Leave { member, for_good }, stamp, batch).await;
            }
            Request::Barrier(reply) => batch.barriers.push(reply),
        }
    }

    /// Applies a command, and carries out its effects.
    async fn command(&mut self, change: Change, stamp: Stamp, batch: &mut PendingBatch) -> Outcome {
        if change.follows_commit(batch) {
            self.commit(std::mem::take(batch)).await;
        }
        let outcome = self.state.apply(Command { stamp, change }, batch, &mut self.effects);
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Evict(member) => self.mail.evict(member),
                Effect::Close(member) => self.mail.close(member),
                Effect::HandOver(author) => hand_over(&mut self.state.rooms, &self.mail, author),
                Effect::Deliver(member, event) => drop(self.mail.deliver(member, event)),
                Effect::MustDeliver(member, event) => self.mail.must_deliver(member, event),
            }
        }
        outcome
    }

    async fn arrive(
        &mut self,
        arrival: Arrival,
        stamp: Stamp,
        batch: &mut PendingBatch,
    ) -> Result<(Membership, RoomView), Failure> {
        let (room, can_return, author) = (arrival.room.clone(), arrival.can_return, arrival.author);
        let outcome = self.command(Change::Arrive(arrival), stamp, batch).await;
        let Outcome::Arrived(joined) = outcome else {
            return Err(Failure::new(ErrorCode::Unavailable, "the server has failed"));
        };
        let joined = joined?;
        let (place, view) = self.place(room);
        let member = Membership {
            id: joined.member,
            nick: joined.nick,
            resumed: joined.evicted.is_some(),
            epoch: self.store.epoch(),
            run: self.store.runs().present(),
            place,
            mailbox: self.mail.open(joined.member),
            leaving: Leaving::new(self.requests.clone(), joined.member, !can_return),
        };
        hand_over(&mut self.state.rooms, &self.mail, author);
        Ok((member, view))
    }

    /// Returns a subscription to a room for a member that has just joined it, and the room as that
    /// member finds it.
    fn place(&mut self, room: RoomName) -> (RoomSubscription, RoomView) {
        let view = self.state.rooms.view(&room);
        let knows_topic = self.state.rooms.knows_topic(&room);
        let receiver = self.fanout.subscribe(&room);
        (RoomSubscription { room, receiver, last: self.last, knows_topic }, view)
    }

    /// Applies the request if it is a command, or answers it if it is a question.
    async fn ask(&mut self, member: MemberId, ask: Ask, stamp: Stamp, batch: &mut PendingBatch) -> ServerMessage {
        let change = match ask {
            Ask::Tell { to, text, key } => Change::Tell { from: member, to, text, key },
            Ask::Away(text) => Change::Away(member, text),
            Ask::Names => return self.answer(member, Question::Names, stamp, batch).await,
            Ask::Whois(nick) => return self.answer(member, Question::Whois(nick), stamp, batch).await,
            Ask::Rooms => return self.answer(member, Question::Rooms, stamp, batch).await,
            Ask::Topic => return self.answer(member, Question::Topic, stamp, batch).await,
        };
        match self.command(change, stamp, batch).await {
            Outcome::Answer(answer) => answer,
            Outcome::Arrived(_) | Outcome::Renamed(_) | Outcome::Done => evicted(),
        }
    }

    /// Answers a question. It does not change the state.
    async fn answer(
        &mut self,
        member: MemberId,
        question: Question,
        stamp: Stamp,
        batch: &mut PendingBatch,
    ) -> ServerMessage {
        // The answer may include a topic that was set just before.
        if batch.sets_topic() {
            self.commit(std::mem::take(batch)).await;
        }
        let rooms = &self.state.rooms;
        let Some((_, _, room)) = rooms.whereabouts(member) else { return evicted() };
        match question {
            Question::Names => ServerMessage::Names(rooms.names(room)),
            Question::Whois(nick) => match rooms.known(member, &nick) {
                Ok(known) => ServerMessage::Whois(whois(known, stamp)),
                Err(failure) => ServerMessage::Error(failure),
            },
            Question::Rooms => {
                let (rooms, total) = rooms.list();
                ServerMessage::Rooms { rooms, total, more: false }
            }
            Question::Topic if !rooms.knows_topic(room) => {
                ServerMessage::Error(Failure::new(ErrorCode::Unavailable, "the topic cannot be read at the moment"))
            }
            Question::Topic => {
                let RoomView { topic, topic_by, .. } = rooms.view(room);
                ServerMessage::Topic { room: room.clone(), topic, topic_by }
            }
        }
    }

    async fn commit(&mut self, turn: PendingBatch) {
        if turn.items.is_empty() && turn.barriers.is_empty() {
            return;
        }
        let drafts = turn.drafts.len();
        let keys: Vec<_> = turn.drafts.iter().map(|draft| draft.key.clone()).collect();
        let appended = if drafts == 0 { Ok(Vec::new()) } else { self.store.append(turn.drafts).await };
        let mut appended = match appended {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(error) => {
                self.complaints.log("nothing was stored", &error);
                let failure = Failure::new(ErrorCode::NotStored, format!("the server could not store it: {error}"));
                keys.into_iter().map(|key| Err(failure.clone().about(key))).collect::<Vec<_>>()
            }
        }
        .into_iter();
        let mut mail = Vec::new();
        for item in turn.items {
            let (member, count) = match item {
                Item::Notice(notice) => {
                    self.fanout.notice(notice);
                    continue;
                }
                Item::Drafts(member, count) => (member, count),
            };
            for outcome in appended.by_ref().take(count) {
                match outcome {
                    Ok(Appended::New(message)) => {
                        self.last = message.id;
                        if message.kind == Kind::Topic {
                            let topic = message.text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
                            let by = Some(message.nick.clone());
                            self.state.rooms.set_topic(&message.room, topic.map(|topic| TopicBy { topic, by }));
                        }
                        self.fanout.message(message);
                    }
                    // Everybody else has received it already.
                    Ok(Appended::Duplicate(message)) => mail.push((member, ServerMessage::Message(message))),
                    Err(failure) => mail.push((member, ServerMessage::Error(failure))),
                }
            }
        }
        debug_assert!(appended.next().is_none(), "the log returns an outcome a draft");
        self.fanout.finish().await;
        // After the fan-out, so that a session that gets an old message again can first write the
        // messages before it.
        for (member, event) in mail {
            self.mail.must_deliver(member, event);
        }
        for reply in turn.barriers {
            // The session that asked may have ended meanwhile.
            reply.send(()).ok();
        }
        debug!(drafts, "batch committed");
    }

    fn close_empty_rooms(&mut self) {
        if self.fanout.count() > self.state.rooms.count() + KEEP_EMPTY_ROOMS {
            self.fanout.close(|room| !self.state.rooms.is_open(room));
        }
    }
}

/// A request that changes nothing.
enum Question {
    Names,
    Whois(Nick),
    Rooms,
    Topic,
}

/// Gives the events that are owed to a person to one of their connections.
fn hand_over(rooms: &mut Rooms, mail: &Mailboxes, author: Author) {
    rooms.hand_over(author, |member, event| mail.deliver(member, event.clone()));
}

/// Returns the answer about a person, with times of the server's clock.
fn whois(known: Known, stamp: Stamp) -> Whois {
    let ago = |then: Duration| {
        let ago = stamp.elapsed.saturating_sub(then).as_millis();
        Timestamp(stamp.at.0.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)))
    };
    let Known { nick, rooms, since, active, away } = known;
    Whois { nick, rooms, at: stamp.at, since: ago(since), active: ago(active), away }
}

#[cfg(test)]
mod tests;
