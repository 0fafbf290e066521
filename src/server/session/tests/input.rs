//! Tests of input and its results.

use std::future::poll_fn;

use futures_util::FutureExt as _;
use tokio::sync::{broadcast, mpsc};

use super::*;
use crate::{
    protocol::RoomView,
    rooms::MemberId,
    server::{
        hub::handle::{Leaving, Request, RoomSubscription},
        hub::mailbox::Mailboxes,
    },
};

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
async fn what_one_says_in_a_row_is_one_request_and_keeps_its_order() {
    let (requests, mut asked) = mpsc::channel(8);
    let hub = Hub::new(requests);
    let shared = Arc::new(Shared { hub, ..Arc::into_inner(shared()).unwrap() });
    let mut ada = Peer::connect(&shared, opening(Dialect::Text, "ada"), 64 * 1024);
    let Some(Request::Arrive(arrival, reply)) = asked.recv().await else { panic!("nobody came in") };
    let (room, nick) = (arrival.room, arrival.nick.unwrap());
    let (mut mail, (_told, receiver)) = (Mailboxes::default(), broadcast::channel(1));
    let member = Membership {
        id: MemberId::nobodys(),
        nick: nick.clone(),
        resumed: false,
        epoch: Hex([1; 8]),
        run: Hex([1; 8]),
        place: RoomSubscription { room: room.clone(), receiver, last: MessageId(0), knows_topic: true },
        mailbox: mail.open(MemberId::nobodys()),
        leaving: Leaving::new(shared.hub.requests().downgrade(), MemberId::nobodys(), true),
    };
    reply
        .send(Ok((member, RoomView { room, topic: None, topic_by: None, names: vec![nick], people: 1, away: vec![] })))
        .unwrap();
    ada.line().await;
    for line in ["1", "2", "//3", "/me 4", "5"] {
        ada.stream.feed(Message::text(line)).await.unwrap();
    }
    ada.stream.flush().await.unwrap();
    for expected in [&["1", "2", "/3"][..], &["4"], &["5"]] {
        let Some(Request::Say(_, said)) = asked.recv().await else { panic!("nothing was said") };
        let said: Vec<_> = said.iter().map(|said| said.text.as_ref().unwrap().as_str()).collect();
        assert_eq!(said, expected);
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
async fn an_echo_given_again_does_not_overtake_what_is_before_it() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    for key in ["one", "two", "two"] {
        ada.say(&json!({"type": "say", "key": key, "text": key}).to_string()).await;
    }
    let ids = [ada.event("message").await, ada.event("message").await, ada.event("message").await]
        .map(|event| event["id"].as_u64().unwrap());
    assert_eq!(ids, [1, 2, 2], "a reader whose cursor is 2 would take 1 for seen");
}

#[tokio::test(start_paused = true)]
async fn too_fast_is_told_and_waits_and_nothing_is_dropped_or_reordered() {
    let shared = shared_over(Store::memory(Hex([1; 8])), 1, 2);
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
async fn whatever_is_asked_or_changed_counts_as_what_is_said_does() {
    let shared = shared_over(Store::memory(Hex([1; 8])), 1, 1);
    for (number, asked) in [
        json!({"type": "join", "room": "rust"}),
        json!({"type": "nick", "nick": "eve"}),
        json!({"type": "set_topic", "text": "tea"}),
        json!({"type": "topic"}),
        json!({"type": "names"}),
        json!({"type": "rooms"}),
        json!({"type": "history"}),
        json!({"type": "search", "query": "tea"}),
        json!({"type": "msg", "to": "ada", "text": "psst"}),
        json!({"type": "me", "text": "waves"}),
        json!({"type": "fly"}),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": format!("ada-{number}")})).await;
        ada.say(&asked.to_string()).await;
        ada.say(&asked.to_string()).await;
        assert!(ada.event("slow").await["retry_after_ms"].as_u64().unwrap() > 0, "{asked}");
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
    assert_eq!(ada.until(|line| !line.contains("joined")).await, "* you are in #rust\n* here: ada");
    ada.say("hello rust").await;
    ada.until(|line| line == "ada: hello rust").await;
    bob.until(|line| line == "ada: last words").await;
    assert_eq!(bob.line().await, "* ada left");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_stored_nobody_sees_and_its_sender_is_told() {
    let shared = shared_over(Store::Broken, 0, 0);
    let (_bare, refused) = start(&shared, opening(Dialect::Text, "ada"), 4096);
    assert_eq!(refused.await.unwrap(), End::Failed, "history cannot be read");
    let mut opening = opening(Dialect::Json, "ada");
    opening.history = Some(0);
    // A reader of a broken store never joins; the hub's own answer counts here.
    let member = shared.hub.arrive(crate::rooms::Arrival {
        author: Hex([9; 16]),
        address: HERE,
        nick: None,
        if_taken: crate::rooms::IfTaken::Next,
        room: crate::protocol::RoomName::lobby(),
        can_return: true,
        returning: false,
    });
    let (mut member, _) = member.await.unwrap().unwrap();
    let (text, key) = (crate::protocol::Body::new("x").unwrap(), crate::protocol::IdempotencyKey::new("k").unwrap());
    let said = crate::server::hub::handle::Outgoing {
        kind: crate::protocol::Kind::Say,
        text: Some(text),
        key: Some(key.clone()),
    };
    shared.hub.say(member.id, vec![said]).await.unwrap();
    let ServerMessage::Error(failure) = *poll_fn(|cx| member.mailbox.poll_next(cx)).await.unwrap() else {
        panic!("no error")
    };
    assert_eq!((failure.code, failure.key), (crate::protocol::ErrorCode::NotStored, Some(key)));
    let told: Vec<_> = std::iter::from_fn(|| member.place.receiver.try_recv().ok()).collect();
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
async fn a_reply_goes_to_the_person_and_not_to_who_has_their_nick_now() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut eve, _) = Peer::json(&shared, json!({"type": "hello", "nick": "eve"})).await;
    for to in ["ada", "eve"] {
        bob.say(&format!("/msg {to} psst")).await;
        bob.until(|line| line == format!("* private from bob to {to}: psst")).await;
    }
    ada.until(|line| line == "* private from bob to ada: psst").await;
    let peer = eve.event("private").await["peer"].clone();
    bob.say("/nick robert").await;
    bob.until(|line| line == "* you are robert now").await;
    let mut carol = Peer::text(&shared, "bob").await;
    ada.say("/reply yes?").await;
    bob.until(|line| line == "* private from ada to robert: yes?").await;
    eve.say(&json!({"type": "msg", "to": "bob", "peer": peer, "text": "no"}).to_string()).await;
    bob.until(|line| line == "* private from eve to robert: no").await;
    let echo = eve.event("private").await;
    assert_eq!((&echo["peer"], &echo["to"]), (&peer, &json!("robert")));
    bob.say("/who").await;
    bob.until(|line| line.starts_with("* in")).await;
    bob.say("/quit").await;
    assert_eq!(bob.closed().await.0, 1000);
    ada.say("/reply still there?").await;
    ada.until(|line| line == "! bob has gone; whoever is called so now is another person").await;
    eve.say(&json!({"type": "msg", "to": "bob", "peer": peer, "text": "no"}).to_string()).await;
    assert_eq!(eve.event("error").await["code"], "no_such_nick");
    carol.say("/who").await;
    let line = carol.until(|line| line.starts_with("* in") || line.starts_with("* private")).await;
    assert!(line.starts_with("* in"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_private_message_sent_again_is_delivered_once() {
    let shared = shared();
    let (mut bob, _) = Peer::json(&shared, json!({"type": "hello", "nick": "bob"})).await;
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let mut ids = Vec::new();
    for (key, text) in [("k1", "one"), ("k1", "one"), ("k2", "two")] {
        ada.say(&json!({"type": "msg", "to": "bob", "key": key, "text": text}).to_string()).await;
        let echo = ada.event("private").await;
        assert_eq!(echo["key"], key);
        ids.push(echo["id"].clone());
    }
    assert!(ids[0].is_u64() && ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    for (text, id) in [("one", &ids[0]), ("two", &ids[2])] {
        let private = bob.event("private").await;
        assert_eq!((&private["text"], &private["id"]), (&json!(text), id), "each copy has the same id");
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_misses_no_private_message_unsaid() {
    let shared = shared();
    let (_unread, _session) = start(&shared, opening(Dialect::Text, "stalled"), 200);
    let mut ada = Peer::text(&shared, "ada").await;
    for number in 0..200 {
        ada.say(&format!("/msg stalled {number}")).await;
    }
    ada.until(|line| line.starts_with("! stalled is not receiving messages")).await;
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
    ada.say(r#"{"type":"history","after":3,"limit":1}"#).await;
    assert_eq!(ada.event("history").await["messages"][0]["id"], 4);
}

#[tokio::test(start_paused = true)]
async fn topics_are_kept_and_shown_to_whoever_comes() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    ada.say("/topic tea").await;
    ada.until(|line| line == "* ada set the topic: tea").await;
    let mut bob = Peer::connect(&shared, opening(Dialect::Text, "bob"), 4096);
    assert_eq!(bob.line().await, "* welcome to #lobby, bob; /help lists the commands\n* topic: tea\n* here: ada, bob");
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
        ("/jion", "! unknown command /jion; did you mean /join? //jion says /jion"),
        ("/fly", "! unknown command /fly; /help lists them, and //fly says /fly"),
    ] {
        ada.say(typed).await;
        assert_eq!(ada.until(|line| line == answer).await, answer);
    }
    ada.say("/help").await;
    assert!(ada.until(|line| line.starts_with("commands;")).await.contains("/topic [TEXT | -]"));
    ada.say("/help topic").await;
    ada.until(|line| line.ends_with("\nexample: /topic release on Friday")).await;
    ada.say("/history 9").await;
    assert_eq!(ada.until(|line| line.contains("waves")).await, "~ eve waves\neve: /etc");
}

#[tokio::test(start_paused = true)]
async fn who_joins_the_room_they_are_in_stays_and_goes_on() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    ada.say(r#"{"type":"say","text":"hello"}"#).await;
    ada.event("message").await;
    ada.say(r#"{"type":"join","room":"lobby"}"#).await;
    assert_eq!(ada.event("joined").await["names"], json!(["ada"]));
    assert_eq!(ada.event("live").await["cursor"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_longest_list_of_rooms_comes_in_parts_that_fit() {
    let shared = shared();
    let mut people = Vec::new();
    let topic = "\"".repeat(Limits::TOPIC);
    for number in 0..40 {
        let (mut peer, _) = Peer::person(&shared, number, &format!("p{number}"), &format!("r{number}")).await;
        peer.say(&json!({"type": "set_topic", "text": topic}).to_string()).await;
        peer.event("message").await;
        people.push(peer);
    }
    people[0].say(r#"{"type":"rooms"}"#).await;
    let mut listed = 0;
    loop {
        let line = people[0].line().await;
        assert!(line.len() <= Limits::PAYLOAD, "{} bytes", line.len());
        let rooms: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&rooms["type"], &rooms["total"]), (&json!("rooms"), &json!(40)));
        listed += rooms["rooms"].as_array().unwrap().len();
        if rooms["more"] == false {
            break;
        }
    }
    assert_eq!(listed, 40);
    // In the text dialect it is one line a room, all at once.
    let mut ada = Peer::text(&shared, "ada").await;
    ada.say("/rooms").await;
    let lines = ada.until(|line| line.starts_with("* 41 rooms")).await;
    assert_eq!(lines.lines().count(), 42);
    assert!(lines.len() <= Limits::PAYLOAD);
}

#[tokio::test(start_paused = true)]
async fn pages_and_what_is_found_come_in_parts_that_fit() {
    let shared = shared();
    let (mut ada, _) = Peer::person(&shared, 1, "ada", "lobby").await;
    for text in ["\"", "\na", "\n\n\n\n\n\n\na", "\u{1f33b}", "x\\"] {
        let text = format!("tea {}", text.repeat((Limits::MESSAGE - 4) / text.len()));
        for _ in 0..2 {
            ada.say(&json!({"type": "say", "text": text}).to_string()).await;
            let line = ada.line().await;
            assert!(line.len() <= Limits::PAYLOAD, "{} bytes", line.len());
        }
    }
    for (question, answer) in [(r#"{"type":"history"}"#, "history"), (r#"{"type":"search","query":"tea"}"#, "found")] {
        ada.say(question).await;
        let mut count = 0;
        loop {
            let line = ada.line().await;
            assert!(line.len() <= Limits::PAYLOAD, "{} bytes", line.len());
            let part: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(part["type"], answer);
            count += part["messages"].as_array().unwrap().len();
            if part["more"] == false {
                break;
            }
        }
        assert_eq!(count, 10);
    }
    let mut bob = Peer::text(&shared, "bob").await;
    bob.say("/history").await;
    bob.say("/search tea").await;
    bob.say("the end").await;
    loop {
        let line = bob.line().await;
        assert!(line.len() <= Limits::PAYLOAD, "{} bytes", line.len());
        if line == "bob: the end" {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_into_an_empty_room_finds_its_topic() {
    let shared = shared();
    let mut ada = Peer::text(&shared, "ada").await;
    ada.say("/topic tea").await;
    ada.until(|line| line == "* ada set the topic: tea").await;
    ada.say("/join rust").await;
    ada.until(|line| line.starts_with("* you are in #rust")).await;
    let mut bob = Peer::connect(&shared, opening(Dialect::Text, "bob"), 4096);
    assert_eq!(bob.line().await, "* welcome to #lobby, bob; /help lists the commands\n* topic: tea\n* here: bob");
    ada.say("/join lobby").await;
    assert_eq!(ada.until(|line| line.contains("#lobby")).await, "* you are in #lobby\n* topic: tea\n* here: ada, bob");
    // And the hub knows it.
    bob.say("/rooms").await;
    bob.until(|line| line.ends_with("#lobby            2  tea")).await;
}

#[tokio::test(start_paused = true)]
async fn who_pages_through_everything_is_read_by_turns() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    ada.say(r#"{"type":"say","text":"hello"}"#).await;
    ada.event("message").await;
    // As if others were having their pages read.
    let mut taken = Vec::new();
    for _ in 0..Store::PAGES_AT_ONCE {
        taken.push(shared.pages.take(Purpose::Question, HERE).await);
    }
    ada.say(r#"{"type":"history"}"#).await;
    let mut bob = Peer::connect(&shared, opening(Dialect::Text, "bob"), 64 * 1024);
    let both_wait = async {
        while shared.pages.waiting() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, both_wait).await.unwrap();
    assert!(bob.line().now_or_never().is_none() && ada.line().now_or_never().is_none());
    taken.pop();
    bob.until(|line| line == "ada: hello").await;
    assert_eq!(ada.event("history").await["messages"][0]["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_search_costs_more_than_a_line() {
    let shared = shared_over(Store::memory(Hex([1; 8])), 1, 3);
    let mut ada = Peer::text(&shared, "ada").await;
    for line in ["/search tea", "one", "two"] {
        ada.say(line).await;
    }
    assert_eq!(ada.until(|line| !line.starts_with('*')).await, "! slow down: your next line is taken in 4.0 s");
    ada.until(|line| line == "ada: two").await;
}

#[tokio::test(start_paused = true)]
async fn what_the_log_cannot_answer_is_said_and_the_session_goes_on() {
    let shared = shared_over(Store::Broken, 0, 0);
    let mut opening = opening(Dialect::Text, "ada");
    opening.history = Some(0);
    let mut ada = Peer::connect(&shared, opening, 64 * 1024);
    for question in ["/search tea", "/history", "/history 5"] {
        ada.say(question).await;
        assert_eq!(
            ada.until(|line| line.starts_with('!')).await,
            "! the server cannot read its history: the log is broken"
        );
    }
    ada.say("/topic").await;
    assert_eq!(ada.until(|line| line.starts_with('!')).await, "! the topic cannot be read at the moment");
    ada.say("/names").await;
    ada.until(|line| line == "* in #lobby: ada").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_knows_what_the_same_connection_said_before() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    for frame in [
        json!({"type": "set_topic", "text": "tea"}),
        json!({"type": "topic"}),
        json!({"type": "say", "text": "milk"}),
        json!({"type": "history", "limit": 1}),
        json!({"type": "say", "text": "sugar"}),
        json!({"type": "search", "query": "sugar"}),
    ] {
        ada.stream.feed(Message::text(frame.to_string())).await.unwrap();
    }
    ada.stream.flush().await.unwrap();
    assert_eq!(ada.event("topic").await["topic"], "tea");
    assert_eq!(ada.event("history").await["messages"][0]["text"], "milk");
    assert_eq!(ada.event("found").await["messages"][0]["text"], "sugar");
}

#[tokio::test(start_paused = true)]
async fn who_goes_to_an_empty_room_finds_its_topic_and_those_who_follow_too() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada", "room": "rust"})).await;
    ada.say(r#"{"type":"set_topic","text":"tea"}"#).await;
    ada.event("message").await;
    for room in ["lobby", "rust"] {
        ada.say(&json!({"type": "join", "room": room}).to_string()).await;
        let joined = ada.event("joined").await;
        assert_eq!(joined["topic"], if room == "rust" { json!("tea") } else { Value::Null });
    }
    ada.say(r#"{"type":"topic"}"#).await;
    assert_eq!(ada.event("topic").await["topic"], "tea", "the hub knows it now");
}

#[tokio::test(start_paused = true)]
async fn a_search_of_all_rooms_finds_only_what_is_said_where_the_person_is() {
    let shared = shared();
    let (mut rust, _) = Peer::person(&shared, 7, "ada", "rust").await;
    let (mut tea, _) = Peer::person(&shared, 7, "ada", "tea").await;
    let (mut secret, _) = Peer::person(&shared, 8, "bob", "secret").await;
    for (peer, text) in [(&mut rust, "word in rust"), (&mut tea, "word in tea"), (&mut secret, "word in secret")] {
        peer.say(&json!({"type": "say", "text": text}).to_string()).await;
        peer.event("message").await;
    }
    let texts = |found: &Value| -> Vec<String> {
        let messages = found["messages"].as_array().unwrap();
        messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };
    rust.say(r#"{"type":"search","query":"word","all":true}"#).await;
    let found = rust.event("found").await;
    assert_eq!(texts(&found), ["word in tea", "word in rust"]);
    assert_eq!((&found["all"], &found["total"], &found["room"]), (&json!(true), &json!(2), &json!("rust")));
    rust.say(&json!({"type": "search", "query": "word", "all": true, "limit": 1, "before": 2}).to_string()).await;
    let page = rust.event("found").await;
    assert_eq!((texts(&page), page.get("total")), (vec!["word in rust".to_owned()], None));
    rust.say(r#"{"type":"search","query":"word from:bob"}"#).await;
    assert_eq!(texts(&rust.event("found").await), [""; 0]);
    rust.say(r#"{"type":"search","query":"word from:ADA after:2d"}"#).await;
    assert_eq!(texts(&rust.event("found").await), ["word in rust"]);
    rust.say(r#"{"type":"search","query":"word","until":1}"#).await;
    assert_eq!(texts(&rust.event("found").await), [""; 0]);
    rust.say(r#"{"type":"search","query":"word after:noon"}"#).await;
    assert_eq!(rust.event("error").await["code"], "bad_message");
}

#[tokio::test(start_paused = true)]
async fn a_history_begins_at_a_moment() {
    let shared = shared();
    let (mut ada, _) = Peer::person(&shared, 7, "ada", "lobby").await;
    ada.say(r#"{"type":"say","text":"hello"}"#).await;
    let said = ada.event("message").await;
    let at = said["at"].as_u64().unwrap();
    for (at, count) in [(0, 1), (at, 1), (at + 1, 0), (u64::MAX, 0)] {
        ada.say(&json!({"type": "history", "at": at}).to_string()).await;
        assert_eq!(ada.event("history").await["messages"].as_array().unwrap().len(), count, "{at}");
    }
}
