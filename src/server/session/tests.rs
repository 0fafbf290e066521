//! Sessions over a duplex, with paused time: nothing here waits for real.

use std::collections::VecDeque;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::timeout,
};
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

use super::*;
use crate::{server::replay::Replay, wire::Hex};

/// Longer than anything that a session waits for.
const LONG: std::time::Duration = std::time::Duration::from_mins(10);

fn shared_over(log: Log, rate: u32, burst: u32) -> Shared {
    let (hub, desk) = Hub::new(log.clone(), MessageId(0));
    tokio::spawn(desk);
    Shared { hub, log, stop: CancellationToken::new(), rate: Rate::new(rate, burst), origins: Arc::new([]) }
}

fn shared() -> Shared {
    shared_over(Log::memory(Hex([1; 8])), 0, 0)
}

fn opening(dialect: Dialect, nick: &str) -> Opening {
    let nick = Some(Nick::new(nick).unwrap());
    Opening { dialect, room: crate::wire::RoomName::lobby(), nick, complaint: None, history: None }
}

/// The other end of a session.
struct Peer {
    stream: WebSocketStream<DuplexStream>,
    session: JoinHandle<End>,
    /// Frames read and not yet asked for.
    unread: VecDeque<String>,
}

/// Starts a session over a pipe that holds so many bytes, and returns it with the bare other end.
fn start(shared: &Shared, opening: Opening, bytes: usize) -> (DuplexStream, JoinHandle<End>) {
    let (ours, theirs) = duplex(bytes);
    let socket = Socket::new(Replay::new(bytes::Bytes::new(), theirs));
    (ours, tokio::spawn(run(socket, opening, shared.clone())))
}

impl Peer {
    fn connect(shared: &Shared, opening: Opening, bytes: usize) -> Self {
        let (stream, session) = start(shared, opening, bytes);
        Self { stream: ClientBuilder::new().take_over(stream), session, unread: VecDeque::new() }
    }

    /// Returns a peer of the text dialect that has been welcomed.
    async fn text(shared: &Shared, nick: &str) -> Self {
        let mut peer = Self::connect(shared, opening(Dialect::Text, nick), 64 * 1024);
        peer.until(|line| line.starts_with("* welcome")).await;
        peer
    }

    /// Returns a peer of the JSON dialect that has said `hello`, and its welcome.
    async fn json(shared: &Shared, hello: Value) -> (Self, Value) {
        let mut peer = Self::connect(shared, opening(Dialect::Json, "somebody"), 64 * 1024);
        peer.event("hello").await;
        peer.say(&hello.to_string()).await;
        let welcome = peer.event("welcome").await;
        peer.event("live").await;
        (peer, welcome)
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

    /// Returns the close code and reason, skipping whatever comes before.
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

#[tokio::test(start_paused = true)]
async fn what_one_says_all_see_once_the_sender_too() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let mut bob = Peer::text(&shared, "bob").await;
    ada.say("hello").await;
    bob.say("hi").await;
    for peer in [&mut ada, &mut bob] {
        assert_eq!(peer.until(|line| !line.starts_with('*')).await, "ada: hello");
        assert_eq!(peer.until(|line| !line.starts_with('*')).await, "bob: hi");
    }
}

#[tokio::test(start_paused = true)]
async fn both_dialects_share_a_room() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let (mut bob, welcome) = Peer::json(&shared, json!({"type": "hello", "nick": "bob"})).await;
    assert_eq!(welcome["names"], json!(["ada", "bob"]));
    bob.say(r#"{"type":"say","key":"k1","text":"hello"}"#).await;
    assert_eq!(ada.until(|line| line.starts_with("bob")).await, "bob: hello");
    let echo = bob.event("message").await;
    assert_eq!((&echo["key"], &echo["id"]), (&json!("k1"), &json!(1)));
}

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
async fn a_peer_that_answers_pings_stays() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let idle = timeout(LONG, async { while ada.stream.next().await.is_some_and(|frame| frame.is_ok()) {} });
    assert!(idle.await.is_err(), "still there after ten minutes");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_hello_in_time_is_told_so() {
    let shared = shared();
    let mut peer = Peer::connect(&shared, opening(Dialect::Json, "ada"), 1024);
    assert_eq!(peer.closed().await, (1008, "no hello in time".to_owned()));
    assert_eq!(peer.end().await, End::NoHello);
}

#[tokio::test(start_paused = true)]
async fn a_taken_nick_is_an_error_that_json_can_answer() {
    let shared = shared();
    let _ada = Peer::text(&shared, "ada").await;
    let mut other = Peer::connect(&shared, opening(Dialect::Json, "Ada"), 4096);
    other.event("hello").await;
    other.say(r#"{"type":"say","text":"too early"}"#).await;
    assert_eq!(other.event("error").await["code"], "unexpected_hello");
    other.say(r#"{"type":"hello"}"#).await;
    let error = other.event("error").await;
    assert_eq!((&error["code"], &error["free"]), (&json!("nick_taken"), &json!("Ada-2")));
    other.say(r#"{"type":"hello","nick":"Ada-2"}"#).await;
    assert_eq!(other.event("welcome").await["nick"], "Ada-2");
}

#[tokio::test(start_paused = true)]
async fn a_taken_nick_in_text_becomes_the_next_and_its_owner_is_told() {
    let shared = shared();
    let _ada = Peer::text(&shared, "ada").await;
    let mut other = Peer::connect(&shared, opening(Dialect::Text, "ada"), 4096);
    assert_eq!(other.line().await, "! ada is taken; you are ada-2");
    assert!(other.line().await.starts_with("* welcome to #lobby, ada-2"));
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
async fn a_message_sent_again_under_its_key_is_shown_once() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    for text in ["one", "one", "two"] {
        ada.say(&json!({"type": "say", "key": text, "text": text}).to_string()).await;
    }
    let ids = [ada.event("message").await, ada.event("message").await, ada.event("message").await]
        .map(|event| event["id"].clone());
    assert_eq!(ids.iter().filter(|id| **id == json!(1)).count(), 2, "both are acknowledged: {ids:?}");
    assert_eq!(bob.until(|line| !line.starts_with('*')).await, "ada: one");
    assert_eq!(bob.line().await, "ada: two");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_silent_for_its_grace() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    bob.until(|line| line.contains("ada joined")).await;
    let begun = Instant::now();
    assert_eq!(ada.end().await, End::Lost);
    assert_eq!(bob.line().await, "* ada left");
    assert!(begun.elapsed() >= Limits::GRACE);
}

#[tokio::test(start_paused = true)]
async fn too_fast_is_told_and_waits_and_nothing_is_dropped_or_reordered() {
    let shared = shared_over(Log::memory(Hex([1; 8])), 1, 2);
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let begun = Instant::now();
    for number in 0..5 {
        ada.say(&json!({"type": "say", "text": number.to_string()}).to_string()).await;
    }
    let (mut said, mut slow) = (Vec::new(), Vec::new());
    while said.len() < 5 {
        let event: Value = serde_json::from_str(&ada.line().await).unwrap();
        match event["type"].as_str() {
            Some("message") => said.push(event["text"].as_str().unwrap().to_owned()),
            Some("slow") => slow.push(event["retry_after_ms"].as_u64().unwrap()),
            _ => {}
        }
    }
    assert_eq!(said, ["0", "1", "2", "3", "4"]);
    assert_eq!(slow[0], 2000);
    assert_eq!(begun.elapsed().as_secs(), 3);
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
async fn what_one_said_before_going_elsewhere_comes_back_first() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let mut bob = Peer::text(&shared, "bob").await;
    ada.say("last words").await;
    ada.say("/join rust").await;
    ada.until(|line| line == "ada: last words").await;
    assert_eq!(ada.until(|line| !line.contains("joined")).await, "* you are in #rust; here: ada");
    ada.say("hello rust").await;
    ada.until(|line| line == "ada: hello rust").await;
    bob.until(|line| line == "ada: last words").await;
    assert_eq!(bob.line().await, "* ada left");
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

#[tokio::test(start_paused = true)]
async fn what_could_not_be_stored_nobody_sees_and_its_sender_is_told() {
    let shared = shared_over(Log::Broken, 0, 0);
    let (_bare, refused) = start(&shared, opening(Dialect::Text, "ada"), 4096);
    assert_eq!(refused.await.unwrap(), End::Failed, "history cannot be read");
    let mut opening = opening(Dialect::Json, "ada");
    opening.history = Some(0);
    // A reader of a broken log never comes in; the hub's own answer is what counts here.
    let seat = shared.hub.arrive(crate::room::Arrival {
        author: Hex([9; 16]),
        nick: None,
        if_taken: crate::room::IfTaken::Next,
        room: crate::wire::RoomName::lobby(),
    });
    let mut seat = seat.await.unwrap().unwrap();
    let (text, key) = (crate::wire::Body::new("x").unwrap(), crate::wire::IdempotencyKey::new("k").unwrap());
    shared.hub.say(seat.id, crate::wire::Kind::Say, Some(text), Some(key.clone())).await.unwrap();
    let ServerMessage::Error(failure) = *seat.mailbox.next().await.unwrap() else { panic!("no error") };
    assert_eq!((failure.code, failure.key), (crate::wire::ErrorCode::NotStored, Some(key)));
    let told: Vec<_> = std::iter::from_fn(|| seat.place.ring.try_recv().ok()).collect();
    assert!(told.iter().all(|batch| batch.last().is_none()), "no message: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn private_messages_reach_one_person_in_whatever_room() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let mut bob = Peer::text(&shared, "bob").await;
    bob.say("/reply to whom").await;
    bob.until(|line| line == "! nobody has told you anything yet").await;
    bob.say("/join rust").await;
    bob.until(|line| line.starts_with("* you are in #rust")).await;
    ada.say("/msg Bob psst").await;
    bob.until(|line| line == "* private from ada to bob: psst").await;
    ada.until(|line| line == "* private from ada to bob: psst").await;
    bob.say("/reply yes?").await;
    ada.until(|line| line == "* private from bob to ada: yes?").await;
    ada.say("/msg eve psst").await;
    assert_eq!(ada.until(|line| line.starts_with('!')).await, "! nobody called eve is here");
}

#[tokio::test(start_paused = true)]
async fn a_private_message_sent_again_is_delivered_once() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    for (key, text) in [("k1", "one"), ("k1", "one"), ("k2", "two")] {
        ada.say(&json!({"type": "msg", "to": "bob", "key": key, "text": text}).to_string()).await;
        assert_eq!(ada.event("private").await["key"], key);
    }
    bob.until(|line| line == "* private from ada to bob: one").await;
    assert_eq!(bob.line().await, "* private from ada to bob: two");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_misses_no_private_message_unsaid() {
    let shared = shared();
    let (_unread, _session) = start(&shared, opening(Dialect::Text, "stalled"), 200);
    let mut ada = Peer::text(&shared, "ada").await;
    for number in 0..200 {
        ada.say(&format!("/msg stalled {number}")).await;
    }
    ada.until(|line| line.starts_with("! stalled takes nothing at the moment")).await;
}

#[tokio::test(start_paused = true)]
async fn a_page_of_history_fits_its_events() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    for _ in 0..10 {
        ada.say(&json!({"type": "say", "text": "\"".repeat(Limits::MESSAGE)}).to_string()).await;
        ada.event("message").await;
    }
    ada.say(r#"{"type":"history","before":9,"limit":7}"#).await;
    let mut ids = Vec::new();
    loop {
        let line = ada.until(|line| line.starts_with(r#"{"type":"history""#)).await;
        assert!(line.len() <= Limits::PAYLOAD);
        let event: Value = serde_json::from_str(&line).unwrap();
        ids.extend(event["messages"].as_array().unwrap().iter().map(|message| message["id"].as_u64().unwrap()));
        if event["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(ids, [2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test(start_paused = true)]
async fn topics_are_kept_and_shown_to_whoever_comes() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    ada.say("/topic tea").await;
    ada.until(|line| line == "* ada set the topic: tea").await;
    let mut bob = Peer::connect(&shared, opening(Dialect::Text, "bob"), 4096);
    assert_eq!(bob.line().await, "* welcome to #lobby, bob; here: ada, bob; topic: tea; /help lists the commands");
    assert_eq!(bob.line().await, "* ada set the topic: tea", "and it is in the history");
    bob.say("/topic -").await;
    bob.until(|line| line == "* bob cleared the topic").await;
    bob.say("/topic").await;
    bob.until(|line| line == "* #lobby has no topic").await;
}

#[tokio::test(start_paused = true)]
async fn commands_answer_and_an_unknown_one_is_never_chat() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    for (typed, answer) in [
        ("/rooms", "* 1 room\n    #lobby            1"),
        ("/who", "* in #lobby: ada"),
        ("/nick eve", "* you are eve now"),
        ("/me waves", "~ eve waves"),
        ("//etc", "eve: /etc"),
        ("/fly", "! unknown command /fly; /help lists them, and //fly says /fly"),
    ] {
        ada.say(typed).await;
        assert_eq!(ada.until(|line| line == answer).await, answer);
    }
    ada.say("/help").await;
    assert!(ada.until(|line| line.starts_with("commands:")).await.contains("/topic [TEXT | -]"));
    ada.say("/history 9").await;
    assert_eq!(ada.until(|line| line.contains("waves")).await, "~ eve waves\neve: /etc");
}
