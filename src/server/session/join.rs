//! A connection that joins: who it is, which room it joins, and the welcome.

use std::net::IpAddr;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Pace, Shared, read_topic};
use crate::{
    protocol::{
        ClientHello, ClientMessage, Dialect, ErrorCode, Failure, Hex, Limits, MessageId, RoomView, ServerMessage,
        SessionToken, Timestamp, Welcome, json,
    },
    rooms::{Arrival, IfTaken},
    server::{
        Transport,
        handshake::negotiate::HandshakeRequest,
        hub::batch::push_frame,
        hub::handle::Membership,
        session::end_reason::End,
        websocket::{Incoming, Socket},
    },
    store::{Known, wall_clock},
};

/// The messages that a newcomer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All after this cursor.
    After(MessageId),
    /// All of this time and later.
    Since(Timestamp),
    /// The latest ones, at most this many.
    Last(u32),
}

/// A connection that has not joined yet.
pub(super) struct Entering<'a, S> {
    socket: &'a mut Socket<S>,
    shared: &'a Shared,
    pace: &'a mut Pace,
    /// The address that its membership is charged to.
    address: IpAddr,
    /// Frames that were refused or carried nothing came too fast. The next frame is read at this
    /// time.
    not_before: Instant,
}

impl<'a, S: Transport> Entering<'a, S> {
    pub(super) fn new(socket: &'a mut Socket<S>, shared: &'a Shared, pace: &'a mut Pace, address: IpAddr) -> Self {
        Self { socket, shared, pace, address, not_before: Instant::now() }
    }

    /// Joins the room, and queues the welcome, which is written together with the first messages of
    /// the room.
    pub(super) async fn enter(&mut self, opening: HandshakeRequest) -> Result<(Membership, Dialect, Wanted), End> {
        let HandshakeRequest { dialect, room, nick, complaint, history } = opening;
        match dialect {
            Dialect::Text => {
                let wanted = nick.clone();
                // Without a token, no other connection can show that it is the same person.
                let arrival = Arrival {
                    author: random()?,
                    address: self.address,
                    nick,
                    if_taken: IfTaken::Next,
                    room,
                    can_return: false,
                    returning: false,
                };
                let (mut member, mut view) = self.shared.hub.arrive(arrival).await?.map_err(|_| End::Failed)?;
                read_topic(self.shared, member.id, &mut member.place, &mut view).await?;
                let mut out = Vec::new();
                if let Some(complaint) = complaint {
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::Other, complaint)), &mut out);
                }
                if let Some(wanted) = wanted.filter(|wanted| *wanted != member.nick) {
                    let words = format!("{wanted} is taken; you are {}", member.nick);
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::NickTaken, words)), &mut out);
                }
                push_frame(dialect, &welcome(&member, view, None, None), &mut out);
                self.socket.queue(&out);
                Ok((member, dialect, Wanted::Last(history.unwrap_or(Limits::TEXT_HISTORY))))
            }
            Dialect::Json => {
                let server = concat!("broadcast-chat/", env!("CARGO_PKG_VERSION")).to_owned();
                self.send(&ServerMessage::Hello { server, nonce: random()? }).await?;
                let deadline = Instant::now() + Limits::HELLO;
                let mut left = Limits::HELLOS;
                loop {
                    let hello = timeout_at(deadline, self.hello(&mut left)).await.map_err(|_| End::NoHello)??;
                    let token = hello.session.map_or_else(|| random().map(SessionToken), Ok)?;
                    let arrival = Arrival {
                        author: token.author(),
                        address: self.address,
                        nick: hello.nick.or_else(|| nick.clone()),
                        if_taken: IfTaken::Refuse,
                        room: hello.room.unwrap_or_else(|| room.clone()),
                        can_return: true,
                        returning: hello.session.is_some() && hello.epoch.is_some(),
                    };
                    match self.shared.hub.arrive(arrival).await? {
                        Ok((mut member, mut view)) => {
                            read_topic(self.shared, member.id, &mut member.place, &mut view).await?;
                            let known = Known { epoch: hello.epoch, run: hello.run, after: hello.after };
                            let shared = self.shared.store.runs().shared(known, member.place.last);
                            let mut out = Vec::new();
                            push_frame(dialect, &welcome(&member, view, Some(token), shared), &mut out);
                            self.socket.queue(&out);
                            // A cursor after the end of the shared history would hide all new
                            // messages.
                            let after = match shared {
                                None => hello.after,
                                Some(MessageId(0)) => None,
                                Some(shared) => hello.after.map(|after| after.min(shared)),
                            };
                            let wanted = match (after, hello.since) {
                                (Some(cursor), _) => Wanted::After(cursor),
                                (None, Some(seconds)) => Wanted::Since(Timestamp(
                                    wall_clock().0.saturating_sub(seconds.saturating_mul(1000)),
                                )),
                                (None, None) => Wanted::Last(hello.history.or(history).unwrap_or(Limits::JSON_HISTORY)),
                            };
                            return Ok((member, dialect, wanted));
                        }
                        Err(failure) => self.refuse(failure, &mut left).await?,
                    }
                }
            }
        }
    }

    /// Returns the client's `hello`, and answers everything before it. `left` is how much of that
    /// may still come.
    async fn hello(&mut self, left: &mut u32) -> Result<ClientHello, End> {
        loop {
            let Self { socket, shared, not_before, .. } = self;
            let next = async {
                if *not_before > Instant::now() {
                    sleep_until(*not_before).await;
                }
                socket.next().await
            };
            let incoming = tokio::select! {
                biased;
                () = shared.stop.cancelled() => return Err(End::Stopping),
                incoming = next => incoming,
            };
            let failure = match incoming {
                Incoming::Text(frame) => match json::decode_client(frame.as_str()) {
                    Ok(ClientMessage::Hello(hello)) => return Ok(hello),
                    Ok(ClientMessage::Quit) => return Err(End::Quit),
                    Ok(_) => Failure::new(ErrorCode::UnexpectedHello, "say hello first"),
                    Err(failure) => failure,
                },
                Incoming::Alive | Incoming::Confirmed(_) => {
                    let now = Instant::now();
                    self.not_before = now + self.pace.control(now);
                    self.socket.flush().await?;
                    continue;
                }
                other => return Err(other.into()),
            };
            self.refuse(failure, left).await?;
        }
    }

    /// Tells the peer why something was refused. Each refusal counts as a message, and too many of
    /// them end the session.
    async fn refuse(&mut self, failure: Failure, left: &mut u32) -> Result<(), End> {
        *left = left.checked_sub(1).ok_or(End::TooManyHellos)?;
        let now = Instant::now();
        self.not_before = now + self.pace.message(1, now);
        self.send(&ServerMessage::Error(failure)).await
    }

    async fn send(&mut self, event: &ServerMessage) -> Result<(), End> {
        let mut out = Vec::new();
        push_frame(Dialect::Json, event, &mut out);
        Ok(self.socket.write(out.into()).await?)
    }
}

fn welcome(
    member: &Membership,
    view: RoomView,
    session: Option<SessionToken>,
    shared: Option<MessageId>,
) -> ServerMessage {
    let Membership { epoch, run, resumed, .. } = *member;
    let nick = member.nick.clone();
    ServerMessage::Welcome(Welcome { nick, session, epoch, run: Some(run), shared, resumed, view })
}

/// Returns `N` random bytes that nobody can guess.
fn random<const N: usize>() -> Result<Hex<N>, End> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| End::Failed)?;
    Ok(Hex(bytes))
}
