//! Tests of how a session begins, lags, resumes and ends.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;

use super::*;
use crate::{
    protocol::{Body, Kind},
    rooms::{Arrival, IfTaken},
    server::{
        hub::batch::tests::message,
        hub::handle::Outgoing,
        websocket::{Incoming, tests::tcp_pair},
    },
};

#[tokio::test(start_paused = true)]
async fn a_lagging_reader_catches_up_without_gaps() {
    let shared = shared();
    let mut slow = Peer::connect(&shared, opening(Dialect::Text, "slow"), 256);
    slow.until(|line| line.starts_with("* welcome")).await;
    let mut ada = Peer::text(&shared, "ada").await;
    let count = 3 * Limits::RING;
    for number in 0..count {
        ada.say(&number.to_string()).await;
        let echo = format!("ada: {number}");
        ada.until(|line| line == echo).await;
    }
    for number in 0..count {
        assert_eq!(slow.until(|line| !line.starts_with('*')).await, format!("ada: {number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_no_history_asks_the_log_nothing() {
    let shared = shared_over(Store::Broken, 0, 0);
    let opening = HandshakeRequest { history: Some(0), ..opening(Dialect::Text, "ada") };
    let mut ada = Peer::connect(&shared, opening, 4096);
    ada.until(|line| line.starts_with("* welcome")).await;
    ada.say("/names").await;
    ada.until(|line| line == "* in #lobby: ada").await;
}

#[tokio::test(start_paused = true)]
async fn no_cursor_hides_what_is_said_from_now_on() {
    let shared = shared();
    let arrival = Arrival {
        author: Hex([9; 16]),
        address: HERE,
        nick: None,
        if_taken: IfTaken::Next,
        room: crate::protocol::RoomName::lobby(),
        can_return: false,
        returning: false,
    };
    let (member, _) = shared.hub.arrive(arrival).await.unwrap().unwrap();
    let (_ours, theirs) = duplex(4096);
    let mut socket = Socket::new(PrefixedStream::new(&[], theirs), Vec::new());
    let mut session = Session::new(&mut socket, &shared, Dialect::Json, member, Pace::new(&shared), HERE);
    session.come_in(Wanted::After(MessageId(100))).await.unwrap();
    assert_eq!(session.cursor, MessageId(0));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_lagged_is_told_who_is_there() {
    let shared = shared();
    let mut slow = Peer::connect(&shared, opening(Dialect::Json, "slow"), 512);
    slow.event("hello").await;
    slow.say(r#"{"type":"hello"}"#).await;
    slow.event("live").await;
    let mut ada = Peer::text(&shared, "ada").await;
    for number in 0..2 * Limits::RING {
        ada.say(&number.to_string()).await;
        let echo = format!("ada: {number}");
        ada.until(|line| line == echo).await;
    }
    for number in 0..2 * Limits::RING {
        assert_eq!(slow.event("message").await["text"], number.to_string());
    }
    assert_eq!(slow.event("names").await["names"], json!(["ada", "slow"]));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_reader_ends_after_the_write_deadline_and_costs_nobody_anything() {
    let shared = shared();
    let (_unread, stalled) = start(&shared, opening(Dialect::Text, "stalled"), 256);
    let mut ada = Peer::text(&shared, "ada").await;
    let begun = Instant::now();
    for number in 0..Limits::RING {
        ada.say(&number.to_string()).await;
        let echo = format!("ada: {number}");
        ada.until(|line| line == echo).await;
    }
    assert_eq!(begun.elapsed(), std::time::Duration::ZERO, "nobody waited");
    assert_eq!(stalled.await.unwrap(), End::Stalled);
    assert!(begun.elapsed() <= Limits::WRITE + std::time::Duration::from_secs(1));
    assert_eq!(ada.until(|line| line.starts_with("* stalled")).await, "* stalled left");
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_sign_of_life_is_pinged_and_then_dead() {
    let shared = shared();
    let begun = Instant::now();
    let (mut silent, session) = start(&shared, opening(Dialect::Text, "silent"), 64 * 1024);
    assert_eq!(session.await.unwrap(), End::Dead);
    assert_eq!(begun.elapsed(), Limits::DEAD_AFTER + Limits::CLOSE);
    let mut sent = Vec::new();
    silent.read_to_end(&mut sent).await.unwrap();
    let pings = sent.windows(2).filter(|bytes| *bytes == [0x89, 0]).count();
    assert_eq!(pings, 2);
    assert!(sent.ends_with(b"\x03\xf0no sign of life"), "1008");
}

#[tokio::test(start_paused = true)]
async fn those_who_come_together_are_pinged_with_different_ticks() {
    let shared = shared();
    tokio::time::advance(Duration::from_millis(1234)).await;
    let mut peers = Vec::new();
    for number in 0..10 {
        peers.push(Peer::text(&shared, &format!("peer-{number}")).await);
    }
    let come = Instant::now();
    let pinged = join_all(peers.iter_mut().map(async |peer| {
        while !peer.stream.next().await.unwrap().unwrap().is_ping() {}
        Instant::now()
    }));
    let pinged = pinged.await;
    assert!(pinged.iter().all(|pinged| *pinged <= come + Limits::PING_EVERY), "{pinged:?}");
    let ticks: BTreeSet<_> = pinged.iter().map(|pinged| (*pinged - shared.started).as_millis()).collect();
    assert!(ticks.iter().all(|tick| tick % 250 == 0) && ticks.len() > 5, "{ticks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let idle = timeout(LONG, async { while ada.stream.next().await.is_some_and(|frame| frame.is_ok()) {} });
    assert!(idle.await.is_err(), "still there after ten minutes");
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_before_the_seat_counts_and_is_refused_only_so_often() {
    let ada = |shared: &Arc<Shared>| Peer::connect(shared, opening(Dialect::Json, "ada"), 64 * 1024);
    // Without a rate, the number alone ends it.
    let shared = shared();
    let _owner = Peer::text(&shared, "ada").await;
    let mut peer = ada(&shared);
    peer.event("hello").await;
    for attempt in 0..=Limits::HELLOS {
        let refused = if attempt % 2 == 0 { r#"{"type":"hello","nick":"ada"}"# } else { "nonsense" };
        peer.say(refused).await;
        if attempt < Limits::HELLOS {
            peer.event("error").await;
        }
    }
    assert_eq!(peer.closed().await, (1008, "too many hellos were refused".to_owned()));

    // With a rate, the refused messages no longer count.
    let shared = shared_over(Store::memory(Hex([1; 8])), 1, 3);
    let (begun, mut peer) = (Instant::now(), ada(&shared));
    peer.event("hello").await;
    for _ in 0..4 {
        peer.say("nonsense").await;
        peer.event("error").await;
    }
    peer.say(r#"{"type":"hello"}"#).await;
    peer.event("live").await;
    assert_eq!(begun.elapsed().as_secs(), 1, "the fourth refusal was one too many for the burst");
    peer.say(r#"{"type":"say","text":"hello"}"#).await;
    peer.event("slow").await;
}

#[tokio::test(start_paused = true)]
async fn frames_that_carry_nothing_count_before_the_seat_too() {
    let shared = shared();
    let mut peer = Peer::connect(&shared, opening(Dialect::Json, "ada"), 64 * 1024);
    peer.event("hello").await;
    let begun = Instant::now();
    for _ in 0..2 * Limits::CONTROL_RATE + 20 {
        peer.stream.send(Message::pong("")).await.unwrap();
    }
    peer.say(r#"{"type":"hello"}"#).await;
    peer.event("welcome").await;
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_hello_in_time_is_told_so() {
    let shared = shared();
    let mut peer = Peer::connect(&shared, opening(Dialect::Json, "ada"), 1024);
    assert_eq!(peer.closed().await, (1008, "no hello in time".to_owned()));
    assert_eq!(peer.end().await, End::NoHello);
}

#[tokio::test(start_paused = true)]
async fn whoever_resumes_gets_exactly_what_was_missed_and_the_ghost_is_evicted() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut ghost, welcome) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    bob.say("seen").await;
    let seen = ghost.event("message").await["id"].as_u64().unwrap();
    bob.say("missed").await;
    bob.until(|line| line == "bob: missed").await;

    let hello = json!({"type": "hello", "nick": "ada", "session": welcome["session"], "epoch": welcome["epoch"], "after": seen});
    let mut ada = Peer::connect(&shared, opening(Dialect::Json, "x"), 4096);
    ada.event("hello").await;
    ada.say(&hello.to_string()).await;
    let again = ada.event("welcome").await;
    assert_eq!((&again["nick"], &again["resumed"]), (&json!("ada"), &json!(true)));
    assert_eq!(again["session"], welcome["session"]);
    assert_eq!(serde_json::from_str::<Value>(&ada.line().await).unwrap()["text"], "missed");
    assert_eq!(serde_json::from_str::<Value>(&ada.line().await).unwrap()["type"], "live");
    assert_eq!(ghost.closed().await, (4000, "a newer connection has your place".to_owned()));
    bob.say("/names").await;
    assert_eq!(bob.until(|line| line.starts_with('*') && !line.contains("joined")).await, "* in #lobby: ada, bob");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_epoch_does_not_count() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    bob.say("old").await;
    bob.until(|line| line == "bob: old").await;
    let mut ada = Peer::connect(&shared, opening(Dialect::Json, "ada"), 4096);
    ada.event("hello").await;
    ada.say(r#"{"type":"hello","epoch":"00000000000000ff","after":1000}"#).await;
    ada.event("welcome").await;
    assert_eq!(ada.event("message").await["text"], "old");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_past_the_end_hides_nothing() {
    let epoch = shared().store.epoch().to_string();
    for hello in [
        json!({"type": "hello", "after": 1000}),
        json!({"type": "hello", "epoch": epoch, "after": 1000}),
        json!({"type": "hello", "epoch": epoch, "run": "00000000000000ff", "after": 1}),
        json!({"type": "hello", "epoch": epoch, "run": "00000000000000ff", "after": u64::MAX}),
    ] {
        let shared = shared();
        let mut bob = Peer::text(&shared, "bob").await;
        bob.say("old").await;
        bob.until(|line| line == "bob: old").await;
        let mut ada = Peer::connect(&shared, opening(Dialect::Json, "ada"), 64 * 1024);
        ada.event("hello").await;
        ada.say(&hello.to_string()).await;
        let welcome = ada.event("welcome").await;
        assert_eq!((&welcome["shared"], &welcome["run"]), (&json!(0), &json!(epoch)), "{hello}");
        assert_eq!(ada.event("message").await["text"], "old", "{hello}");
        ada.event("live").await;
        ada.say(r#"{"type":"say","text":"new"}"#).await;
        assert_eq!(ada.event("message").await["text"], "new", "{hello}: one's own echo is seen");
        ada.say(r#"{"type":"history","after":1000}"#).await;
        assert_eq!(ada.event("error").await["code"], "other_history");
        ada.say(r#"{"type":"history","after":2}"#).await;
        assert_eq!(ada.event("history").await["messages"], json!([]), "the end is none");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_silent_for_its_grace() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    bob.until(|line| line == "* ada joined").await;
    let begun = Instant::now();
    assert_eq!(ada.end().await, End::Lost);
    assert_eq!(bob.line().await, "* ada left");
    assert!(begun.elapsed() >= Limits::GRACE);
}

#[tokio::test(start_paused = true)]
async fn lost_connections_are_charged_to_the_address_they_came_from() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let begun = Instant::now();
    for (address, name) in [(HERE, "ada"), ([10, 0, 0, 1].into(), "eve")] {
        for number in 0..=LOST {
            let name = format!("{name}-{number}");
            let mut peer = Peer::connect_from(address, &shared, opening(Dialect::Json, &name), 64 * 1024);
            peer.event("hello").await;
            peer.say(r#"{"type":"hello"}"#).await;
            peer.event("live").await;
            bob.until(|line| line == format!("* {name} joined")).await;
            assert_eq!(peer.end().await, End::Lost);
        }
        let is_left = |line: &str| {
            assert!(!line.ends_with("-1 left"), "{line}, though only one is too many");
            line == format!("* {name}-0 left")
        };
        bob.until(is_left).await;
    }
    assert!(begun.elapsed() < Limits::GRACE, "each address gave up its oldest");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_read_no_faster_than_it_is_allowed() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let begun = Instant::now();
    for _ in 0..4 * Limits::CONTROL_RATE {
        ada.stream.send(Message::ping("")).await.unwrap();
    }
    ada.say("hello").await;
    loop {
        let message = ada.stream.next().await.unwrap().unwrap();
        if message.as_text() == Some("ada: hello") {
            break;
        }
    }
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_says_so() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let mut early = Peer::connect(&shared, opening(Dialect::Json, "x"), 1024);
    early.event("hello").await;
    shared.stop.cancel();
    for peer in [&mut ada, &mut early] {
        assert_eq!(peer.closed().await, (1001, "the server is stopping".to_owned()));
    }
    assert_eq!(ada.end().await, End::Stopping);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_ends_with_its_close_code() {
    // Frames as a client sends them, with a mask of zeros.
    let fragment = |opcode: u8| [vec![opcode, 0xfe, 0xff, 0xff, 0, 0, 0, 0], vec![b'x'; 0xffff]].concat();
    for (frames, code) in [
        ([fragment(0x01), fragment(0x00)].concat(), 1009_u16),
        (vec![0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], 1009),
        (vec![0x82, 0x81, 0, 0, 0, 0, 7], 1003),
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (vec![0xf1, 0x80, 0, 0, 0, 0], 1002),
        (vec![0x81, 0x01, b'x'], 1002),
    ] {
        let shared = shared();
        let (mut rude, session) = start(&shared, opening(Dialect::Text, "rude"), 1024 * 1024);
        rude.write_all(&frames).await.unwrap();
        rude.shutdown().await.unwrap();
        let mut answer = Vec::new();
        timeout(LONG, rude.read_to_end(&mut answer)).await.unwrap().unwrap();
        let [high, low] = code.to_be_bytes();
        let said = answer.windows(4).any(|bytes| bytes[0] == 0x88 && bytes[2..] == [high, low]);
        assert!(said, "{code}: {:?}", session.await);
    }
}

#[tokio::test(start_paused = true)]
async fn who_quits_sees_what_they_said_and_leaves_at_once() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let begun = Instant::now();
    ada.say(r#"{"type":"say","text":"bye"}"#).await;
    ada.say(r#"{"type":"quit"}"#).await;
    ada.event("message").await;
    assert_eq!(ada.closed().await, (1000, "goodbye".to_owned()));
    bob.until(|line| line == "ada: bye").await;
    bob.until(|line| line == "* ada left").await;
    assert!(begun.elapsed() < Limits::GRACE);
}

#[tokio::test]
async fn the_room_and_the_peer_have_their_turns_one_after_the_other() {
    let shared = shared();
    let (mut peer, ours) = duplex(4096);
    let mut socket = Socket::new(PrefixedStream::new(&[], ours), Vec::new());
    let entered =
        Entering::new(&mut socket, &shared, &mut Pace::new(&shared), HERE).enter(opening(Dialect::Text, "ada")).await;
    let (member, dialect, _) = entered.map_err(drop).unwrap();
    let mut session = Session::new(&mut socket, &shared, dialect, member, Pace::new(&shared), HERE);
    let (stop, alarm) = (pin!(shared.stop.cancelled()), pin!(sleep_until(session.next_alarm())));
    let mut seldom = SessionEvents::new(stop, alarm, session.member.mailbox.clone());
    // The room has two batches. The peer has sent two frames, "a" and "b", with a mask of zeros.
    for text in ["one", "two"] {
        let said = Outgoing { kind: Kind::Say, text: Some(Body::new(text).unwrap()), key: None };
        shared.hub.say(session.member.id, vec![said]).await.unwrap();
        shared.hub.barrier().await.unwrap();
    }
    peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'a', 0x81, 0x81, 0, 0, 0, 0, b'b']).await.unwrap();
    let (mut turns, mut told) = (Vec::new(), false);
    for _ in 0..4 {
        let next = session.next(&mut seldom, told).await;
        told = matches!(next, Step::Batch(Ok(_)));
        turns.push(match next {
            Step::Batch(Ok(_)) => "room",
            Step::Event(Event::Peer(Incoming::Text(_))) => "peer",
            _ => "neither",
        });
    }
    assert_eq!(turns, ["room", "peer", "room", "peer"]);
}

#[tokio::test]
async fn a_batch_is_written_from_the_cursor_on() {
    let shared = shared();
    let (ours, mut peer) = tcp_pair().await;
    let mut socket = Socket::new(PrefixedStream::new(&[], ours), Vec::new());
    let entered =
        Entering::new(&mut socket, &shared, &mut Pace::new(&shared), HERE).enter(opening(Dialect::Text, "ada")).await;
    let (member, dialect, _) = entered.map_err(drop).unwrap();
    let mut session = Session::new(&mut socket, &shared, dialect, member, Pace::new(&shared), HERE);
    session.say_live().await.unwrap();
    session.cursor = MessageId(1);
    let batch = Batch::messages(vec![message(1, "a"), message(2, "b")]);
    session.follow(&batch).await.unwrap();
    assert_eq!(session.cursor, MessageId(2));
    drop(socket);
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).await.unwrap();
    assert!(heard.ends_with(b"\x81\x06ada: b"));
    assert!(!heard.windows(6).any(|text| text == b"ada: a"), "it was seen");
}
