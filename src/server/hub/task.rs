//! The one writer: takes what every session asks, gives drafts to the log, and fans out what the log has committed.
//!
//! A turn is whatever waits at the same time. Its drafts are committed together, and what is then told to a room leaves in the
//! order in which it happened: a stretch of messages is one batch, a notice in between has its place between two.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::debug;

use super::coalesce::Coalescer;
use crate::server::{
    hub::fanout::Fanout,
    hub::handle::{Ask, Hub, Leaving, Membership, Outgoing, Request, RoomSubscription},
    hub::mailbox::Mailboxes,
};
use crate::{
    protocol::{
        Author, Body, ErrorCode, Failure, IdempotencyKey, Kind, Limits, MessageId, Nick, Private, RoomName, RoomView,
        ServerMessage, Timestamp, Topic, TopicBy, Whois,
    },
    rooms::{Arrival, Full, Kept, Known, MemberId, Notice, Rooms, Sender, To},
    store::{Appended, Clock, Complaints, Draft, MembershipChange, Reading, Store},
};

/// Messages that are committed together, past which a turn does so before it goes on.
const MAX_COMMIT: usize = 1024;

/// Empty rooms whose rings are kept: people come back to a room, and it costs 10 KB for each 64 who were there, until the next comes.
const KEEP_EMPTY_ROOMS: usize = 16;

/// Returns a hub over a log, which has given ids up to `last` and whose last message was said at `at`, and the task that serves it until
/// all its clones are dropped. It keeps the places of so many lost connections from one address, 0 for no cap.
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

/// One turn's work, in the order in which it came.
enum Item {
    /// So many things to commit, and whose they are.
    Drafts(MemberId, usize),
    Notice(Notice),
}

#[derive(Default)]
struct PendingBatch {
    items: Vec<Item>,
    drafts: Vec<Draft>,
    /// Whether a topic is among them.
    sets_topic: bool,
    /// Who wants to know when they are committed.
    barriers: Vec<oneshot::Sender<()>>,
    /// Who spoke last, if nobody has moved since: whoever says much says it in a row.
    speaker: Option<Speaker>,
}

struct Speaker {
    member: MemberId,
    nick: Nick,
    author: Author,
    room: RoomName,
}

/// Everything that only the hub may touch.
struct HubTask {
    rooms: Rooms,
    fanout: Fanout,
    mail: Mailboxes,
    store: Store,
    complaints: Complaints,
    /// Where sessions give their seats back.
    requests: mpsc::WeakSender<Request>,
    last: MessageId,
    started: Instant,
    clock: Clock,
    /// The time of the latest turn.
    latest: Timestamp,
}

impl HubTask {
    fn new(store: Store, last: MessageId, at: Timestamp, requests: mpsc::WeakSender<Request>, rooms: Rooms) -> Self {
        Self {
            rooms,
            fanout: Fanout::default(),
            mail: Mailboxes::default(),
            store,
            complaints: Complaints::default(),
            requests,
            last,
            started: Instant::now(),
            clock: Clock::new(at, Reading::now()),
            latest: at,
        }
    }

    /// Holds the places of those who were here when the server ended, as if their connections had been lost just now.
    async fn restore(&mut self) {
        /// Bits of the number of a person, and of a private message, that count within a run: in one log none is given twice.
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
        self.rooms.restore(self.store.runs().before() << WITHIN_RUN, people);
    }

    /// Keeps who is where now for the next start.
    async fn keep_memberships(&mut self) {
        let changed = self.rooms.changed_memberships();
        if !changed.is_empty() {
            let change = |((author, room), who)| MembershipChange { author, room, who };
            // It is closed only when the server has ended.
            drop(self.store.keep_memberships(changed.into_iter().map(change).collect()).await);
        }
    }

    async fn run(mut self, mut incoming: mpsc::Receiver<Request>) {
        self.restore().await;
        let mut waiting = Vec::with_capacity(Limits::HUB_QUEUE);
        let mut coalescer = Coalescer::default();
        loop {
            let due = self.rooms.next_due().map(|due| self.started + due);
            tokio::select! {
                biased;
                received = incoming.recv_many(&mut waiting, Limits::HUB_QUEUE) => if received == 0 { break },
                () = tokio::time::sleep_until(due.unwrap_or(self.started)), if due.is_some() => {}
            }
            coalescer.complete(&mut incoming, &mut waiting).await;
            let now = self.now();
            self.latest = self.clock.time(Reading::now());
            let mut turn = PendingBatch::default();
            for request in waiting.drain(..) {
                self.handle(request, now, &mut turn).await;
                if turn.drafts.len() >= MAX_COMMIT {
                    self.commit(std::mem::take(&mut turn)).await;
                }
            }
            turn.items.extend(self.rooms.due(self.now()).into_iter().map(Item::Notice));
            self.tell_undelivered();
            self.commit(turn).await;
            self.keep_memberships().await;
            self.close_empty_rooms();
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn handle(&mut self, request: Request, now: Duration, turn: &mut PendingBatch) {
        if !matches!(request, Request::Say(..)) {
            turn.speaker = None;
        }
        match request {
            Request::Arrive(arrival, reply) => {
                // Whoever has gone meanwhile gives the seat back by this.
                drop(reply.send(self.arrive(arrival, now)));
            }
            Request::Say(member, said) => self.say(member, said, turn),
            Request::Barrier(reply) => turn.barriers.push(reply),
            Request::Go(member, room, reply) => {
                // What was said before is in the ring that is left behind.
                self.commit(std::mem::take(turn)).await;
                if let Some(evicted) = self.rooms.go(member, &room, now) {
                    self.mail.evict(evicted);
                    self.hand_over_from(member);
                }
                drop(reply.send(self.place(room)));
            }
            Request::LearnTopic(member, room, topic) => self.rooms.learn_topic(member, &room, topic),
            Request::Rename(member, to, reply) => drop(reply.send(self.rename(member, &to, now))),
            Request::Ask(member, ask, reply) => {
                // The answer may tell a topic that was set just before.
                if turn.sets_topic && !matches!(ask, Ask::Tell { .. }) {
                    self.commit(std::mem::take(turn)).await;
                }
                drop(reply.send(self.answer(member, ask)));
            }
            Request::Rooms(member, reply) => drop(reply.send(self.rooms.rooms_of(member))),
            Request::Confirm(member, count) => {
                if let Some(author) = self.rooms.confirm(member, count) {
                    self.hand_over(author);
                }
            }
            Request::Leave { member, for_good } => self.leave(member, for_good, now),
        }
    }

    fn leave(&mut self, member: MemberId, for_good: bool, now: Duration) {
        let author = self.rooms.whereabouts(member).map(|(_, author, _)| author);
        self.mail.close(member);
        if for_good {
            self.rooms.leave(member, now);
        } else {
            self.rooms.lose(member, now);
        }
        // Another connection of the same person may take what this one did not.
        if let Some(author) = author {
            self.hand_over(author);
        }
    }

    /// Gives what is owed to the person of this seat to the connection that is there.
    fn hand_over_from(&mut self, member: MemberId) {
        if let Some((_, author, _)) = self.rooms.whereabouts(member) {
            self.hand_over(author);
        }
    }

    fn hand_over(&mut self, author: Author) {
        let mail = &self.mail;
        self.rooms.hand_over(author, |member, event| mail.deliver(member, event.clone()));
    }

    /// Tells those who said something privately that nobody took.
    fn tell_undelivered(&mut self) {
        for (author, failure) in self.rooms.undelivered() {
            // Who is not here any more need not know, nor can who takes nothing: of [`Limits::UNCONFIRMED`] things that wait for
            // them, none is given up for this one.
            if self.rooms.owe(author, ServerMessage::Error(failure), None).is_ok() {
                self.hand_over(author);
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival, now: Duration) -> Result<(Membership, RoomView), Failure> {
        let (room, can_return, author) = (arrival.room.clone(), arrival.can_return, arrival.author);
        let joined = self.rooms.arrive(arrival, now)?;
        if let Some(evicted) = joined.evicted {
            self.mail.evict(evicted);
        }
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
        self.hand_over(author);
        Ok((member, view))
    }

    /// Returns a place in a room that somebody has just entered, and the room as they find it.
    fn place(&mut self, room: RoomName) -> (RoomSubscription, RoomView) {
        let view = self.rooms.view(&room);
        let knows_topic = self.rooms.knows_topic(&room);
        let receiver = self.fanout.subscribe(&room);
        (RoomSubscription { room, receiver, last: self.last, knows_topic }, view)
    }

    fn say(&mut self, member: MemberId, said: Vec<Outgoing>, turn: &mut PendingBatch) {
        if turn.speaker.as_ref().is_none_or(|speaker| speaker.member != member) {
            // Who has lost the seat is told so by the mailbox, and says it again on the newer connection.
            let Some((nick, author, room)) = self.rooms.whereabouts(member) else { return };
            let speaker = Speaker { member, nick: nick.clone(), author, room: room.clone() };
            self.rooms.spoke(member);
            self.rooms.is_active(member, self.started.elapsed());
            turn.items.extend(self.rooms.flush(&speaker.room).map(Item::Notice));
            turn.speaker = Some(speaker);
        }
        let Some(Speaker { nick, author, room, .. }) = &turn.speaker else { return };
        turn.items.push(Item::Drafts(member, said.len()));
        turn.sets_topic |= said.iter().any(|said| said.kind == Kind::Topic);
        turn.drafts.extend(said.into_iter().map(|Outgoing { kind, text, key }| Draft {
            room: room.clone(),
            at: self.latest,
            nick: nick.clone(),
            author: *author,
            kind,
            text,
            key,
        }));
    }

    fn rename(&mut self, member: MemberId, to: &Nick, now: Duration) -> Result<(), Failure> {
        for member in self.rooms.rename(member, to, now)? {
            self.mail.must_deliver(member, ServerMessage::Nick { nick: to.clone() });
        }
        Ok(())
    }

    fn answer(&mut self, member: MemberId, ask: Ask) -> ServerMessage {
        let Some((nick, _, room)) = self.rooms.whereabouts(member) else {
            return ServerMessage::Error(Failure::new(ErrorCode::Unavailable, "a newer connection has your place"));
        };
        match ask {
            Ask::Names => ServerMessage::Names(self.rooms.names(room)),
            Ask::Whois(nick) => match self.rooms.known(member, &nick) {
                Ok(known) => ServerMessage::Whois(self.whois(known)),
                Err(failure) => ServerMessage::Error(failure),
            },
            Ask::Away(text) => {
                let text = self.rooms.set_away(member, text, self.now());
                ServerMessage::Away { nick: None, text }
            }
            Ask::Rooms => {
                let (rooms, total) = self.rooms.list();
                ServerMessage::Rooms { rooms, total, more: false }
            }
            Ask::Topic if !self.rooms.knows_topic(room) => {
                ServerMessage::Error(Failure::new(ErrorCode::Unavailable, "the topic cannot be read at the moment"))
            }
            Ask::Topic => {
                let RoomView { topic, topic_by, .. } = self.rooms.view(room);
                ServerMessage::Topic { room: room.clone(), topic, topic_by }
            }
            Ask::Tell { to, text, key } => {
                let from = nick.clone();
                self.tell(member, from, &to, text, key.clone())
                    .unwrap_or_else(|failure| ServerMessage::Error(failure.about(key)))
            }
        }
    }

    /// Returns what is told of a person, in the time of the server's clock.
    fn whois(&self, known: Known) -> Whois {
        let (at, now) = (self.latest, self.now());
        let ago = |then: Duration| {
            let ago = now.saturating_sub(then).as_millis();
            Timestamp(at.0.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)))
        };
        let Known { nick, rooms, since, active, away } = known;
        Whois { nick, rooms, at, since: ago(since), active: ago(active), away }
    }

    /// Delivers a private message and returns the sender's own copy.
    fn tell(
        &mut self,
        member: MemberId,
        from: Nick,
        to: &To,
        text: Body,
        key: Option<IdempotencyKey>,
    ) -> Result<ServerMessage, Failure> {
        self.rooms.spoke(member);
        self.rooms.is_active(member, self.now());
        let addressee = self.rooms.addressee(to)?;
        let earlier = key.as_ref().and_then(|key| self.rooms.earlier_private(member, key));
        let id = earlier.unwrap_or_else(|| self.rooms.number_private());
        let private = Private {
            peer: self.rooms.person(member),
            id: Some(id),
            from,
            to: addressee.nick.clone(),
            at: self.latest,
            text,
            key: None,
        };
        let copy = Private { peer: Some(addressee.id), key: key.clone(), ..private.clone() };
        let copy = ServerMessage::Private(copy);
        if earlier.is_none() {
            // To oneself there is one copy, the echo.
            if addressee.member != member {
                self.give(member, addressee.author, private, key, id)?;
            } else if let Some(key) = key {
                self.rooms.note_private(member, key, id);
            }
            // The echo goes first. Where there is no room for this, it was told before.
            if addressee.member != member
                && let Some(text) = self.rooms.tell_away(member, addressee.id)
            {
                self.mail.deliver(member, ServerMessage::Away { nick: Some(addressee.nick), text: Some(text) });
            }
        }
        Ok(copy)
    }

    /// Gives somebody a private message, which is theirs until they have confirmed it.
    fn give(
        &mut self,
        from: MemberId,
        to: Author,
        private: Private,
        key: Option<IdempotencyKey>,
        id: u64,
    ) -> Result<(), Failure> {
        let nick = private.to.clone();
        let sender = self.rooms.whereabouts(from).map(|(_, author, _)| Sender { author, key: key.clone() });
        self.rooms.owe(to, ServerMessage::Private(private), sender).map_err(|full| {
            let words = match full {
                Full::Recipient => format!("{nick} takes nothing at the moment; try again"),
                Full::Sender => "too much that you told others has not reached them yet; try again".to_owned(),
            };
            Failure::new(ErrorCode::Unreachable, words)
        })?;
        // Before it can turn out that nobody takes it.
        if let Some(key) = key {
            self.rooms.note_private(from, key, id);
        }
        self.hand_over(to);
        Ok(())
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
                            self.rooms.set_topic(&message.room, topic.map(|topic| TopicBy { topic, by }));
                        }
                        self.fanout.message(message);
                    }
                    // Everybody else has had it.
                    Ok(Appended::Duplicate(message)) => mail.push((member, ServerMessage::Message(message))),
                    Err(failure) => mail.push((member, ServerMessage::Error(failure))),
                }
            }
        }
        debug_assert!(appended.next().is_none(), "the log returns an outcome a draft");
        self.fanout.finish().await;
        // After the rings: whoever gets an old message again can then be shown first what came before it.
        for (member, event) in mail {
            self.mail.must_deliver(member, event);
        }
        for reply in turn.barriers {
            // Whoever asked may have gone meanwhile.
            reply.send(()).ok();
        }
        debug!(drafts, "a turn");
    }

    fn close_empty_rooms(&mut self) {
        if self.fanout.count() > self.rooms.count() + KEEP_EMPTY_ROOMS {
            self.fanout.close(|room| !self.rooms.is_open(room));
        }
    }
}

#[cfg(test)]
mod tests;
