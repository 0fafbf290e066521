//! Tests of sessions over a duplex stream, with paused time: no test waits for real time.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::timeout,
};
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

use super::*;
use crate::{
    protocol::{Hex, Nick, Timestamp},
    server::{hub, websocket::prefixed_stream::PrefixedStream},
};

mod input;
mod life;
mod patience;
mod people;

/// Longer than any wait of a session.
const LONG: std::time::Duration = std::time::Duration::from_mins(10);

/// The address of all connections.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The number of lost connections from one address that keep their places.
const LOST: u32 = 3;

fn shared_over(store: Store, rate: u32, burst: u32) -> Arc<Shared> {
    let last = store.last().unwrap_or_default();
    let (hub, task) = hub::task::open(store.clone(), last, Timestamp(0), LOST);
    tokio::spawn(task);
    let origins = Vec::new();
    let (started, stop) = (Instant::now(), CancellationToken::new());
    let (complaints, pages, searches) = (Complaints::default(), Turns::new(Store::PAGES_AT_ONCE), Turns::new(1));
    Arc::new(Shared { hub, store, started, stop, rate: Rate::new(rate, burst), complaints, pages, searches, origins })
}

fn shared() -> Arc<Shared> {
    shared_over(Store::memory(Hex([1; 8])), 0, 0)
}

fn opening(dialect: Dialect, nick: &str) -> HandshakeRequest {
    let nick = Some(Nick::new(nick).unwrap());
    HandshakeRequest { dialect, room: crate::protocol::RoomName::lobby(), nick, complaint: None, history: None }
}

/// The other end of a session.
struct Peer {
    stream: WebSocketStream<DuplexStream>,
    session: JoinHandle<End>,
    /// Frames that were read and not yet asked for.
    unread: VecDeque<String>,
}

/// Starts a session over a pipe of `bytes` bytes, and returns it with the bare other end.
fn start(shared: &Arc<Shared>, opening: HandshakeRequest, bytes: usize) -> (DuplexStream, JoinHandle<End>) {
    start_from(HERE, shared, opening, bytes)
}

fn start_from(
    address: IpAddr,
    shared: &Arc<Shared>,
    opening: HandshakeRequest,
    bytes: usize,
) -> (DuplexStream, JoinHandle<End>) {
    let (ours, theirs) = duplex(bytes);
    let (mut socket, shared) = (Socket::new(PrefixedStream::new(&[], theirs), Vec::new()), Arc::clone(shared));
    (ours, tokio::spawn(async move { run(&mut socket, Box::new(opening), address, &shared).await }))
}

impl Peer {
    fn connect(shared: &Arc<Shared>, opening: HandshakeRequest, bytes: usize) -> Self {
        Self::connect_from(HERE, shared, opening, bytes)
    }

    fn connect_from(address: IpAddr, shared: &Arc<Shared>, opening: HandshakeRequest, bytes: usize) -> Self {
        let (stream, session) = start_from(address, shared, opening, bytes);
        Self { stream: ClientBuilder::new().take_over(stream), session, unread: VecDeque::new() }
    }

    /// Returns a peer of the text dialect that has been welcomed.
    async fn text(shared: &Arc<Shared>, nick: &str) -> Self {
        let mut peer = Self::connect(shared, opening(Dialect::Text, nick), 64 * 1024);
        peer.until(|line| line.starts_with("* welcome")).await;
        peer
    }

    /// Returns a peer of the JSON dialect that has sent `hello`, and its welcome.
    async fn json(shared: &Arc<Shared>, hello: Value) -> (Self, Value) {
        let mut peer = Self::connect(shared, opening(Dialect::Json, "somebody"), 64 * 1024);
        peer.event("hello").await;
        peer.say(&hello.to_string()).await;
        let welcome = peer.event("welcome").await;
        peer.event("live").await;
        (peer, welcome)
    }

    /// Returns a peer that sends `hello` to `room` with this token, and its welcome.
    async fn person(shared: &Arc<Shared>, token: u8, nick: &str, room: &str) -> (Self, Value) {
        let session = Hex([token; 16]).to_string();
        Self::json(shared, json!({"type": "hello", "nick": nick, "room": room, "session": session})).await
    }

    async fn say(&mut self, frame: &str) {
        self.stream.send(Message::text(frame.to_owned())).await.unwrap();
    }

    async fn line(&mut self) -> String {
        if let Some(line) = self.unread.pop_front() {
            return line;
        }
        let next = async {
            loop {
                let message = self.stream.next().await.unwrap().unwrap();
                if let Some(text) = message.as_text() {
                    return text.to_owned();
                }
                assert!(message.is_ping(), "{message:?}");
            }
        };
        timeout(LONG, next).await.unwrap()
    }

    async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line().await;
            if wanted(&line) {
                return line;
            }
        }
    }

    async fn event(&mut self, name: &str) -> Value {
        let line = self.until(|line| serde_json::from_str::<Value>(line).unwrap()["type"] == name).await;
        serde_json::from_str(&line).unwrap()
    }

    /// Returns the close code and reason, and skips everything before them.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = timeout(LONG, self.stream.next()).await.unwrap().unwrap().unwrap();
            if let Some((code, reason)) = message.as_close() {
                return (code.into(), reason.to_owned());
            }
        }
    }

    async fn end(self) -> End {
        drop(self.stream);
        timeout(LONG, self.session).await.unwrap().unwrap()
    }
}
