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
    hub::handle::{Ask, Hub, Leaving, Outgoing, Place, Request, Seat},
    hub::mailbox::Mailboxes,
};
use crate::{
    protocol::{
        Author, Body, ErrorCode, Failure, IdempotencyKey, Kind, Limits, MessageId, Nick, Private, RoomName, RoomView,
        ServerMessage, Timestamp, Topic, TopicBy, Whois,
    },
    rooms::{Arrival, Full, Kept, Known, MemberId, Notice, Rooms, Sender, To},
    store::{Appended, Clock, Complaints, Draft, Reading, SeatChange, Store},
};

/// Messages that are committed together, past which a turn does so before it goes on.
const TOGETHER: usize = 1024;

/// Empty rooms whose rings are kept: people come back to a room, and it costs 10 KB for each 64 who were there, until the next comes.
const EMPTY: usize = 16;

/// Returns a hub over a log, which has given ids up to `last` and whose last message was said at `at`, and the task that serves it until
/// all its clones are dropped. It keeps the places of so many lost connections from one address, 0 for no cap.
pub(crate) fn open(
    log: Store,
    last: MessageId,
    at: Timestamp,
    lost_per_address: u32,
) -> (Hub, impl Future<Output = ()> + Send) {
    let (requests, incoming) = mpsc::channel(Limits::HUB_QUEUE);
    let desk = HubTask::new(log, last, at, requests.downgrade(), Rooms::new(lost_per_address));
    (Hub::new(requests), desk.run(incoming))
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
    settling: Vec<oneshot::Sender<()>>,
    /// Who spoke last, if nobody has moved since: whoever says much says it in a row.
    speaker: Option<Speaker>,
}

struct Speaker {
    seat: MemberId,
    nick: Nick,
    author: Author,
    room: RoomName,
}

/// Everything that only the hub may touch.
struct HubTask {
    rooms: Rooms,
    rings: Fanout,
    mail: Mailboxes,
    log: Store,
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
    fn new(log: Store, last: MessageId, at: Timestamp, requests: mpsc::WeakSender<Request>, rooms: Rooms) -> Self {
        Self {
            rooms,
            rings: Fanout::default(),
            mail: Mailboxes::default(),
            log,
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
        let seats = match self.log.seats().await {
            Ok(seats) => seats,
            Err(error) => {
                self.complaints.log("it cannot be read who was here", &error);
                Vec::new()
            }
        };
        let people = seats.into_iter().map(|seat| {
            let crate::store::Seat { author, room, nick, person } = seat;
            Kept { author, room, nick, person }
        });
        self.rooms.restore(self.log.runs().before() << WITHIN_RUN, people);
    }

    /// Keeps who is where now for the next start.
    async fn keep_seats(&mut self) {
        let changed = self.rooms.changed_seats();
        if !changed.is_empty() {
            let change = |((author, room), who)| SeatChange { author, room, who };
            // It is closed only when the server has ended.
            drop(self.log.keep_seats(changed.into_iter().map(change).collect()).await);
        }
    }

    async fn run(mut self, mut incoming: mpsc::Receiver<Request>) {
        self.restore().await;
        let mut waiting = Vec::with_capacity(Limits::HUB_QUEUE);
        let mut gathering = Coalescer::default();
        loop {
            let due = self.rooms.next_due().map(|due| self.started + due);
            tokio::select! {
                biased;
                received = incoming.recv_many(&mut waiting, Limits::HUB_QUEUE) => if received == 0 { break },
                () = tokio::time::sleep_until(due.unwrap_or(self.started)), if due.is_some() => {}
            }
            gathering.complete(&mut incoming, &mut waiting).await;
            let now = self.now();
            self.latest = self.clock.time(Reading::now());
            let mut turn = PendingBatch::default();
            for request in waiting.drain(..) {
                self.handle(request, now, &mut turn).await;
                if turn.drafts.len() >= TOGETHER {
                    self.commit(std::mem::take(&mut turn)).await;
                }
            }
            turn.items.extend(self.rooms.due(self.now()).into_iter().map(Item::Notice));
            self.tell_undelivered();
            self.commit(turn).await;
            self.keep_seats().await;
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
            Request::Say(seat, said) => self.say(seat, said, turn),
            Request::Settle(reply) => turn.settling.push(reply),
            Request::Go(seat, room, reply) => {
                // What was said before is in the ring that is left behind.
                self.commit(std::mem::take(turn)).await;
                if let Some(evicted) = self.rooms.go(seat, &room, now) {
                    self.mail.evict(evicted);
                    self.hand_over_from(seat);
                }
                drop(reply.send(self.place(room)));
            }
            Request::LearnTopic(seat, room, topic) => self.rooms.learn_topic(seat, &room, topic),
            Request::Rename(seat, to, reply) => drop(reply.send(self.rename(seat, &to, now))),
            Request::Ask(seat, ask, reply) => {
                // The answer may tell a topic that was set just before.
                if turn.sets_topic && !matches!(ask, Ask::Tell { .. }) {
                    self.commit(std::mem::take(turn)).await;
                }
                drop(reply.send(self.answer(seat, ask)));
            }
            Request::Rooms(seat, reply) => drop(reply.send(self.rooms.rooms_of(seat))),
            Request::Confirm(seat, count) => {
                if let Some(author) = self.rooms.confirm(seat, count) {
                    self.hand_over(author);
                }
            }
            Request::Leave { seat, for_good } => self.leave(seat, for_good, now),
        }
    }

    fn leave(&mut self, seat: MemberId, for_good: bool, now: Duration) {
        let author = self.rooms.whereabouts(seat).map(|(_, author, _)| author);
        self.mail.close(seat);
        if for_good {
            self.rooms.leave(seat, now);
        } else {
            self.rooms.lose(seat, now);
        }
        // Another connection of the same person may take what this one did not.
        if let Some(author) = author {
            self.hand_over(author);
        }
    }

    /// Gives what is owed to the person of this seat to the connection that is there.
    fn hand_over_from(&mut self, seat: MemberId) {
        if let Some((_, author, _)) = self.rooms.whereabouts(seat) {
            self.hand_over(author);
        }
    }

    fn hand_over(&mut self, author: Author) {
        let mail = &self.mail;
        self.rooms.hand_over(author, |seat, event| mail.deliver(seat, event.clone()));
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

    fn arrive(&mut self, arrival: Arrival, now: Duration) -> Result<(Seat, RoomView), Failure> {
        let (room, can_return, author) = (arrival.room.clone(), arrival.can_return, arrival.author);
        let seated = self.rooms.arrive(arrival, now)?;
        if let Some(evicted) = seated.evicted {
            self.mail.evict(evicted);
        }
        let (place, view) = self.place(room);
        let seat = Seat {
            id: seated.seat,
            nick: seated.nick,
            resumed: seated.evicted.is_some(),
            epoch: self.log.epoch(),
            run: self.log.runs().present(),
            place,
            mailbox: self.mail.open(seated.seat),
            leaving: Leaving::new(self.requests.clone(), seated.seat, !can_return),
        };
        self.hand_over(author);
        Ok((seat, view))
    }

    /// Returns a place in a room that somebody has just entered, and the room as they find it.
    fn place(&mut self, room: RoomName) -> (Place, RoomView) {
        let view = self.rooms.view(&room);
        let knows_topic = self.rooms.knows_topic(&room);
        let ring = self.rings.subscribe(&room);
        (Place { room, ring, last: self.last, knows_topic }, view)
    }

    fn say(&mut self, seat: MemberId, said: Vec<Outgoing>, turn: &mut PendingBatch) {
        if turn.speaker.as_ref().is_none_or(|speaker| speaker.seat != seat) {
            // Who has lost the seat is told so by the mailbox, and says it again on the newer connection.
            let Some((nick, author, room)) = self.rooms.whereabouts(seat) else { return };
            let speaker = Speaker { seat, nick: nick.clone(), author, room: room.clone() };
            self.rooms.spoke(seat);
            self.rooms.is_active(seat, self.started.elapsed());
            turn.items.extend(self.rooms.flush(&speaker.room).map(Item::Notice));
            turn.speaker = Some(speaker);
        }
        let Some(Speaker { nick, author, room, .. }) = &turn.speaker else { return };
        turn.items.push(Item::Drafts(seat, said.len()));
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

    fn rename(&mut self, seat: MemberId, to: &Nick, now: Duration) -> Result<(), Failure> {
        for seat in self.rooms.rename(seat, to, now)? {
            self.mail.must_deliver(seat, ServerMessage::Nick { nick: to.clone() });
        }
        Ok(())
    }

    fn answer(&mut self, seat: MemberId, ask: Ask) -> ServerMessage {
        let Some((nick, _, room)) = self.rooms.whereabouts(seat) else {
            return ServerMessage::Error(Failure::new(ErrorCode::Unavailable, "a newer connection has your place"));
        };
        match ask {
            Ask::Names => ServerMessage::Names(self.rooms.names(room)),
            Ask::Whois(nick) => match self.rooms.known(seat, &nick) {
                Ok(known) => ServerMessage::Whois(self.whois(known)),
                Err(failure) => ServerMessage::Error(failure),
            },
            Ask::Away(text) => {
                let text = self.rooms.set_away(seat, text, self.now());
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
                self.tell(seat, from, &to, text, key.clone())
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
        seat: MemberId,
        from: Nick,
        to: &To,
        text: Body,
        key: Option<IdempotencyKey>,
    ) -> Result<ServerMessage, Failure> {
        self.rooms.spoke(seat);
        self.rooms.is_active(seat, self.now());
        let addressee = self.rooms.addressee(to)?;
        let earlier = key.as_ref().and_then(|key| self.rooms.earlier_private(seat, key));
        let id = earlier.unwrap_or_else(|| self.rooms.number_private());
        let private = Private {
            peer: self.rooms.person(seat),
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
            if addressee.seat != seat {
                self.give(seat, addressee.author, private, key, id)?;
            } else if let Some(key) = key {
                self.rooms.note_private(seat, key, id);
            }
            // The echo goes first. Where there is no room for this, it was told before.
            if addressee.seat != seat
                && let Some(text) = self.rooms.tell_away(seat, addressee.id)
            {
                self.mail.deliver(seat, ServerMessage::Away { nick: Some(addressee.nick), text: Some(text) });
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
        if turn.items.is_empty() && turn.settling.is_empty() {
            return;
        }
        let drafts = turn.drafts.len();
        let keys: Vec<_> = turn.drafts.iter().map(|draft| draft.key.clone()).collect();
        let appended = if drafts == 0 { Ok(Vec::new()) } else { self.log.append(turn.drafts).await };
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
            let (seat, count) = match item {
                Item::Notice(notice) => {
                    self.rings.notice(notice);
                    continue;
                }
                Item::Drafts(seat, count) => (seat, count),
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
                        self.rings.message(message);
                    }
                    // Everybody else has had it.
                    Ok(Appended::Again(message)) => mail.push((seat, ServerMessage::Message(message))),
                    Err(failure) => mail.push((seat, ServerMessage::Error(failure))),
                }
            }
        }
        debug_assert!(appended.next().is_none(), "the log returns an outcome a draft");
        self.rings.finish().await;
        // After the rings: whoever gets an old message again can then be shown first what came before it.
        for (seat, event) in mail {
            self.mail.must_deliver(seat, event);
        }
        for reply in turn.settling {
            // Whoever asked may have gone meanwhile.
            reply.send(()).ok();
        }
        debug!(drafts, "a turn");
    }

    fn close_empty_rooms(&mut self) {
        if self.rings.count() > self.rooms.count() + EMPTY {
            self.rings.close(|room| !self.rooms.is_open(room));
        }
    }
}

#[cfg(test)]
mod tests;
