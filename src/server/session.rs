//! One connection's life, in one task: it comes in, is caught up, and then speaks and hears until it ends; why it ended is its
//! result.
//!
//! Reading comes first, so that bursts become batches, but not for ever. While a write waits for the peer nothing is read: a
//! peer that takes nothing is not heard either, until its deadline.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, push_frame},
    end::End,
    http::Opening,
    hub::{Ask, Hub, Place, Seat},
    rate::Rate,
    socket::{Frames, Incoming, Socket},
};
use crate::{
    log::Log,
    room::{Arrival, IfTaken},
    wire::{
        ClientHello, ClientMessage, Dialect, ErrorCode, Failure, Hex, Kind, Limits, MessageId, Nick, RoomName,
        ServerMessage, SessionToken, Topic, Welcome,
        command::{self, Command, Line},
        json,
    },
};

/// Reads in a row before whatever waits to be written has its turn.
const READS_IN_A_ROW: u32 = 64;
/// Bytes gathered from the ring for one write.
const GATHER: usize = 256 * 1024;

/// What all sessions share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) log: Log,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    /// Messages a second a connection.
    pub(crate) rate: Option<Rate>,
    /// Whose pages may connect, besides our own.
    pub(crate) origins: Arc<[String]>,
}

/// Lives a connection's life and returns why it ended; the peer has been told, where it could be.
pub(crate) async fn run<S>(mut socket: Socket<S>, opening: Opening, shared: Shared) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let entered = Entering { socket: &mut socket, shared: &shared }.enter(opening).await;
    let end = match entered {
        Err(end) => end,
        Ok((seat, dialect, wanted)) => {
            let mut session = Session::new(&mut socket, &shared, dialect, seat);
            let end = session.live(wanted).await.err().unwrap_or(End::Quit);
            shared.hub.leave(session.seat.id, dialect == Dialect::Text || end.is_for_good()).await;
            end
        }
    };
    if let Some((code, reason)) = end.goodbye() {
        socket.close(code, reason).await;
    }
    end
}

/// Which messages a newcomer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Everything after this.
    After(MessageId),
    /// The latest.
    Last(u32),
}

/// A connection that has no seat yet.
struct Entering<'a, S> {
    socket: &'a mut Socket<S>,
    shared: &'a Shared,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Entering<'_, S> {
    /// Finds a seat and says welcome.
    async fn enter(&mut self, opening: Opening) -> Result<(Seat, Dialect, Wanted), End> {
        let Opening { dialect, room, nick, complaint, history } = opening;
        match dialect {
            Dialect::Text => {
                let wanted = nick.clone();
                let seat =
                    self.arrive(SessionToken(random()?), nick, IfTaken::Next, room).await?.map_err(|_| End::Failed)?;
                let mut out = Vec::new();
                if let Some(complaint) = complaint {
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::Other, complaint)), &mut out);
                }
                if let Some(wanted) = wanted.filter(|wanted| *wanted != seat.nick) {
                    let words = format!("{wanted} is taken; you are {}", seat.nick);
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::NickTaken, words)), &mut out);
                }
                push_frame(dialect, &welcome(&seat, None), &mut out);
                self.socket.write(out.into()).await?;
                Ok((seat, dialect, Wanted::Last(history.unwrap_or(Limits::TEXT_HISTORY))))
            }
            Dialect::Json => {
                let server = concat!("broadcast-chat/", env!("CARGO_PKG_VERSION")).to_owned();
                self.send(&ServerMessage::Hello { server, nonce: random()? }).await?;
                let deadline = Instant::now() + Limits::HELLO;
                loop {
                    let hello = timeout_at(deadline, self.hello()).await.map_err(|_| End::NoHello)??;
                    let room = hello.room.unwrap_or_else(|| room.clone());
                    let token = hello.session.map_or_else(|| random().map(SessionToken), Ok)?;
                    let nick = hello.nick.or_else(|| nick.clone());
                    match self.arrive(token, nick, IfTaken::Refuse, room).await? {
                        Ok(seat) => {
                            self.send(&welcome(&seat, Some(token))).await?;
                            let latest = Wanted::Last(hello.history.or(history).unwrap_or(Limits::JSON_HISTORY));
                            let known = hello.epoch.is_none_or(|epoch| epoch == seat.epoch);
                            let wanted = hello.after.filter(|_| known).map_or(latest, Wanted::After);
                            return Ok((seat, dialect, wanted));
                        }
                        Err(failure) => self.send(&ServerMessage::Error(failure)).await?,
                    }
                }
            }
        }
    }

    async fn arrive(
        &self,
        token: SessionToken,
        nick: Option<Nick>,
        if_taken: IfTaken,
        room: RoomName,
    ) -> Result<Result<Seat, Failure>, End> {
        let arrival = Arrival { author: token.author(), nick, if_taken, room };
        Ok(self.shared.hub.arrive(arrival).await?)
    }

    /// Returns the client's `hello`, answering whatever comes before it.
    async fn hello(&mut self) -> Result<ClientHello, End> {
        loop {
            let incoming = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Err(End::Stopping),
                incoming = self.socket.next() => incoming,
            };
            let failure = match incoming {
                Incoming::Text(frame) => match json::decode_client(&frame) {
                    Ok(ClientMessage::Hello(hello)) => return Ok(hello),
                    Ok(ClientMessage::Quit) => return Err(End::Quit),
                    Ok(_) => Failure::new(ErrorCode::UnexpectedHello, "say hello first"),
                    Err(failure) => failure,
                },
                Incoming::Alive => {
                    self.socket.flush().await?;
                    continue;
                }
                other => return Err(other.into()),
            };
            self.send(&ServerMessage::Error(failure)).await?;
        }
    }

    async fn send(&mut self, event: &ServerMessage) -> Result<(), End> {
        let mut out = Vec::new();
        push_frame(Dialect::Json, event, &mut out);
        Ok(self.socket.write(out.into()).await?)
    }
}

fn welcome(seat: &Seat, session: Option<SessionToken>) -> ServerMessage {
    let Seat { nick, epoch, resumed, place, .. } = seat;
    let (nick, view) = (nick.clone(), place.view.clone());
    ServerMessage::Welcome(Welcome { nick, session, epoch: *epoch, resumed: *resumed, view })
}

/// A connection that has a seat.
struct Session<'a, S> {
    socket: &'a mut Socket<S>,
    shared: &'a Shared,
    dialect: Dialect,
    seat: Seat,
    /// Everything of this room up to here has been written.
    cursor: MessageId,
    /// Who said the last private message, for `/reply`.
    last_private: Option<Nick>,
    started: Instant,
    /// Messages and commands.
    rate: Option<Rate>,
    /// Frames that carry nothing.
    control: Option<Rate>,
    /// Something said too early, and when its turn is: nothing else is read until then.
    held: Option<(Option<ClientMessage>, Instant)>,
    /// When the peer was last told that it is too fast.
    told_slow: Option<Instant>,
    last_seen: Instant,
    next_ping: Instant,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(socket: &'a mut Socket<S>, shared: &'a Shared, dialect: Dialect, seat: Seat) -> Self {
        let now = Instant::now();
        Self {
            socket,
            shared,
            dialect,
            cursor: seat.place.last,
            seat,
            last_private: None,
            started: now,
            rate: shared.rate,
            control: Rate::new(Limits::CONTROL_RATE, 2 * Limits::CONTROL_RATE),
            held: None,
            told_slow: None,
            last_seen: now,
            next_ping: now + Limits::PING_EVERY,
        }
    }

    /// Returns only with an error, which is why it ended.
    async fn live(&mut self, wanted: Wanted) -> Result<(), End> {
        self.come_in(wanted).await?;
        let mut reads = 0;
        loop {
            if reads >= READS_IN_A_ROW {
                reads = 0;
                self.fan_out().await?;
            }
            let timer = self.next_ping.min(self.last_seen + Limits::DEAD_AFTER);
            let held_until = self.held.as_ref().map(|(_, until)| *until);
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Err(End::Stopping),
                incoming = self.socket.next(), if held_until.is_none() => {
                    reads += 1;
                    self.incoming(incoming).await?;
                }
                () = sleep_until(held_until.unwrap_or(timer)), if held_until.is_some() => {
                    if let Some((Some(message), _)) = self.held.take() {
                        self.said(message).await?;
                    }
                }
                event = self.seat.mailbox.next() => {
                    reads = 0;
                    let event = event?;
                    if let ServerMessage::Private(private) = &*event {
                        self.last_private = Some(private.from.clone());
                    }
                    self.send(&event).await?;
                }
                batch = self.seat.place.ring.recv() => {
                    reads = 0;
                    match batch {
                        Ok(batch) => self.follow(&batch).await?,
                        Err(RecvError::Lagged(_)) => self.catch_up().await?,
                        Err(RecvError::Closed) => return Err(End::Failed),
                    }
                }
                () = sleep_until(timer) => self.tick().await?,
            }
        }
    }

    /// Catches a newcomer up with a room: the ring is subscribed already, so nothing is missed between.
    async fn come_in(&mut self, wanted: Wanted) -> Result<(), End> {
        self.cursor = match wanted {
            Wanted::After(cursor) => cursor,
            Wanted::Last(0) => self.seat.place.last,
            Wanted::Last(count) => {
                let room = &self.seat.place.view.room;
                self.shared.log.cursor(room, None, count.min(Limits::HISTORY)).await?
            }
        };
        self.catch_up().await?;
        let room = self.seat.place.view.room.clone();
        self.send(&ServerMessage::Live { room }).await
    }

    /// Writes whatever the log has after the cursor: on joining, on resuming, and when the ring ran over.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let room = &self.seat.place.view.room;
            let page = self.shared.log.page(room, self.cursor, Limits::PAGE).await?;
            if page.gap {
                let room = room.clone();
                self.send(&ServerMessage::Gap { room }).await?;
            }
            let more = page.more;
            self.write_batch(&Batch::messages(page.messages)).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Writes a batch and whatever else has come by then, together.
    async fn follow(&mut self, batch: &Batch) -> Result<(), End> {
        let mut frames = Frames::default();
        self.gather(batch, &mut frames);
        // Lets a burst become whole before it is written.
        tokio::task::yield_now().await;
        self.write_gathered(frames).await
    }

    /// Writes what is in the ring now.
    async fn fan_out(&mut self) -> Result<(), End> {
        self.write_gathered(Frames::default()).await
    }

    async fn write_gathered(&mut self, mut frames: Frames) -> Result<(), End> {
        let mut lagged = false;
        while frames.len() < GATHER && !lagged {
            match self.seat.place.ring.try_recv() {
                Ok(batch) => self.gather(&batch, &mut frames),
                Err(TryRecvError::Lagged(_)) => lagged = true,
                // Closed comes again, and ends the session there.
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if frames.len() > 0 {
            self.socket.write(frames).await?;
        }
        if lagged { self.catch_up().await } else { Ok(()) }
    }

    fn gather(&mut self, batch: &Batch, frames: &mut Frames) {
        frames.push(batch.unseen(self.dialect, self.seat.id, self.cursor));
        self.cursor = self.cursor.max(batch.last().unwrap_or_default());
    }

    async fn write_batch(&mut self, batch: &Batch) -> Result<(), End> {
        let mut frames = Frames::default();
        self.gather(batch, &mut frames);
        if frames.len() > 0 {
            self.socket.write(frames).await?;
        }
        Ok(())
    }

    async fn send(&mut self, event: &ServerMessage) -> Result<(), End> {
        let mut out = Vec::new();
        push_frame(self.dialect, event, &mut out);
        if !out.is_empty() {
            self.socket.write(out.into()).await?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.last_seen + Limits::DEAD_AFTER {
            return Err(End::Dead);
        }
        self.next_ping = now + Limits::PING_EVERY;
        Ok(self.socket.ping().await?)
    }

    async fn incoming(&mut self, incoming: Incoming) -> Result<(), End> {
        self.last_seen = Instant::now();
        let frame = match incoming {
            Incoming::Text(frame) => frame,
            Incoming::Alive => {
                self.count_control();
                return Ok(self.socket.flush().await?);
            }
            other => return Err(other.into()),
        };
        let message = match self.dialect {
            Dialect::Json => json::decode_client(&frame),
            Dialect::Text => match command::parse(&frame) {
                Ok(Line::Blank) => {
                    self.count_control();
                    return Ok(());
                }
                Ok(Line::Say(text)) => Ok(ClientMessage::Say { key: None, text }),
                Ok(Line::Command(command)) => self.typed(command),
                Err(error) => Err(Failure::new(ErrorCode::UnknownCommand, error.to_string())),
            },
        };
        let now = self.started.elapsed();
        let wait = self.rate.as_mut().map_or(Duration::ZERO, |rate| rate.reserve(now));
        match message {
            Ok(message) if wait.is_zero() => self.said(message).await,
            Ok(message) => self.hold(Some(message), wait).await,
            Err(failure) => {
                self.send(&ServerMessage::Error(failure)).await?;
                if wait.is_zero() { Ok(()) } else { self.hold(None, wait).await }
            }
        }
    }

    /// Counts a frame that carries nothing; past the rate of these, reading waits.
    fn count_control(&mut self) {
        let wait = self.control.as_mut().map_or(Duration::ZERO, |rate| rate.reserve(self.started.elapsed()));
        if !wait.is_zero() {
            self.held = Some((None, Instant::now() + wait));
        }
    }

    /// Keeps what came too early until its turn, and says so, but not more than once a second.
    async fn hold(&mut self, message: Option<ClientMessage>, wait: Duration) -> Result<(), End> {
        let now = Instant::now();
        self.held = Some((message, now + wait));
        if self.told_slow.is_some_and(|told| now < told + Duration::from_secs(1)) {
            return Ok(());
        }
        self.told_slow = Some(now);
        let next = self.rate.as_ref().map_or(wait, |rate| rate.next_in(self.started.elapsed()));
        let retry_after_ms = u64::try_from(next.as_millis()).unwrap_or(u64::MAX);
        self.send(&ServerMessage::Slow { retry_after_ms }).await
    }

    /// Returns what a typed command means as a message, or why it means nothing here.
    fn typed(&self, command: Command) -> Result<ClientMessage, Failure> {
        Ok(match command {
            Command::Help => return Err(Failure::new(ErrorCode::Other, command::help())),
            Command::Join(room) => ClientMessage::Join { room, history: None },
            Command::Rooms => ClientMessage::Rooms,
            Command::Names => ClientMessage::Names,
            Command::Nick(nick) => ClientMessage::Nick { nick },
            Command::Me(text) => ClientMessage::Me { key: None, text },
            Command::Msg(to, text) => ClientMessage::Msg { key: None, to, text },
            Command::Reply(text) => match self.last_private.clone() {
                Some(to) => ClientMessage::Msg { key: None, to, text },
                None => return Err(Failure::new(ErrorCode::NoSuchNick, "nobody has told you anything yet")),
            },
            Command::Topic => ClientMessage::Topic,
            Command::SetTopic(text) => ClientMessage::SetTopic { key: None, text },
            Command::History(limit) => ClientMessage::History { before: None, limit },
            Command::Quit => ClientMessage::Quit,
        })
    }

    /// Does what was said.
    async fn said(&mut self, message: ClientMessage) -> Result<(), End> {
        let hub = &self.shared.hub;
        let id = self.seat.id;
        let answer = match message {
            ClientMessage::Say { key, text } => return Ok(hub.say(id, Kind::Say, Some(text), key).await?),
            ClientMessage::Me { key, text } => return Ok(hub.say(id, Kind::Me, Some(text), key).await?),
            ClientMessage::SetTopic { key, text } => {
                return Ok(hub.say(id, Kind::Topic, text.map(Topic::into_body), key).await?);
            }
            ClientMessage::Join { room, history } => return self.go(room, history).await,
            ClientMessage::History { before, limit } => return self.history(before, limit).await,
            ClientMessage::Quit => return Err(End::Quit),
            ClientMessage::Hello(_) => {
                ServerMessage::Error(Failure::new(ErrorCode::UnexpectedHello, "hello was said already"))
            }
            ClientMessage::Msg { key, to, text } => hub.ask(id, Ask::Tell { to, text, key }).await?,
            ClientMessage::Nick { nick } => hub.ask(id, Ask::Rename(nick)).await?,
            ClientMessage::Names => hub.ask(id, Ask::Names).await?,
            ClientMessage::Rooms => hub.ask(id, Ask::Rooms).await?,
            ClientMessage::Topic => hub.ask(id, Ask::Topic).await?,
        };
        self.send(&answer).await
    }

    async fn go(&mut self, room: RoomName, history: Option<u32>) -> Result<(), End> {
        if room != self.seat.place.view.room {
            // What was said here before one left is one's own to read.
            self.fan_out().await?;
        }
        let place: Place = self.shared.hub.go(self.seat.id, room).await?;
        let stays = place.view.room == self.seat.place.view.room;
        self.send(&ServerMessage::Joined(place.view.clone())).await?;
        if stays {
            return Ok(());
        }
        self.seat.place = place;
        let usual = if self.dialect == Dialect::Text { Limits::TEXT_HISTORY } else { Limits::JSON_HISTORY };
        self.come_in(Wanted::Last(history.unwrap_or(usual))).await
    }

    /// Writes a page of older messages, in as many events as it takes.
    async fn history(&mut self, before: Option<MessageId>, limit: Option<u32>) -> Result<(), End> {
        let room = self.seat.place.view.room.clone();
        let mut left = limit.unwrap_or(Limits::TEXT_HISTORY).min(Limits::HISTORY);
        let mut cursor = self.shared.log.cursor(&room, before, left).await?;
        let end = before.unwrap_or(MessageId(u64::MAX));
        let mut event = Vec::new();
        let mut size = 0;
        loop {
            let page = self.shared.log.page(&room, cursor, left.min(Limits::PAGE)).await?;
            let (more, last) = (page.more, page.messages.last().map(|message| message.id));
            for message in page.messages.into_iter().filter(|message| message.id < end) {
                left = left.saturating_sub(1);
                // JSON at worst doubles a text, and what surrounds it is bounded.
                let length = 512 + 2 * message.text.as_ref().map_or(0, |text| text.as_str().len());
                if size + length > Limits::HISTORY_PAYLOAD && !event.is_empty() {
                    let messages = std::mem::take(&mut event);
                    self.send(&ServerMessage::History { room: room.clone(), messages, more: true }).await?;
                    size = 0;
                }
                size += length;
                event.push(message);
            }
            match last {
                Some(last) if more && left > 0 && last < end => cursor = last,
                _ => break,
            }
        }
        self.send(&ServerMessage::History { room, messages: event, more: false }).await
    }
}

/// Returns `N` bytes that nobody can guess.
fn random<const N: usize>() -> Result<Hex<N>, End> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| End::Failed)?;
    Ok(Hex(bytes))
}
