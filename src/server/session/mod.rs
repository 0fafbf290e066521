//! The life of one connection, in one task. It joins, is caught up, then reads and writes until it
//! ends. Its result is why it ended.
//!
//! The room's messages and the peer's input take turns. Each turn takes everything that is there,
//! so that bursts become batches. What may take long is in `patience`: while the session waits for
//! the store, or for a slow peer, it still notices the stop, the loss of its membership, and the
//! peer.

pub(super) mod end_reason;
mod events;
mod input;
mod join;
mod patience;

use std::{
    future::poll_fn,
    net::IpAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::{
    events::{Event, SessionEvents},
    input::Parsed,
    join::{Entering, Wanted},
};
use crate::server::{
    Transport,
    handshake::negotiate::HandshakeRequest,
    handshake::origin::AllowedOrigin,
    hub::batch::{Batch, push_frame},
    hub::handle::{Ask, Hub, Membership, RoomSubscription},
    hub::mailbox::is_owed,
    rate_limit::Rate,
    session::end_reason::End,
    turns::{Purpose, Turns},
    websocket::frame_queue::FrameQueue,
    websocket::{Incoming, Socket},
};
use crate::{
    protocol::{Dialect, Limits, MessageId, RoomView, ServerMessage},
    rooms::{MemberId, To},
    store::{Complaints, Page, Store, StoreError},
};

/// The maximum number of bytes that are taken from the room's channel for one write.
const GATHER: usize = 256 * 1024;

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) store: Store,
    /// When the server started.
    pub(crate) started: Instant,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    /// The rate limit of messages for each connection.
    pub(crate) rate: Option<Rate>,
    /// Failures of the store, to be logged.
    pub(crate) complaints: Complaints,
    /// The fair queue for reading pages.
    pub(crate) pages: Turns,
    /// The fair queue for searches.
    pub(crate) searches: Turns,
    /// The origins whose pages may connect, besides our own.
    pub(crate) origins: Vec<AllowedOrigin>,
}

/// Runs a connection to its end and returns why it ended. The peer has been told, if possible.
/// Costs that are bounded for each address are charged to `address`.
pub(crate) async fn run<S>(
    socket: &mut Socket<S>,
    opening: Box<HandshakeRequest>,
    address: IpAddr,
    shared: &Shared,
) -> End
where
    S: Transport,
{
    // Long and rare work is boxed, here and below, so that a session that only listens does not
    // reserve memory for it. A future reserves memory even for variables that were moved out of, so
    // the session is used where it is.
    let mut entered = Box::pin(enter(socket, *opening, address, shared)).await;
    let end = match &mut entered {
        Err(end) => *end,
        Ok((session, wanted)) => {
            let end = session.live(*wanted).await.err().unwrap_or(End::Quit);
            session.member.leaving.for_good |= end.is_for_good();
            end
        }
    };
    drop(entered);
    if let Some((code, reason)) = end.goodbye() {
        Box::pin(socket.close(code, reason)).await;
    }
    end
}

/// Joins a room, and returns the session and the messages that it wants first.
async fn enter<'a, S>(
    socket: &'a mut Socket<S>,
    opening: HandshakeRequest,
    address: IpAddr,
    shared: &'a Shared,
) -> Result<(Session<'a, S>, Wanted), End>
where
    S: Transport,
{
    let mut pace = Pace::new(shared);
    let (member, dialect, wanted) = Entering::new(socket, shared, &mut pace, address).enter(opening).await?;
    Ok((Session::new(socket, shared, dialect, member, pace, address), wanted))
}

/// The rate limits of a connection, counted since the handshake.
#[derive(Debug, Clone, Copy)]
struct Pace {
    started: Instant,
    /// Messages and commands.
    rate: Option<Rate>,
    /// Frames that carry nothing.
    control: Option<Rate>,
}

impl Pace {
    fn new(shared: &Shared) -> Self {
        let control = Rate::new(Limits::CONTROL_RATE, 2 * Limits::CONTROL_RATE);
        Self { started: Instant::now(), rate: shared.rate, control }
    }

    /// Counts a message of this cost, and returns how long it has to wait.
    fn message(&mut self, cost: u32, now: Instant) -> Duration {
        self.rate.as_mut().map_or(Duration::ZERO, |rate| rate.reserve_many(cost, now - self.started))
    }

    /// Returns how long after `now` the next message is accepted at once.
    fn next_message_in(&self, now: Instant) -> Option<Duration> {
        self.rate.as_ref().map(|rate| rate.next_in(now - self.started))
    }

    /// Counts a frame that carries nothing, and returns how long the next one has to wait.
    fn control(&mut self, now: Instant) -> Duration {
        self.control.as_mut().map_or(Duration::ZERO, |rate| rate.reserve(now - self.started))
    }
}

/// Reads the topic from the store if the hub does not know it, and tells the hub. The store is at
/// least as new as the subscription. A topic that is set later comes through the room's channel.
async fn read_topic(
    shared: &Shared,
    member: MemberId,
    place: &mut RoomSubscription,
    view: &mut RoomView,
) -> Result<(), End> {
    if !place.knows_topic {
        match shared.store.topic(&place.room).await {
            Ok(topic) => {
                view.topic = topic.as_ref().map(|topic| topic.topic.clone());
                view.topic_by = topic.as_ref().and_then(|topic| topic.by.clone());
                place.knows_topic = true;
                shared.hub.learn_topic(member, place.room.clone(), topic).await?;
            }
            // The next person who joins asks again.
            Err(error) => shared.complaints.log("cannot read a topic", &error),
        }
    }
    Ok(())
}

/// What a session does next.
enum Step {
    /// The room was sent something.
    Batch(Result<Arc<Batch>, RecvError>),
    /// Something else has happened.
    Event(Event),
}

/// A connection that has joined.
struct Session<'a, S> {
    socket: &'a mut Socket<S>,
    shared: &'a Shared,
    dialect: Dialect,
    member: Membership,
    /// The address that its costs are charged to.
    address: IpAddr,
    /// Every message of this room up to this one has been written.
    cursor: MessageId,
    /// The sender of the last private message, for `/reply`.
    last_private: Option<To>,
    pace: Pace,
    /// An input that came too early, and when it is due. Nothing else is read until then.
    held: Option<(Parsed, Instant)>,
    /// An input that was read while the session waited for something else. Nothing else is read
    /// until it was handled.
    heard: Option<Box<Incoming>>,
    /// The number of owed events that were written.
    owed_written: u64,
    /// How many of them the peer has been asked to confirm.
    asked: Option<u64>,
    /// Whether a message was handed in that may not be stored yet.
    has_said: bool,
    /// Whether the sources of [`SessionEvents`] were polled with another waker, so that they must
    /// be polled again.
    has_waited: bool,
    /// When the peer was last told that it is too fast.
    told_slow: Option<Instant>,
    last_seen: Instant,
    next_ping: Instant,
}

impl<'a, S: Transport> Session<'a, S> {
    fn new(
        socket: &'a mut Socket<S>,
        shared: &'a Shared,
        dialect: Dialect,
        member: Membership,
        pace: Pace,
        address: IpAddr,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket,
            shared,
            dialect,
            address,
            cursor: member.place.last,
            last_private: None,
            pace,
            held: None,
            heard: None,
            owed_written: 0,
            asked: None,
            has_said: false,
            has_waited: false,
            told_slow: None,
            last_seen: now,
            // Connections that joined together are not pinged together.
            next_ping: tick(shared.started, now + Limits::PING_EVERY.mul_f64(f64::midpoint(member.id.share(), 1.0))),
            member,
        }
    }

    /// Runs until the session ends. Returns only an error: the reason.
    async fn live(&mut self, wanted: Wanted) -> Result<(), End> {
        Box::pin(self.come_in(wanted)).await?;
        let shared = self.shared;
        let stop = pin!(shared.stop.cancelled());
        let alarm = pin!(sleep_until(self.next_alarm()));
        let mut seldom = SessionEvents::new(stop, alarm, self.member.mailbox.clone());
        let mut told = false;
        loop {
            if std::mem::take(&mut self.has_waited) {
                seldom.set_alarm(self.next_alarm());
            }
            match self.next(&mut seldom, std::mem::take(&mut told)).await {
                Step::Event(Event::Stop) => return Err(End::Stopping),
                Step::Event(Event::Alarm) => {
                    Box::pin(self.alarm()).await?;
                    seldom.set_alarm(self.next_alarm());
                }
                Step::Event(Event::Mail(event)) => {
                    let event = event?;
                    Box::pin(self.for_us_alone(&event)).await?;
                }
                Step::Event(Event::Peer(incoming)) => {
                    self.incoming(incoming).await?;
                    if self.held.is_some() {
                        seldom.set_alarm(self.next_alarm());
                    }
                }
                Step::Batch(batch) => {
                    told = true;
                    match batch {
                        Ok(batch) => self.follow(&batch).await?,
                        Err(RecvError::Lagged(_)) => Box::pin(self.refill()).await?,
                        Err(RecvError::Closed) => return Err(End::Failed),
                    }
                }
            }
        }
    }

    /// Returns what happens next. A session is mostly woken to write, so the room is polled first.
    /// Directly after a batch of the room it is polled last, so that it does not starve the others.
    async fn next(&mut self, seldom: &mut SessionEvents<'_, '_>, mut told: bool) -> Step {
        let Self { socket, member, held, heard, .. } = self;
        let mut receiver = pin!(member.place.receiver.recv());
        poll_fn(|cx| {
            let is_last = std::mem::take(&mut told);
            if !is_last && let Poll::Ready(batch) = receiver.as_mut().poll(cx) {
                return Poll::Ready(Step::Batch(batch));
            }
            let peer = |cx: &mut Context<'_>| match heard.take_if(|_| held.is_none()) {
                Some(heard) => Poll::Ready(*heard),
                None if held.is_none() => socket.poll_next(cx),
                None => Poll::Pending,
            };
            if let Poll::Ready(event) = seldom.poll_next(cx, peer) {
                return Poll::Ready(Step::Event(event));
            }
            if is_last { receiver.as_mut().poll(cx).map(Step::Batch) } else { Poll::Pending }
        })
        .await
    }

    /// Returns when something is to be done even if nothing happens. A later change that moves this
    /// time back need not be reported: an alarm that is too early does nothing.
    fn next_alarm(&self) -> Instant {
        let quiet = self.next_ping.min(self.last_seen + Limits::DEAD_AFTER);
        self.held.as_ref().map_or(quiet, |(_, until)| quiet.min(*until))
    }

    /// Does what is due by now.
    async fn alarm(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if let Some((parsed, _)) = self.held.take_if(|(_, until)| *until <= now) {
            self.act(parsed).await?;
        }
        if now >= self.last_seen + Limits::DEAD_AFTER {
            return Err(End::Dead);
        }
        self.ping_if_due().await
    }

    /// Asks the peer for a sign of life, if it is time.
    async fn ping_if_due(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now < self.next_ping {
            return Ok(());
        }
        self.next_ping = now.max(self.next_ping + Limits::PING_EVERY);
        self.ping().await
    }

    /// Asks the peer for a sign of life, and with it whether it has received the events that are
    /// owed to its person. A peer may answer only the last of several pings (RFC 6455 section
    /// 5.5.3).
    async fn ping(&mut self) -> Result<(), End> {
        /// FIN, and the opcode of a ping (RFC 6455 section 5.5.2).
        const PING: u8 = 0x89;
        let mut ping = vec![PING, 0];
        if self.asked.is_some() {
            self.asked = Some(self.owed_written);
            ping[1] = 8;
            ping.extend(self.owed_written.to_be_bytes());
        }
        self.write(ping.into()).await
    }

    /// Notes that the peer has received this many of the owed events, and asks for those that were
    /// written since.
    async fn confirmed(&mut self, count: u64) -> Result<(), End> {
        self.asked = None;
        self.shared.hub.confirm(self.member.id, count).await?;
        if self.owed_written > count { self.ask_to_confirm().await } else { Ok(()) }
    }

    /// Asks the peer whether it has received the owed events, unless it is asked already.
    async fn ask_to_confirm(&mut self) -> Result<(), End> {
        if self.asked.is_some() {
            return Ok(());
        }
        self.asked = Some(self.owed_written);
        self.ping().await
    }

    /// Catches a newcomer up with a room. It is subscribed already, so nothing is missed in
    /// between.
    async fn come_in(&mut self, wanted: Wanted) -> Result<(), End> {
        let (store, room) = (&self.shared.store, self.member.place.room.clone());
        let cursor = match wanted {
            Wanted::After(cursor) => cursor,
            Wanted::Since(time) => {
                let cursor = self.hearing(store.since(&room, time)).await?;
                cursor.map_err(|error| self.cannot_read(&error))?
            }
            Wanted::Last(0) => self.member.place.last,
            Wanted::Last(count) => {
                let cursor = self.hearing(store.cursor(&room, None, count.min(Limits::HISTORY))).await?;
                cursor.map_err(|error| self.cannot_read(&error))?
            }
        };
        // Later messages come through the channel. No cursor may hide them, wherever it comes from.
        self.cursor = cursor.min(self.member.place.last);
        if self.cursor < self.member.place.last {
            self.catch_up().await?;
        }
        self.say_live().await
    }

    /// Tells the peer that everything after this is new, and writes all queued output.
    async fn say_live(&mut self) -> Result<(), End> {
        let room = self.member.place.room.clone();
        self.send(&ServerMessage::Live { room, cursor: self.cursor }).await
    }

    /// Catches up a reader that lagged behind the channel. Presence is not in the store, so a
    /// program is told who is there now.
    async fn refill(&mut self) -> Result<(), End> {
        self.catch_up().await?;
        if self.dialect == Dialect::Json {
            let names = self.shared.hub.ask(self.member.id, Ask::Names).await?;
            self.send(&names).await?;
        }
        Ok(())
    }

    /// Writes all messages of the store after the cursor. Used on joining, on resuming, and after a
    /// lag.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            self.ping_if_due().await?;
            let page = self.page(Purpose::CatchUp, self.cursor, Limits::PAGE).await?;
            let page = page.map_err(|error| self.cannot_read(&error))?;
            if page.gap {
                let room = self.member.place.room.clone();
                self.send(&ServerMessage::Gap { room }).await?;
            }
            let more = page.more;
            self.write_batch(&Batch::messages(page.messages)).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Returns a page of the room, once it is this connection's turn to read one.
    async fn page(&mut self, purpose: Purpose, after: MessageId, limit: u32) -> Result<Result<Page, StoreError>, End> {
        let (shared, address, room) = (self.shared, self.address, self.member.place.room.clone());
        let page = async {
            let _turn = shared.pages.take(purpose, address).await;
            shared.store.page(&room, after, limit).await
        };
        self.hearing(page).await
    }

    /// Returns the end of a session that cannot be caught up. The operator is told.
    fn cannot_read(&self, error: &StoreError) -> End {
        self.shared.complaints.log("somebody could not be caught up", error);
        End::Failed
    }

    /// Writes a batch together with everything else that has come by then.
    async fn follow(&mut self, batch: &Batch) -> Result<(), End> {
        let mut frames = self.unseen(batch);
        if self.member.place.receiver.is_empty() {
            // This is the usual case, and usually the socket takes all of it.
            frames.advance(self.socket.write_now(&frames).await);
            if frames.is_empty() {
                return Ok(());
            }
        }
        let mut gathered = FrameQueue::default();
        gathered.push(frames);
        Box::pin(self.write_gathered(gathered)).await
    }

    /// Writes everything that the room has been sent up to now.
    async fn drain(&mut self) -> Result<(), End> {
        while !self.member.place.receiver.is_empty() {
            self.fan_out().await?;
        }
        Ok(())
    }

    /// Writes what is in the channel now, or as much of it as one write takes.
    async fn fan_out(&mut self) -> Result<(), End> {
        self.write_gathered(FrameQueue::default()).await
    }

    async fn write_gathered(&mut self, mut frames: FrameQueue) -> Result<(), End> {
        let mut lagged = false;
        while frames.len() < GATHER && !lagged {
            match self.member.place.receiver.try_recv() {
                Ok(batch) => frames.push(self.unseen(&batch)),
                Err(TryRecvError::Lagged(_)) => lagged = true,
                // A closed channel is reported again at the next read, which ends the session.
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.write(frames).await?;
        if lagged { Box::pin(self.refill()).await } else { Ok(()) }
    }

    /// Returns the part of a batch that this session has not written. The caller must write it.
    fn unseen(&mut self, batch: &Batch) -> Bytes {
        let frames = batch.unseen(self.dialect, self.member.id, self.cursor);
        self.cursor = self.cursor.max(batch.last().unwrap_or_default());
        frames
    }

    async fn write_batch(&mut self, batch: &Batch) -> Result<(), End> {
        let mut frames = FrameQueue::default();
        frames.push(self.unseen(batch));
        self.write(frames).await
    }

    /// Writes an event of the mailbox.
    async fn for_us_alone(&mut self, event: &ServerMessage) -> Result<(), End> {
        match event {
            ServerMessage::Private(private) => {
                self.last_private = Some(To { nick: private.from.clone(), peer: private.peer });
            }
            // The echo of a duplicate. The reader uses it as a cursor, so earlier messages go
            // first.
            ServerMessage::Message(_) => self.drain().await?,
            _ => {}
        }
        self.send(event).await?;
        if is_owed(event) {
            self.owed_written += 1;
            self.ask_to_confirm().await?;
        }
        Ok(())
    }

    async fn send(&mut self, event: &ServerMessage) -> Result<(), End> {
        let mut out = Vec::new();
        push_frame(self.dialect, event, &mut out);
        self.write(out.into()).await
    }
}

/// Returns the last tick before `at`. Pings are sent on ticks, a few times a second. An idle server
/// that wakes for each ping alone uses several times the CPU.
fn tick(started: Instant, at: Instant) -> Instant {
    /// [`Limits::PING_EVERY`] is a whole number of ticks, so that all pings of a connection fall on
    /// a tick.
    const TICK: Duration = Duration::from_millis(250);
    let since = at.saturating_duration_since(started);
    let past = since.as_nanos() % TICK.as_nanos();
    at - Duration::from_nanos(u64::try_from(past).unwrap_or_default())
}

#[cfg(test)]
mod tests;
