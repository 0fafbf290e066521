//! Tests of the connection over real loopback sockets, against a small server of lines and against
//! misbehaving peers.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};

use super::*;

const PATIENCE: Duration = Duration::from_secs(15);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens in time")
}

async fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = soon(listener.accept()).await.unwrap();
    soon(ServerBuilder::new().accept(stream)).await.unwrap().1
}

/// Starts a peer that answers every connection with `answer` and then waits for the client to
/// leave. Returns the error that the connection reports.
async fn told_by(answer: impl Into<Vec<u8>>) -> String {
    let (listener, address) = listen().await;
    let answer = answer.into();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The client may leave before it has read everything.
        drop(stream.write_all(&answer).await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let mut link = Connection::start(address);
    let Some(ConnectionEvent::GaveUp(error)) = soon(link.event()).await else { panic!("the link did not give up") };
    link.close().await;
    peer.abort();
    error.to_string().split_once(": ").unwrap().1.to_owned()
}

fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}\r\n")
}

#[tokio::test]
async fn frames_go_both_ways() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    let Some(ConnectionEvent::Connected { connection: 1, dialect: Dialect::Text }) = soon(link.event()).await else {
        panic!("the link did not connect")
    };
    link.order(ConnectionCommand { connection: 1, what: CommandKind::Frame("hi".to_owned()) }).await;
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_text(), Some("hi"));
    peer.send(Message::text("hello")).await.unwrap();
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Frame(frame)) if frame == "hello"));
    let closing = tokio::spawn(link.close());
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_close().unwrap().0, CloseCode::NORMAL_CLOSURE);
    assert!(soon(peer.next()).await.is_none());
    soon(closing).await.unwrap();
}

#[tokio::test]
async fn what_was_ordered_before_the_end_is_sent() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    for text in ["a", "b"] {
        link.order(ConnectionCommand { connection: 1, what: CommandKind::Frame(text.to_owned()) }).await;
    }
    let closing = tokio::spawn(link.close());
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_text(), Some("a"));
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_text(), Some("b"));
    assert!(soon(peer.next()).await.unwrap().unwrap().is_close());
    assert!(soon(peer.next()).await.is_none());
    soon(closing).await.unwrap();
}

#[tokio::test]
async fn after_a_drop_it_connects_again_and_old_orders_are_dropped() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { connection: 1, .. })));
    peer.send(Message::close(Some(CloseCode::GOING_AWAY), "")).await.unwrap();
    drop(soon(peer.next()).await);
    let Some(ConnectionEvent::Dropped { reason, .. }) = soon(link.event()).await else {
        panic!("the link did not notice")
    };
    assert_eq!(reason, "the server is stopping");
    waiting(&mut link).await;
    let mut peer = accept(&listener).await;
    link.order(ConnectionCommand { connection: 1, what: CommandKind::Frame("old".to_owned()) }).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { connection: 2, .. })));
    link.order(ConnectionCommand { connection: 2, what: CommandKind::Frame("new".to_owned()) }).await;
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_text(), Some("new"));
}

#[tokio::test]
async fn more_than_a_server_should_say_at_once_is_taken() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    let long = "x".repeat(2 * Limits::PAYLOAD);
    peer.send(Message::text(long.clone())).await.unwrap();
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Frame(frame)) if frame == long));
}

#[tokio::test]
async fn a_server_that_says_too_much_each_time_is_given_up() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    for connection in 1..=TOO_BIG {
        let mut peer = accept(&listener).await;
        assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
        // The client leaves before it has read everything.
        drop(peer.send(Message::text("x".repeat(2 * Limits::INBOUND))).await);
        let words = match soon(link.event()).await {
            Some(ConnectionEvent::Dropped { reason, .. }) if connection < TOO_BIG => {
                waiting(&mut link).await;
                reason
            }
            Some(ConnectionEvent::GaveUp(error)) if connection == TOO_BIG => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(words.starts_with("the server sent a frame of 2097152 bytes; the maximum is 1048576"), "{words}");
    }
    assert!(soon(link.event()).await.is_none());
}

#[tokio::test]
async fn a_session_that_was_taken_over_is_left_alone() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    let code = CloseCode::try_from(4000).unwrap();
    peer.send(Message::close(Some(code), "taken over")).await.unwrap();
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::GaveUp(ConnectError::TakenOver))));
    assert!(soon(link.event()).await.is_none());
}

#[tokio::test]
async fn a_reader_that_waits_does_not_keep_orders_from_being_taken() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    for _ in 0..3 * EVENTS {
        peer.send(Message::text("flood")).await.unwrap();
    }
    for _ in 0..3 * ORDERS {
        soon(link.order(ConnectionCommand { connection: 1, what: CommandKind::Frame("x".to_owned()) })).await;
    }
    for _ in 0..3 * ORDERS {
        assert!(soon(peer.next()).await.unwrap().unwrap().is_text());
    }
    for _ in 0..3 * EVENTS {
        assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Frame(_))));
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_with_a_hint() {
    let (listener, address) = listen().await;
    drop(listener);
    let shown = address.to_string();
    let mut link = Connection::start(address);
    let Some(ConnectionEvent::GaveUp(error)) = soon(link.event()).await else { panic!("the link did not give up") };
    assert_eq!(error.to_string(), format!("cannot connect to {shown}: connection refused"));
    let listen = shown.trim_start_matches("ws://");
    assert_eq!(error.hint().unwrap(), format!("start one with: cargo run --bin server -- --listen {listen}"));
}

/// A network that resolves no name.
struct Nameless;

impl Dial for Nameless {
    type Stream = TcpStream;

    async fn dial(&self, _: &Address) -> std::io::Result<Self::Stream> {
        connect::resolved(Err(std::io::Error::other("no such name")))
    }
}

#[tokio::test]
async fn a_name_that_is_not_known_is_an_error_with_a_hint() {
    let mut link = Connection::start_over(Nameless, "nosuch.invalid".parse().unwrap());
    let Some(ConnectionEvent::GaveUp(error)) = soon(link.event()).await else { panic!("the link did not give up") };
    assert!(error.to_string().ends_with(": the host is not known"), "{error}");
    assert_eq!(error.hint().unwrap(), "check the name, and whether this machine has a network");
}

#[tokio::test]
async fn a_server_that_lets_us_in_no_more_is_asked_again_and_says_why() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    drop(accept(&listener).await);
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Dropped { .. })));
    assert_eq!(waiting(&mut link).await.0, None, "it was a connection");
    for _ in 0..2 {
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        stream.write_all(answer("403 No", "").as_bytes()).await.unwrap();
        let (reason, _) = waiting(&mut link).await;
        assert_eq!(reason.unwrap(), "the server does not let you in (403)");
    }
    link.close().await;
}

/// Returns the reason and the length of the wait.
async fn waiting(link: &mut Connection) -> (Option<String>, Duration) {
    match soon(link.event()).await {
        Some(ConnectionEvent::Waiting { reason, length, .. }) => (reason, length),
        other => panic!("the link does not wait: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_try_is_made_at_once_when_it_is_asked_for() {
    let (dialer, mut made) = Deaf::new();
    let mut link = Connection::start_policy(dialer, "127.0.0.1:1".parse().unwrap(), true);
    let mut waits = Vec::new();
    for _ in 0..8 {
        soon(made.recv()).await.unwrap();
        waits.push(waiting(&mut link).await);
    }
    assert!(waits.iter().all(|(reason, _)| reason.as_deref() == Some("connection refused")), "{waits:?}");
    let began = Instant::now();
    soon(link.order(ConnectionCommand {
        connection: 7,
        what: CommandKind::Frame("for a connection that is gone".to_owned()),
    }))
    .await;
    soon(link.order(ConnectionCommand { connection: 0, what: CommandKind::Retry })).await;
    soon(made.recv()).await.unwrap();
    assert!(began.elapsed() < waits[7].1, "{:?} of {waits:?}", began.elapsed());
    link.close().await;
}

/// A network in which nobody answers. It reports each attempt.
struct Deaf(mpsc::UnboundedSender<()>);

impl Deaf {
    fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (tries, made) = mpsc::unbounded_channel();
        (Self(tries), made)
    }
}

impl Dial for Deaf {
    type Stream = TcpStream;

    async fn dial(&self, _: &Address) -> std::io::Result<Self::Stream> {
        self.0.send(()).map_err(std::io::Error::other)?;
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }
}

#[tokio::test]
async fn a_refusal_is_said_in_words() {
    assert_eq!(
        told_by(answer("503 Service Unavailable", "Content-Length: 0\r\n")).await,
        "the server is full, or this address has too many connections (503)"
    );
    assert_eq!(told_by(answer("404 Not Found", "")).await, "there is no such room (404)");
}

#[tokio::test]
async fn an_answer_to_another_key_is_an_error_however_long_it_is() {
    let headers = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n", "A".repeat(200));
    assert_eq!(
        told_by(answer("101 Switching Protocols", &headers)).await,
        "what answers there is not a WebSocket server"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = answer("101 Switching Protocols", &format!("X: {}\r\n", "x".repeat(4 * 1024 * 1024)));
    assert_eq!(told_by(endless).await, "the server's answer to the handshake has no end");
}

/// A peer that sends one byte a second and never ends.
struct Dribbling;

impl Dial for Dribbling {
    type Stream = tokio::io::DuplexStream;

    async fn dial(&self, _: &Address) -> std::io::Result<Self::Stream> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            for byte in answer("101 Switching Protocols", "X: y\r\n").bytes().cycle() {
                if theirs.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(ours)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_dribbles_is_cut_by_the_deadline() {
    let began = Instant::now();
    let mut link = Connection::start_over(Dribbling, "127.0.0.1:1".parse().unwrap());
    let Some(ConnectionEvent::GaveUp(error)) = link.event().await else { panic!("the link did not give up") };
    assert!(error.to_string().ends_with(": the server does not answer the handshake"), "{error}");
    assert_eq!(began.elapsed(), Limits::HANDSHAKE);
}

#[tokio::test]
async fn what_is_no_web_socket_server_is_told_apart() {
    assert_eq!(told_by("SSH-2.0-OpenSSH_9.9\r\n").await, "what answers there does not speak HTTP");
    assert_eq!(told_by(answer("101 Switching Protocols", "")).await, "what answers there is not a WebSocket server");
}

#[tokio::test]
async fn a_burst_comes_whole_and_in_order_before_the_end() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    let frames = 10 * EVENTS + 7;
    for number in 0..frames {
        peer.feed(Message::text(number.to_string())).await.unwrap();
        if number == EVENTS / 2 {
            peer.feed(Message::ping("there?")).await.unwrap();
        }
    }
    let reason = "that is all";
    peer.feed(Message::close(Some(CloseCode::GOING_AWAY), reason)).await.unwrap();
    let peer = tokio::spawn(async move {
        peer.flush().await.unwrap();
        peer.next().await.unwrap().unwrap().is_pong()
    });
    let (mut events, mut heard) = (Vec::new(), Vec::new());
    let dropped = loop {
        soon(link.events(&mut events)).await;
        assert!(!events.is_empty() && events.len() <= EVENTS, "{}", events.len());
        let last = events.drain(..).fold(None, |last, event| match event {
            ConnectionEvent::Frame(frame) => {
                heard.push(frame);
                None
            }
            ConnectionEvent::Waiting { .. } => last,
            event => Some(event),
        });
        if let Some(ConnectionEvent::Dropped { reason, .. }) = last {
            break reason;
        }
    };
    assert_eq!(dropped, reason);
    assert_eq!(heard, (0..frames).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(soon(peer).await.unwrap(), "the ping in the middle was answered");
    link.close().await;
}

#[tokio::test]
async fn while_a_burst_waits_for_its_reader_orders_are_taken() {
    let (listener, address) = listen().await;
    let mut link = Connection::start(address);
    let mut peer = accept(&listener).await;
    assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Connected { .. })));
    for number in 0..10 * EVENTS {
        peer.send(Message::text(number.to_string())).await.unwrap();
    }
    link.order(ConnectionCommand { connection: 1, what: CommandKind::Frame("hi".to_owned()) }).await;
    assert_eq!(soon(peer.next()).await.unwrap().unwrap().as_text(), Some("hi"));
    for number in 0..10 * EVENTS {
        assert!(matches!(soon(link.event()).await, Some(ConnectionEvent::Frame(frame)) if frame == number.to_string()));
    }
    link.close().await;
}
