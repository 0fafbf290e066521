//! A connection on its way in: who it is, where it goes, and the welcome.

use tokio::time::{Instant, timeout_at};

use super::Shared;
use crate::{
    log::wall_clock,
    room::{Arrival, IfTaken},
    server::{
        Transport,
        batch::push_frame,
        end::End,
        hub::Seat,
        opening::Opening,
        socket::{Incoming, Socket},
    },
    wire::{
        ClientHello, ClientMessage, Dialect, ErrorCode, Failure, Hex, Limits, MessageId, RoomView, ServerMessage,
        SessionToken, Timestamp, Welcome, json,
    },
};

/// Which messages a newcomer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything after this.
    After(MessageId),
    /// Everything of this time and later.
    Since(Timestamp),
    /// The latest.
    Last(u32),
}

/// A connection that has no seat yet.
pub(super) struct Entering<'a, S> {
    socket: &'a mut Socket<S>,
    shared: &'a Shared,
}

impl<'a, S: Transport> Entering<'a, S> {
    pub(super) fn new(socket: &'a mut Socket<S>, shared: &'a Shared) -> Self {
        Self { socket, shared }
    }

    /// Finds a seat, and queues the welcome: it leaves with what the room has said.
    pub(super) async fn enter(&mut self, opening: Opening) -> Result<(Seat, Dialect, Wanted), End> {
        let Opening { dialect, room, nick, complaint, history } = opening;
        match dialect {
            Dialect::Text => {
                let wanted = nick.clone();
                // Without a token nobody else can show that they are the same person.
                let arrival = Arrival { author: random()?, nick, if_taken: IfTaken::Next, room, returning: false };
                let (seat, view) = self.shared.hub.arrive(arrival).await?.map_err(|_| End::Failed)?;
                let mut out = Vec::new();
                if let Some(complaint) = complaint {
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::Other, complaint)), &mut out);
                }
                if let Some(wanted) = wanted.filter(|wanted| *wanted != seat.nick) {
                    let words = format!("{wanted} is taken; you are {}", seat.nick);
                    push_frame(dialect, &ServerMessage::Error(Failure::new(ErrorCode::NickTaken, words)), &mut out);
                }
                push_frame(dialect, &welcome(&seat, view, None), &mut out);
                self.socket.queue(&out);
                Ok((seat, dialect, Wanted::Last(history.unwrap_or(Limits::TEXT_HISTORY))))
            }
            Dialect::Json => {
                let server = concat!("broadcast-chat/", env!("CARGO_PKG_VERSION")).to_owned();
                self.send(&ServerMessage::Hello { server, nonce: random()? }).await?;
                let deadline = Instant::now() + Limits::HELLO;
                loop {
                    let hello = timeout_at(deadline, self.hello()).await.map_err(|_| End::NoHello)??;
                    let token = hello.session.map_or_else(|| random().map(SessionToken), Ok)?;
                    let arrival = Arrival {
                        author: token.author(),
                        nick: hello.nick.or_else(|| nick.clone()),
                        if_taken: IfTaken::Refuse,
                        room: hello.room.unwrap_or_else(|| room.clone()),
                        returning: hello.session.is_some() && hello.epoch.is_some(),
                    };
                    match self.shared.hub.arrive(arrival).await? {
                        Ok((seat, view)) => {
                            let mut out = Vec::new();
                            push_frame(dialect, &welcome(&seat, view, Some(token)), &mut out);
                            self.socket.queue(&out);
                            let known = hello.epoch.is_none_or(|epoch| epoch == seat.epoch);
                            let wanted = match (hello.after.filter(|_| known), hello.since) {
                                (Some(cursor), _) => Wanted::After(cursor),
                                (None, Some(seconds)) => Wanted::Since(Timestamp(
                                    wall_clock().0.saturating_sub(seconds.saturating_mul(1000)),
                                )),
                                (None, None) => Wanted::Last(hello.history.or(history).unwrap_or(Limits::JSON_HISTORY)),
                            };
                            return Ok((seat, dialect, wanted));
                        }
                        Err(failure) => self.send(&ServerMessage::Error(failure)).await?,
                    }
                }
            }
        }
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
                Incoming::Text(frame) => match json::decode_client(frame.as_str()) {
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

fn welcome(seat: &Seat, view: RoomView, session: Option<SessionToken>) -> ServerMessage {
    let Seat { nick, epoch, resumed, .. } = seat;
    ServerMessage::Welcome(Welcome { nick: nick.clone(), session, epoch: *epoch, resumed: *resumed, view })
}

/// Returns `N` bytes that nobody can guess.
fn random<const N: usize>() -> Result<Hex<N>, End> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| End::Failed)?;
    Ok(Hex(bytes))
}
