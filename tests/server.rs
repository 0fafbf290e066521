//! The whole server through real sockets: what it answers, which clients it accepts, and that no
//! client can disturb the others.

mod support;

use serde_json::json;
use support::{
    process::{Process, Signal},
    raw::{Frame, Heard, Opening, RawPeer, http, opcode},
    server::{start, start_with},
    textbook::TextbookClient,
    within,
};

#[tokio::test]
async fn a_bare_client_says_hello_and_everyone_sees_a_line_with_it() {
    let server = start().await;
    let mut bare = RawPeer::connect(server.address, "/").await;
    let mut other = RawPeer::connect(server.address, "/").await;
    let mut textbook = TextbookClient::connect(&format!("ws://{}", server.address)).await;
    textbook.line_with("welcome").await;
    bare.say("hello").await;
    for line in [bare.line_with("hello").await, other.line_with("hello").await, textbook.line_with("hello").await] {
        assert!(line.starts_with("guest-") && line.ends_with(": hello"), "{line}");
    }
    textbook.say("hi back").await;
    bare.line_with(": hi back").await;
}

#[tokio::test]
async fn whatever_is_no_upgrade_gets_a_complete_answer_and_the_server_goes_on() {
    let server = start().await;
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(100)).into_bytes();
    let long = [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", &vec![b'a'; 1024 * 1024][..], b"\r\n\r\n"].concat();
    for (request, statuses) in [
        (get("["), &[400][..]),
        (get("http://"), &[400]),
        (get("?a"), &[400]),
        (get("@"), &[400]),
        (get("*"), &[404]),
        (get("/no/room"), &[404]),
        (get("/"), &[426]),
        (get("/healthz"), &[200]),
        (get(&format!("/{}", "a".repeat(70_000))), &[414, 431]),
        (many, &[431]),
        (long, &[431]),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".to_vec(), &[405]),
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), &[426]),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_vec(), &[400]),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(), &[400]),
    ] {
        let answer = http(server.address, &request).await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
        assert!(answer.complete && statuses.contains(&answer.status), "{shown:?}: {answer:?}");
    }
    for (headers, status) in [
        (&["Sec-WebSocket-Version: 8"][..], 426),
        (&["Origin: https://evil.example"], 403),
        (&["Sec-WebSocket-Key: short"], 400),
    ] {
        let opening = Opening { target: "/", headers, ..Opening::default() };
        let Err(answer) = RawPeer::open(server.address, &opening).await else { panic!("let in with {headers:?}") };
        assert_eq!((answer.status, answer.complete), (status, true), "{headers:?}");
    }
    RawPeer::connect(server.address, "/").await.line_with("welcome").await;
}

#[tokio::test]
async fn a_frame_sent_with_the_head_is_not_lost() {
    let server = start().await;
    let request = Opening { target: "/?nick=ada", ..Opening::default() }.request(server.address);
    let early = [request.into_bytes(), Frame::text("hasty").masked()].concat();
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    within("the echo", async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        stream.write_all(&early).await.unwrap();
        while !answer.windows(10).any(|bytes| bytes == b"ada: hasty") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed");
        }
    })
    .await;
}

#[tokio::test]
async fn the_caps_hold_and_say_so() {
    let server = start_with(&["--max-connections", "3", "--max-per-address", "2"]).await;
    let first = RawPeer::connect(server.address, "/").await;
    let _second = RawPeer::connect(server.address, "/").await;
    let Err(answer) = RawPeer::open(server.address, &Opening { target: "/", ..Opening::default() }).await else {
        panic!("a third was let in")
    };
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("10")));
    assert_eq!(answer.text(), "too many connections from your address; close one and try again\n");
    assert_eq!(http(server.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
    drop(first);
    // The membership is free once the server has noticed.
    within("a free place", async {
        while RawPeer::open(server.address, &Opening { target: "/", ..Opening::default() }).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn an_address_keeps_the_places_of_as_many_lost_connections_as_it_may_have() {
    let server = start_with(&["--max-per-address", "2"]).await;
    let mut watcher = RawPeer::connect(server.address, "/?nick=watcher").await;
    let opening = Opening { target: "/", subprotocol: Some("broadcast-chat.v1"), ..Opening::default() };
    for nick in ["ada", "bob", "eve"] {
        let mut lost = within("a free place", async {
            loop {
                if let Ok(peer) = RawPeer::open(server.address, &opening).await {
                    break peer;
                }
            }
        })
        .await;
        lost.event("hello").await;
        lost.send_json(&json!({ "type": "hello", "nick": nick })).await;
        lost.event("welcome").await;
        watcher.line_with(&format!("* {nick} joined")).await;
    }
    // Long before the grace is over.
    watcher.line_with("* ada left").await;
    watcher.say("/names").await;
    watcher.line_with("bob, eve, watcher").await;
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_connect() {
    let server = start_with(&["--allow-origin", "https://chat.example"]).await;
    let headers = &["Origin: https://chat.example"];
    let opened = RawPeer::open(server.address, &Opening { target: "/", headers, ..Opening::default() }).await;
    opened.unwrap_or_else(|answer| panic!("{answer:?}")).line_with("welcome").await;
}

#[tokio::test]
async fn a_page_that_gave_this_machine_a_name_of_its_own_is_misdirected() {
    let server = start().await;
    let ask = async |host: &str, origin: &str| {
        let request = Opening { target: "/", headers: &[origin], ..Opening::default() }.request(server.address);
        http(server.address, request.replace(&server.address.to_string(), host).as_bytes()).await
    };
    let answer = ask("attacker.example", "Origin: http://attacker.example").await;
    assert_eq!(answer.status, 421, "{answer:?}");
    assert!(answer.text().contains("--allow-origin"), "{answer:?}");
    let answer = ask("localhost:8080", "Origin: http://localhost:8080").await;
    assert_eq!(answer.status, 101, "{answer:?}");
}

#[tokio::test]
async fn the_subprotocol_is_named_only_when_offered() {
    let server = start().await;
    let text = RawPeer::connect(server.address, "/").await;
    assert_eq!(text.answer.header("sec-websocket-protocol"), None);
    let json = RawPeer::connect_json(server.address, "/").await;
    assert_eq!(json.answer.header("sec-websocket-protocol"), Some("broadcast-chat.v1"));
}

/// How many numbered messages each well-behaved client sends, and what the flooder sends meanwhile.
const SAID: usize = 20;
const FLOOD: usize = 2000;
const FRIENDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooder_and_one_who_never_reads_cost_ten_others_nothing() {
    let server = start_with(&["--rate", "0"]).await;
    let address = server.address;
    let mut never_reads = RawPeer::connect(address, "/").await;
    never_reads.say("I only talk").await;
    let mut friends = Vec::new();
    for number in 0..FRIENDS {
        friends.push(RawPeer::join(address, "/", &format!("friend-{number}")).await.0);
    }
    let mut flooder = RawPeer::connect(address, "/?nick=flooder&history=0").await;
    let flood = tokio::spawn(async move {
        let filler = "x".repeat(4000);
        for number in 0..FLOOD {
            flooder.say(&format!("flood {number} {filler}")).await;
            // Reads concurrently; otherwise its own echoes would stall it.
            flooder.line_with(&format!("flood {number} ")).await;
        }
    });
    let mut talks = Vec::new();
    for (number, mut friend) in friends.into_iter().enumerate() {
        talks.push(tokio::spawn(async move {
            for said in 0..SAID {
                friend
                    .send_json(
                        &json!({"type": "say", "key": said.to_string(), "text": format!("{number} says {said}")}),
                    )
                    .await;
            }
            let (mut last, mut flood, mut heard) = (None, 0, vec![0; FRIENDS]);
            while flood < FLOOD || heard.iter().any(|count| *count < SAID) {
                let event = friend.event("message").await;
                let id = event["id"].as_u64().unwrap();
                assert!(last.is_none_or(|last| id == last + 1), "a gap before {id}, after {last:?}");
                last = Some(id);
                let text = event["text"].as_str().unwrap();
                if let Some(rest) = text.strip_prefix("flood ") {
                    assert!(rest.starts_with(&format!("{flood} ")), "{}", &text[..20]);
                    flood += 1;
                } else if let Some((who, said)) = text.split_once(" says ") {
                    let count = &mut heard[who.parse::<usize>().unwrap()];
                    assert_eq!(said, count.to_string());
                    *count += 1;
                }
            }
        }));
    }
    flood.await.unwrap();
    for talk in talks {
        talk.await.unwrap();
    }
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 256 * 1024, "{peak} kB of memory at the peak");
    }
    drop(never_reads);
}

/// How many messages each of four senders sends at once, how many clients read them, and how many
/// more are connected. The readers get some 60 MB together, and each gets more than its socket
/// buffers.
const LONG_BURST: usize = 100;
const CROWD: usize = 40;
const UNREAD: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_say_at_length_a_crowd_hears_whole_and_in_order_when_it_reads_at_last() {
    let server = start_with(&["--rate", "0", "--max-per-address", "0"]).await;
    // These never read. With fewer of them, each would get a copy of its own instead of the data
    // that the kernel holds.
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        unread.push(RawPeer::connect(server.address, "/").await);
    }
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let (mut reader, _) = RawPeer::join(server.address, "/", &format!("reader-{number}")).await;
        reader.event("live").await;
        crowd.push(reader);
    }
    let filler = "x".repeat(4000);
    let mut speakers = Vec::new();
    for speaker in 0..4 {
        let mut peer = RawPeer::connect(server.address, &format!("/?nick=speaker-{speaker}&history=0")).await;
        let burst: Vec<u8> =
            (0..LONG_BURST).flat_map(|number| Frame::text(&format!("{speaker} {number} {filler}")).masked()).collect();
        speakers.push(tokio::spawn(async move {
            peer.send_bytes(&burst).await;
            peer.line_with(&format!("{speaker} {} ", LONG_BURST - 1)).await;
        }));
    }
    for speaker in speakers {
        speaker.await.unwrap();
    }
    let readers = crowd.into_iter().map(|mut reader| {
        tokio::spawn(async move {
            let (mut last, mut heard) = (0, [0; 4]);
            while heard.iter().any(|count| *count < LONG_BURST) {
                let event = reader.event("message").await;
                let id = event["id"].as_u64().unwrap();
                assert_eq!(id, last + 1);
                last = id;
                let mut words = event["text"].as_str().unwrap().splitn(3, ' ');
                let count = &mut heard[words.next().unwrap().parse::<usize>().unwrap()];
                assert_eq!((words.next(), words.next()), (Some(&*count.to_string()), Some(&*"x".repeat(4000))));
                *count += 1;
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_signal_is_a_goodbye_to_everyone_and_a_success() {
    let others = ["QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "XCPU"].map(Signal::Named);
    for signal in [Signal::Term, Signal::Int].into_iter().chain(others) {
        let mut server = start().await;
        let mut ada = RawPeer::connect(server.address, "/").await;
        let (mut bob, _) = RawPeer::join(server.address, "/", "bob").await;
        ada.line_with("welcome").await;
        server.process.signal(signal).await;
        for peer in [&mut ada, &mut bob] {
            assert_eq!(peer.closed().await, (1001, "the server is stopping".to_owned()));
            peer.close(1001, "").await;
        }
        drop((ada, bob));
        assert_eq!(server.process.exit().await.code(), Some(0));
    }
}

#[tokio::test]
async fn every_flag_has_an_environment_variable() {
    let help = Process::server(&["--help"]).stdout.rest().await.join("\n");
    for flag in [
        "LISTEN",
        "DB",
        "KEEP",
        "KEEP_MESSAGES",
        "MAX_CONNECTIONS",
        "MAX_PER_ADDRESS",
        "CONNECT_RATE",
        "RATE",
        "BURST",
        "ALLOW_ORIGIN",
        "LOG",
    ] {
        assert!(help.contains(&format!("env: CHAT_{flag}=")), "{flag} has an environment variable");
    }
}

#[tokio::test]
async fn no_message_reaches_the_log() {
    let mut server = start_with(&["--log", "trace"]).await;
    let (mut ada, welcome) = RawPeer::join(server.address, "/", "ada").await;
    ada.send_json(&json!({"type": "say", "text": "a secret thing"})).await;
    ada.event("message").await;
    ada.send_json(&json!({"type": "msg", "to": "ada", "text": "a private thing"})).await;
    ada.event("private").await;
    server.process.signal(Signal::Term).await;
    server.process.exit().await;
    let log = server.process.stderr.rest().await.join("\n");
    let token = welcome["session"].as_str().unwrap();
    assert!(log.contains("connected"), "{log}");
    for secret in ["secret thing", "private thing", token] {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
}

#[tokio::test]
async fn pings_are_answered_and_binary_is_refused() {
    let server = start().await;
    let mut peer = RawPeer::connect(server.address, "/").await;
    peer.line_with("welcome").await;
    peer.send(&Frame::new(true, opcode::PING, "here?")).await;
    assert_eq!(peer.heard().await, Heard::Pong("here?".into()));
    peer.send(&Frame::new(true, opcode::BINARY, "x")).await;
    assert_eq!(peer.closed().await, (1003, "only text frames are understood".to_owned()));
}
