//! Moves the frames of one connection in both directions until one side closes it or it is dead.

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

/// Without a sign of life for this long, the client sends a ping.
const PROBE_AFTER: Duration = Duration::from_secs(20);

/// Without a sign of life for this long, the connection is dead. A live server has sent a ping or
/// answered ours.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// The maximum number of frames that are taken at once if more are available. It is large enough
/// that waiting and waking the reader cost almost nothing per frame, and small enough that commands
/// and the end of the connection are not delayed.
const BURST: usize = 64;

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The task was told to stop, or nobody reads its events any more.
    Stopped,
    /// The server reports that another connection took over the session.
    TakenOver,
    /// The server sent a frame larger than we accept. The text is for the user.
    TooBig(String),
    /// Any other end. The text is for the user.
    Dropped(String),
}

/// Moves frames in both directions until the connection ends. Stores in `alive` the uptime of the
/// machine when something last arrived.
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
    // Frames that do not fit into the event queue. Nothing more is read until they do.
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
                    // Send no close frame: code 1000 would mean that the user has left permanently.
                    return Ended::Dropped("given up by us".to_owned());
                }
                None => return Ended::Stopped,
            },
            slot = events.reserve(), if !held.is_empty() => {
                let (Ok(slot), Some(frame)) = (slot, held.pop_front()) else { return Ended::Stopped };
                slot.send(ConnectionEvent::Frame(frame));
                hand_on(&mut held, events);
                // The server was not read while the event queue was full, so its silence means
                // nothing.
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

/// What to send on a connection that has ended, after its frames were passed on.
#[derive(Debug, Clone, Copy)]
enum Farewell {
    /// The rest of the close handshake.
    Close,
    /// Only what the library has queued. A close frame of ours with code 1000 would mean that the
    /// user has left permanently.
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

/// Handles `item` and the messages that are already available, at most one burst, without waiting.
/// Appends text frames to `held`. Returns how the connection ended, if it did.
async fn take<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    mut item: Option<Result<Message, tokio_websockets::Error>>,
    held: &mut VecDeque<String>,
) -> Option<(Ended, Farewell)> {
    for taken in 1.. {
        match item {
            Some(Ok(message)) if message.is_ping() => {
                // The library has queued the pong. Without a flush, a flood of pings would fill
                // that queue.
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

/// Moves frames from `held` to the event queue as far as it has capacity.
fn hand_on(held: &mut VecDeque<String>, events: &mpsc::Sender<ConnectionEvent>) {
    while let Some(frame) = held.pop_front() {
        // The wait for capacity detects a receiver that is gone.
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

/// Sends the frames that were queued before the end, then closes the connection as RFC 6455 section
/// 7.1.1 requires.
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

/// Performs the close handshake, or the rest of it, with a timeout. It does not matter whether the
/// server takes part.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) {
    let until = Instant::now() + Limits::CLOSE;
    drop(timeout_at(until, stream.send(Message::close(Some(CloseCode::NORMAL_CLOSURE), ""))).await);
    drop(timeout_at(until, async { while let Some(Ok(_)) = stream.next().await {} }).await);
}

/// Returns the end that the server announced before a write failed. Its close frame may still be
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

/// Returns why the server closed the connection, in its own words if it sent any.
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
