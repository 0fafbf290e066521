//! The tests' own peers understand each other: raw peer, textbook server, textbook client and
//! processes.

mod support;

use support::{
    process::{Process, Signal},
    raw::{Frame, Heard, Opening, RawPeer, http, opcode},
    textbook::{TextbookClient, TextbookServer},
};
use tokio::process::Command;

#[tokio::test]
async fn a_raw_peer_and_textbook_clients_chat_on_a_textbook_server() {
    let server = TextbookServer::start().await;
    let mut raw = RawPeer::connect(server.address, "/").await;
    let mut ada = TextbookClient::connect(&server.url()).await;
    let mut bob = TextbookClient::connect(&server.url()).await;
    // Each has received its own message, so each is subscribed, before the others send.
    ada.say("ada is here").await;
    ada.line_with("ada is here").await;
    bob.say("bob is here").await;
    bob.line_with("bob is here").await;
    raw.say("hello").await;
    assert_eq!(raw.line_with("hello").await, "hello");
    assert_eq!(ada.line_with("hello").await, "hello");
    assert_eq!(bob.line_with("hello").await, "hello");
    ada.say(r#"{"type":"welcome"}"#).await;
    assert_eq!(raw.event("welcome").await["type"], "welcome");
    raw.close(1000, "bye").await;
    assert_eq!(raw.closed().await.0, 1000);
    raw.ended().await;
}

#[tokio::test]
async fn a_raw_peer_sends_frames_of_any_length_and_number() {
    let server = TextbookServer::start().await;
    let mut raw = RawPeer::connect(server.address, "/").await;
    for length in [0, 125, 126, 65_535, 65_536] {
        let text = "x".repeat(length);
        raw.say(&text).await;
        assert_eq!(raw.line().await, text);
    }
    raw.send(&Frame::new(false, opcode::TEXT, "in ")).await;
    raw.send(&Frame::new(true, opcode::PING, "are you there")).await;
    raw.send(&Frame::new(true, opcode::CONTINUATION, "two")).await;
    assert_eq!(raw.heard().await, Heard::Pong("are you there".into()));
    assert_eq!(raw.line().await, "in two");
    // The library only queues its close frame for this, and the textbook server does not stay to
    // send it.
    raw.send(&Frame::new(true, 0x3, "a reserved opcode")).await;
    raw.ended().await;
}

#[tokio::test]
async fn a_refused_opening_shows_its_answer() {
    let server = TextbookServer::start().await;
    let opening = Opening { target: "/", headers: &["Sec-WebSocket-Version: 7"], ..Opening::default() };
    let Err(answer) = RawPeer::open(server.address, &opening).await else { panic!("a wrong version was let in") };
    assert_eq!((answer.status, answer.complete), (400, true));
    let answer = http(server.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn answers_end_where_their_head_says() {
    for (answer, body, complete) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "hi", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", "hi!", true),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", true),
        ("HTTP/1.1 200 OK\r\nConte", "", false),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let serve = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 18]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (got, ()) = tokio::join!(http(address, request), serve);
        assert_eq!((got.status, got.text().as_str(), got.complete), (200, body, complete), "{answer}");
    }
}

#[tokio::test]
async fn a_process_is_heard_spoken_to_and_stopped() {
    let mut shell = Process::start(Command::new("sh").args(["-c", "echo listening on ws://127.0.0.1:7; exec cat"]));
    assert_eq!(shell.address().await.port(), 7);
    shell.write_line("one").await;
    shell.write_line("two").await;
    assert_eq!(shell.stdout.line_with("two").await, "two");
    shell.signal(Signal::Term).await;
    assert_eq!(shell.exit().await.code(), None, "ended by a signal");

    let mut cat = Process::start(&mut Command::new("cat"));
    cat.write_line("the last line").await;
    cat.close_stdin();
    assert_eq!(cat.stdout.rest().await, ["the last line"]);
    assert!(cat.exit().await.success());
}

#[tokio::test]
#[should_panic(expected = "ended without \"never said\"")]
async fn what_does_not_come_is_named() {
    let mut echo = Process::start(Command::new("echo").arg("said"));
    echo.stdout.line_with("never said").await;
}
