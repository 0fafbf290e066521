//! Tests of slow peers and a slow store, and of what a session notices meanwhile.

use std::{io, pin::Pin, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use super::*;
use crate::{
    protocol::{Body, Kind, RoomName, Timestamp},
    server::turns::Turn,
    store::Draft,
};

/// The maximum number of messages in a request for history: 16 MB if all have the maximum length.
const LONG_HISTORY: u32 = Limits::HISTORY;

async fn shared_with_a_long_history() -> Arc<Shared> {
    let store = Store::memory(Hex([1; 8]));
    let draft = |number| Draft {
        room: RoomName::lobby(),
        at: Timestamp(0),
        nick: Nick::new("ada").unwrap(),
        author: Hex([9; 16]),
        kind: Kind::Say,
        text: Some(Body::new(&format!("{number:=>width$}", width = Limits::MESSAGE)).unwrap()),
        key: None,
    };
    store.append((0..LONG_HISTORY).map(draft).collect()).await.unwrap();
    shared_over(store, 0, 0)
}

fn wants_all(dialect: Dialect, nick: &str) -> HandshakeRequest {
    HandshakeRequest { history: Some(LONG_HISTORY), ..opening(dialect, nick) }
}

/// Returns how many messages come before the end with this close code. Each of them must be a whole
/// frame.
async fn messages_before_end(peer: &mut Peer, end: u16) -> u32 {
    let mut messages = 0;
    loop {
        let message = timeout(LONG, peer.stream.next()).await.unwrap().unwrap().unwrap();
        match message.as_close() {
            Some((code, _)) => {
                assert_eq!(u16::from(code), end);
                return messages;
            }
            None => messages += u32::from(message.as_payload().len() > Limits::MESSAGE),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_steadily_is_alive_however_slow() {
    // The second takes longer over a page than the write deadline of a reader.
    for (bytes, every) in [(200_000, Duration::from_secs(1)), (20_000, Limits::WRITE.mul_f64(0.9))] {
        let shared = shared_with_a_long_history().await;
        let (mut slow, session) = start(&shared, wants_all(Dialect::Text, "slow"), bytes);
        let (mut taken, mut buffer) = (0, vec![0; bytes]);
        while taken < LONG_HISTORY as usize * Limits::MESSAGE {
            sleep(every).await;
            taken += slow.read(&mut buffer).await.unwrap();
            assert!(!session.is_finished(), "ended after {taken} bytes: {:?}", session.await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_stalls_though_they_took_much() {
    let shared = shared_with_a_long_history().await;
    let (mut slow, session) = start(&shared, wants_all(Dialect::Text, "slow"), 4096);
    slow.read_exact(&mut vec![0; 1_000_000]).await.unwrap();
    let begun = Instant::now();
    assert_eq!(session.await.unwrap(), End::Stalled);
    assert_eq!(begun.elapsed(), Limits::WRITE);
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_to_read_hears_the_stop_behind_a_whole_frame() {
    let shared = shared_with_a_long_history().await;
    let mut slow = Peer::connect(&shared, wants_all(Dialect::Text, "slow"), 4096);
    slow.until(|line| line.starts_with("ada: =")).await;
    shared.stop.cancel();
    assert!(messages_before_end(&mut slow, 1001).await < LONG_HISTORY / 10);
    assert_eq!(slow.end().await, End::Stopping);
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_to_read_hears_that_the_place_is_taken() {
    let shared = shared_with_a_long_history().await;
    let hello = json!({"type": "hello", "session": Hex([7; 16]).to_string(), "history": LONG_HISTORY}).to_string();
    let mut slow = Peer::connect(&shared, opening(Dialect::Json, "eve"), 4096);
    slow.event("hello").await;
    slow.say(&hello).await;
    slow.event("message").await;
    let _newer = Peer::person(&shared, 7, "eve", "lobby").await;
    assert!(messages_before_end(&mut slow, 4000).await < LONG_HISTORY / 10);
    assert_eq!(slow.end().await, End::TakenOver);
}

#[tokio::test(start_paused = true)]
async fn the_stop_is_heard_between_pages() {
    let shared = shared_with_a_long_history().await;
    let all = 2 * LONG_HISTORY as usize * Limits::MESSAGE;
    let (mut fast, session) = start(&shared, wants_all(Dialect::Text, "fast"), all);
    shared.stop.cancel();
    let mut heard = Vec::new();
    fast.read_to_end(&mut heard).await.unwrap();
    assert_eq!(session.await.unwrap(), End::Stopping);
    assert!(heard.len() < 1_000_000, "{} bytes", heard.len());
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_reader_says_has_its_turn_afterwards() {
    let shared = shared_with_a_long_history().await;
    let mut slow = Peer::connect(&shared, wants_all(Dialect::Text, "slow"), 4096);
    slow.until(|line| line.starts_with("ada: =")).await;
    slow.stream.send(Message::ping("how are you")).await.unwrap();
    for text in ["one", "two"] {
        slow.say(text).await;
    }
    // Reads what follows as frames. Each of them must be whole.
    let (mut rest, mut pong, mut said) = (1, false, Vec::new());
    while said.len() < 2 {
        let message = timeout(LONG, slow.stream.next()).await.unwrap().unwrap().unwrap();
        match message.as_text() {
            Some(text) if text.starts_with("ada: ") => rest += 1,
            Some(text) => said.extend(text.strip_prefix("slow: ").map(str::to_owned)),
            None => pong |= message.is_pong(),
        }
    }
    assert_eq!((rest, pong, said), (LONG_HISTORY, true, vec!["one".to_owned(), "two".to_owned()]));
}

/// A stream that takes a little at a time, and has room again after each time it was full: like a
/// peer that reads meanwhile.
struct Stutter {
    stream: DuplexStream,
    waits: bool,
}

impl AsyncRead for Stutter {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stutter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.waits ^= true;
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..bytes.len().min(100)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Transport for Stutter {}

#[tokio::test(start_paused = true)]
async fn no_answer_to_a_ping_tears_a_frame() {
    const HISTORY: u32 = 100;
    let shared = shared_with_a_long_history().await;
    let (ours, stream) = duplex(4096);
    let mut socket = Socket::new(PrefixedStream::new(&[], Stutter { stream, waits: false }), Vec::new());
    let opening = HandshakeRequest { history: Some(HISTORY), ..opening(Dialect::Text, "slow") };
    let session = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move { run(&mut socket, Box::new(opening), HERE, &shared).await }
    });
    let mut slow = Peer { stream: ClientBuilder::new().take_over(ours), session, unread: VecDeque::new() };
    let (mut messages, mut pongs) = (0, 0);
    while messages < HISTORY || pongs == 0 {
        if messages % 20 == 1 {
            slow.stream.send(Message::ping("how are you")).await.unwrap();
        }
        let message = timeout(LONG, slow.stream.next()).await.unwrap().unwrap().expect("a whole frame");
        match message.as_text() {
            Some(text) if text.starts_with("ada: ") => {
                assert_eq!(text.len(), "ada: ".len() + Limits::MESSAGE);
                messages += 1;
            }
            _ => pongs += u32::from(message.is_pong()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_was_slow_to_read_is_heard_as_before() {
    let shared = shared();
    let mut slow = Peer::connect(&shared, opening(Dialect::Text, "slow"), 256);
    slow.until(|line| line.starts_with("* welcome")).await;
    let mut ada = Peer::text(&shared, "ada").await;
    slow.until(|line| line == "* ada joined").await;
    let long = "=".repeat(Limits::MESSAGE);
    ada.say(&long).await;
    ada.until(|line| line.ends_with(&long)).await;
    slow.until(|line| line.ends_with(&long)).await;
    let begun = Instant::now();
    slow.say("hello").await;
    slow.until(|line| line == "slow: hello").await;
    assert!(begun.elapsed().is_zero(), "and not only when the next ping is due");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_page_after_page_is_pinged() {
    let shared = shared_with_a_long_history().await;
    let mut slow = Peer::text(&shared, "slow").await;
    let (mut pinged, begun) = (false, Instant::now());
    for _ in 0..3 {
        slow.say(&format!("/history {LONG_HISTORY}")).await;
    }
    while begun.elapsed() < 3 * Limits::DEAD_AFTER {
        sleep(Duration::from_millis(200)).await;
        let message = timeout(LONG, slow.stream.next()).await.unwrap().expect("it goes on").unwrap();
        pinged |= message.is_ping();
    }
    assert!(pinged);
}

/// Returns a peer whose search waits for the store until the returned turn is dropped.
async fn waits_for_the_log(shared: &Arc<Shared>) -> (Peer, Turn) {
    let turn = shared.searches.take(Purpose::Question, HERE).await;
    let (mut ada, _) = Peer::json(shared, json!({"type": "hello", "nick": "ada", "history": 0})).await;
    ada.say(r#"{"type":"search","query":"tea"}"#).await;
    (ada, turn)
}

async fn is_pong(peer: &mut Peer, payload: &[u8]) {
    loop {
        let message = timeout(Limits::WRITE, peer.stream.next()).await.expect("a pong").unwrap().unwrap();
        if message.is_pong() {
            assert_eq!(&message.as_payload()[..], payload);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_log_is_heard_after_a_ping_too() {
    let shared = shared();
    let (mut ada, turn) = waits_for_the_log(&shared).await;
    for payload in ["one", "two", "three"] {
        ada.stream.send(Message::ping(payload)).await.unwrap();
        is_pong(&mut ada, payload.as_bytes()).await;
    }
    drop(turn);
    ada.event("found").await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_log_before_anything_was_written_is_heard_too() {
    let shared = shared();
    let turn = shared.pages.take(Purpose::Question, HERE).await;
    let mut turns = vec![turn];
    for _ in 1..Store::PAGES_AT_ONCE {
        turns.push(shared.pages.take(Purpose::Question, HERE).await);
    }
    let mut ada = Peer::text(&shared, "ada").await;
    ada.say("hello").await;
    // Another connection, for which there is something to read.
    ada.until(|line| line == "ada: hello").await;
    let mut bob = Peer::connect(&shared, opening(Dialect::Text, "bob"), 4096);
    bob.stream.send(Message::ping("early")).await.unwrap();
    assert!(bob.line().await.starts_with("* welcome"), "which goes first");
    is_pong(&mut bob, b"early").await;
    drop(turns);
    bob.until(|line| line == "ada: hello").await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_log_is_pinged_and_dead_without_a_sign_of_life() {
    let here = shared();
    let (Peer { stream, session, .. }, _turn) = waits_for_the_log(&here).await;
    // Nobody reads, so nobody answers.
    assert_eq!(timeout(2 * Limits::DEAD_AFTER, session).await.unwrap().unwrap(), End::Dead);
    drop(stream);
    let there = shared();
    let (mut ada, _turn) = waits_for_the_log(&there).await;
    let answers = timeout(3 * Limits::DEAD_AFTER, async { while ada.stream.next().await.unwrap().is_ok() {} });
    assert!(answers.await.is_err(), "who answers stays");
}
