//! One connection's life: frames in, frames out, until one side ends it or it is dead.

use std::{collections::VecDeque, future::poll_fn, task::Poll, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tokio_websockets::{CloseCode, Message, WebSocketStream};

use super::{CommandKind, ConnectionCommand, ConnectionEvent, connect::explain};
use crate::{
    os,
    protocol::{CLOSE_TAKEN_OVER, Limits, sanitize},
};

/// Without a sign of life for so long, we ask for one.
const PROBE_AFTER: Duration = Duration::from_secs(20);

/// Without one for so long, the connection is dead: a server that lives has pinged, or answered our
/// ping.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// Frames that are taken at one go while more are there: enough that to wait for one and to wake
/// its reader costs nothing a frame, few enough that orders and the end need not wait.
const BURST: usize = 64;

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// We were told to stop, or nobody reads our events any more.
    Stopped,
    /// The server says that the session goes on in another connection.
    TakenOver,
    /// The server said more at once than we take, in words.
    TooBig(String),
    /// Anything else, in words.
    Dropped(String),
}

/// Moves frames both ways until the connection ends. Leaves in `alive` how long the machine was up
/// when something came last.
pub(super) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    connection: u64,
    mut stream: WebSocketStream<S>,
    orders: &mut mpsc::Receiver<ConnectionCommand>,
    events: &mpsc::Sender<ConnectionEvent>,
    stop: &CancellationToken,
    alive: &mut Duration,
) -> Ended {
    let mut heard = Instant::now();
    let mut probed = false;
    // Frames that their reader has no room for yet; until it has, nothing more is read.
    let mut held = VecDeque::new();
    let mut last: Option<(Ended, Farewell)> = None;
    loop {
        if held.is_empty()
            && let Some((ended, farewell)) = last.take()
        {
            farewell.say(&mut stream).await;
            return ended;
        }
        let patience = if probed { DEAD_AFTER } else { PROBE_AFTER };
        tokio::select! {
            () = stop.cancelled() => {
                finish(connection, stream, orders).await;
                return Ended::Stopped;
            }
            order = orders.recv() => match order {
                Some(order) if order.connection != connection => {}
                Some(ConnectionCommand { what: CommandKind::Frame(frame), .. }) => {
                    if let Err(ended) = write(&mut stream, Message::text(frame)).await {
                        return last_words(&mut stream).await.unwrap_or(ended);
                    }
                }
                Some(ConnectionCommand { what: CommandKind::Retry, .. }) => {}
                Some(ConnectionCommand { what: CommandKind::Reconnect, .. }) => {
                    // Without a close frame: 1000 would say that its person has left for good.
                    return Ended::Dropped("given up by us".to_owned());
                }
                None => return Ended::Stopped,
            },
            slot = events.reserve(), if !held.is_empty() => {
                let (Ok(slot), Some(frame)) = (slot, held.pop_front()) else { return Ended::Stopped };
                slot.send(ConnectionEvent::Frame(frame));
                hand_on(&mut held, events);
                // While its reader was slow, the server was not read: its silence means nothing.
                heard = Instant::now();
            }
            message = stream.next(), if held.is_empty() => {
                heard = Instant::now();
                *alive = os::uptime();
                probed = false;
                last = take(&mut stream, message, &mut held).await;
                hand_on(&mut held, events);
            }
            () = sleep_until(heard + patience), if held.is_empty() => {
                if probed {
                    return Ended::Dropped("the server does not answer".to_owned());
                }
                probed = true;
                if let Err(ended) = write(&mut stream, Message::ping("")).await {
                    return ended;
                }
            }
        }
    }
}

/// What is left to be said on a connection that has ended, once its frames are handed on.
#[derive(Debug, Clone, Copy)]
enum Farewell {
    /// The rest of the close handshake.
    Close,
    /// Only what the library has to say to it: a 1000 of ours would say that its person has left
    /// for good.
    Flush,
    Nothing,
}

impl Farewell {
    async fn say<S: AsyncRead + AsyncWrite + Unpin>(self, stream: &mut WebSocketStream<S>) {
        match self {
            Self::Close => close(stream).await,
            Self::Flush => drop(flush(stream).await),
            Self::Nothing => {}
        }
    }
}

/// Takes `item` and what is there behind it, without waiting, up to a burst: text frames are to be
/// `held`. Returns how the connection has ended, if it has.
async fn take<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    mut item: Option<Result<Message, tokio_websockets::Error>>,
    held: &mut VecDeque<String>,
) -> Option<(Ended, Farewell)> {
    for taken in 1.. {
        match item {
            Some(Ok(message)) if message.is_ping() => {
                // The library has queued the pong; unflushed, a flood of pings would fill that
                // queue.
                if let Err(ended) = flush(stream).await {
                    return Some((ended, Farewell::Nothing));
                }
            }
            Some(Ok(message)) => {
                if let Some((code, reason)) = message.as_close() {
                    return Some((closed(code, reason), Farewell::Close));
                }
                held.extend(message.as_text().map(str::to_owned));
            }
            Some(Err(error)) => {
                let is_too_big = matches!(error, tokio_websockets::Error::PayloadTooLong { .. });
                let ended = if is_too_big { Ended::TooBig } else { Ended::Dropped };
                return Some((ended(explain(&error)), Farewell::Flush));
            }
            None => return Some((Ended::Dropped("the server closed the connection".to_owned()), Farewell::Nothing)),
        }
        if taken == BURST {
            break;
        }
        item = match poll_fn(|cx| Poll::Ready(stream.poll_next_unpin(cx))).await {
            Poll::Ready(item) => item,
            Poll::Pending => break,
        };
    }
    None
}

/// Gives the reader the frames that it has room for.
fn hand_on(held: &mut VecDeque<String>, events: &mpsc::Sender<ConnectionEvent>) {
    while let Some(frame) = held.pop_front() {
        // A reader that is gone is found when room is waited for.
        if let Err(
            TrySendError::Full(ConnectionEvent::Frame(frame)) | TrySendError::Closed(ConnectionEvent::Frame(frame)),
        ) = events.try_send(ConnectionEvent::Frame(frame))
        {
            return held.push_front(frame);
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    message: Message,
) -> Result<(), Ended> {
    settle(timeout(Limits::WRITE, stream.send(message)).await)
}

async fn flush<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) -> Result<(), Ended> {
    settle(timeout(Limits::WRITE, stream.flush()).await)
}

fn settle(written: Result<Result<(), tokio_websockets::Error>, tokio::time::error::Elapsed>) -> Result<(), Ended> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ended::Dropped(explain(&error))),
        Err(_) => Err(Ended::Dropped("the server takes nothing any more".to_owned())),
    }
}

/// Sends what was ordered before the end, then closes as RFC 6455 section 7.1.1 has it.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(
    connection: u64,
    mut stream: WebSocketStream<S>,
    orders: &mut mpsc::Receiver<ConnectionCommand>,
) {
    orders.close();
    while let Some(order) = orders.recv().await {
        if let ConnectionCommand { connection: meant, what: CommandKind::Frame(frame) } = order
            && meant == connection
            && write(&mut stream, Message::text(frame)).await.is_err()
        {
            return;
        }
    }
    close(&mut stream).await;
}

/// Does the close handshake, or what is left of it, under a deadline; whether the server took part
/// makes no difference to us.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) {
    let until = Instant::now() + Limits::CLOSE;
    drop(timeout_at(until, stream.send(Message::close(Some(CloseCode::NORMAL_CLOSURE), ""))).await);
    drop(timeout_at(until, async { while let Some(Ok(_)) = stream.next().await {} }).await);
}

/// Returns what the server said before the connection broke under a write: its close frame may lie
/// unread.
async fn last_words<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) -> Option<Ended> {
    timeout(Limits::CLOSE, async {
        while let Some(Ok(message)) = stream.next().await {
            if let Some((code, reason)) = message.as_close() {
                return Some(closed(code, reason));
            }
        }
        None
    })
    .await
    .ok()
    .flatten()
}

/// Says why the server closed the connection: in its own words where it has any.
fn closed(code: CloseCode, reason: &str) -> Ended {
    let code = u16::from(code);
    let said = sanitize::line(reason);
    let said = said.trim();
    Ended::Dropped(match (code, said) {
        (CLOSE_TAKEN_OVER, _) => return Ended::TakenOver,
        (1001, "") => "the server is stopping".to_owned(),
        (1012, "") => "the server is being restarted".to_owned(),
        (1000 | 1005, "") => "the server closed the connection".to_owned(),
        (code, "") => format!("the server closed the connection with code {code}"),
        (_, said) => said.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(words: &str) -> Ended {
        Ended::Dropped(words.to_owned())
    }

    #[test]
    fn a_close_code_is_said_in_words() {
        assert_eq!(closed(CloseCode::GOING_AWAY, ""), dropped("the server is stopping"));
        assert_eq!(closed(CloseCode::POLICY_VIOLATION, "too \u{1b}[31mmany\n\u{202e}pings"), dropped("too many pings"));
        assert_eq!(closed(CloseCode::PROTOCOL_ERROR, " "), dropped("the server closed the connection with code 1002"));
    }

    #[test]
    fn a_session_that_was_taken_over_is_not_taken_back() {
        let code = CloseCode::try_from(CLOSE_TAKEN_OVER).unwrap();
        assert_eq!(closed(code, "taken over"), Ended::TakenOver);
    }
}
