//! Tests of one person on several connections.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_person_in_two_rooms_has_one_nick_and_is_told_when_it_changes() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut lobby, _) = Peer::person(&shared, 7, "ada", "lobby").await;
    bob.until(|line| line == "* ada joined").await;
    let (mut tea, welcome) = Peer::person(&shared, 7, "another", "tea").await;
    assert_eq!((&welcome["nick"], &welcome["resumed"]), (&json!("ada"), &json!(false)));
    tea.say(r#"{"type":"nick","nick":"eve"}"#).await;
    assert_eq!(tea.event("nick").await["nick"], "eve");
    assert_eq!(lobby.event("nick").await["nick"], "eve");
    bob.until(|line| line == "* ada is eve now").await;
    lobby.say(r#"{"type":"say","text":"hello"}"#).await;
    bob.until(|line| line == "eve: hello").await;
}

#[tokio::test(start_paused = true)]
async fn the_last_nick_that_each_connection_is_told_is_the_one_they_have() {
    let shared = shared();
    let (mut one, _) = Peer::person(&shared, 7, "ada", "one").await;
    let (mut two, _) = Peer::person(&shared, 7, "ada", "two").await;
    for nick in ["x", "y", "z"] {
        let peer = if nick == "y" { &mut two } else { &mut one };
        peer.say(&json!({"type": "nick", "nick": nick}).to_string()).await;
    }
    let mut told = Vec::new();
    for peer in [&mut one, &mut two] {
        let nicks = [peer.event("nick").await, peer.event("nick").await, peer.event("nick").await];
        told.push(nicks.map(|event| event["nick"].clone()));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_to_a_room_ends_the_first_and_no_other() {
    let shared = shared();
    let (mut lobby, _) = Peer::person(&shared, 7, "ada", "lobby").await;
    let (mut tea, _) = Peer::person(&shared, 7, "ada", "tea").await;
    let (mut newer, welcome) = Peer::person(&shared, 7, "ada", "tea").await;
    assert_eq!((&welcome["resumed"], &welcome["people"]), (&json!(true), &json!(1)));
    assert_eq!(tea.closed().await, (4000, "a newer connection has your place".to_owned()));
    newer.say(r#"{"type":"join","room":"lobby"}"#).await;
    assert_eq!(newer.event("joined").await["names"], json!(["ada"]));
    assert_eq!(lobby.closed().await.0, 4000);
    assert_eq!(lobby.end().await, End::TakenOver);
    newer.say(r#"{"type":"say","text":"still here"}"#).await;
    newer.event("message").await;
}

#[tokio::test(start_paused = true)]
async fn a_private_message_reaches_one_connection() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut one, _) = Peer::person(&shared, 7, "ada", "one").await;
    let (mut two, _) = Peer::person(&shared, 7, "ada", "two").await;
    bob.say("/msg ada newest").await;
    assert_eq!(two.event("private").await["text"], "newest");
    one.say(r#"{"type":"msg","to":"ada","key":"k","text":"note to self"}"#).await;
    assert_eq!(one.event("private").await["key"], "k");
    bob.say("/msg ada spoke last").await;
    assert_eq!(one.event("private").await["text"], "spoke last");
    // This reads the ping behind it as well, and so confirms that the message came.
    one.say(r#"{"type":"names"}"#).await;
    one.event("names").await;
    assert_eq!(one.end().await, End::Lost);
    bob.say("/msg ada the other").await;
    assert_eq!(two.event("private").await["text"], "the other");
}

#[tokio::test(start_paused = true)]
async fn who_quits_one_room_keeps_the_nick_in_the_others() {
    let shared = shared();
    let mut bob = Peer::text(&shared, "bob").await;
    let (mut lobby, _) = Peer::person(&shared, 7, "ada", "lobby").await;
    let (mut tea, _) = Peer::person(&shared, 7, "ada", "tea").await;
    bob.until(|line| line == "* ada joined").await;
    lobby.say(r#"{"type":"quit"}"#).await;
    assert_eq!(lobby.closed().await.0, 1000);
    bob.until(|line| line == "* ada left").await;
    let mut other = Peer::text(&shared, "ada").await;
    other.say("/names").await;
    other.until(|line| line == "* in #lobby: ada-2, bob").await;
    tea.say(r#"{"type":"quit"}"#).await;
    assert_eq!(tea.closed().await.0, 1000);
    bob.say("/nick ada").await;
    bob.until(|line| line == "* you are ada now").await;
}

#[tokio::test(start_paused = true)]
async fn a_room_too_many_is_refused_and_another_hello_may_follow() {
    let shared = shared();
    let mut peers = Vec::new();
    for number in 0..Limits::SEATS {
        peers.push(Peer::person(&shared, 7, "ada", &format!("r{number}")).await.0);
    }
    let mut more = Peer::connect(&shared, opening(Dialect::Json, "ada"), 4096);
    more.event("hello").await;
    let session = Hex([7; 16]).to_string();
    more.say(&json!({"type": "hello", "room": "more", "session": session}).to_string()).await;
    assert_eq!(more.event("error").await["code"], "too_many_rooms");
    more.say(&json!({"type": "hello", "room": "r3", "session": session}).to_string()).await;
    assert_eq!(more.event("welcome").await["resumed"], json!(true));
}

/// Returns a connection of the person with this token whose peer never reads: as if it were dead
/// and nobody knew.
async fn dead(shared: &Arc<Shared>, token: u8) -> Peer {
    Peer::person(shared, token, "bob", "lobby").await.0
}

async fn tell_bob(ada: &mut Peer, key: &str) {
    ada.say(&json!({"type": "msg", "to": "bob", "key": key, "text": format!("text of {key}")}).to_string()).await;
    assert_eq!(ada.event("private").await["key"], key);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_connection_was_given_goes_to_the_one_that_takes_its_place() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let _dead = dead(&shared, 7).await;
    let keys: Vec<_> = (0..2 * Limits::MAILBOX).map(|number| format!("k{number}")).collect();
    for key in &keys {
        tell_bob(&mut ada, key).await;
    }
    let (mut bob, _) = Peer::person(&shared, 7, "bob", "lobby").await;
    for key in &keys {
        assert_eq!(bob.event("private").await["text"], format!("text of {key}"));
    }
    tell_bob(&mut ada, "k1").await;
    tell_bob(&mut ada, "new").await;
    assert_eq!(bob.event("private").await["text"], "text of new", "a key that was delivered is used up");
    // A confirmed message is not sent to anybody again.
    for _ in 0..2 {
        bob.say(r#"{"type":"names"}"#).await;
        bob.event("names").await;
    }
    let (mut newest, _) = Peer::person(&shared, 7, "bob", "lobby").await;
    newest.say(r#"{"type":"names"}"#).await;
    let next: Value = serde_json::from_str(&newest.until(|line| !line.contains("presence")).await).unwrap();
    assert_eq!(next["type"], "names");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_took_is_told_to_who_said_it_and_its_key_is_free() {
    let shared = shared();
    let hello = json!({"type": "hello", "nick": "ada", "session": Hex([1; 16]).to_string()});
    let (mut ada, _) = Peer::json(&shared, hello.clone()).await;
    let dead = dead(&shared, 7).await;
    tell_bob(&mut ada, "k1").await;
    tell_bob(&mut ada, "k2").await;
    // The sender is away as well when that is found out.
    assert_eq!(dead.end().await, End::Lost);
    tokio::time::sleep(Limits::GRACE / 2).await;
    assert_eq!(ada.end().await, End::Lost);
    tokio::time::sleep(Limits::GRACE.mul_f64(0.7)).await;
    let (mut ada, _) = Peer::json(&shared, hello).await;
    for key in ["k1", "k2"] {
        let error = ada.event("error").await;
        assert_eq!((&error["code"], &error["key"]), (&json!("unreachable"), &json!(key)));
        assert_eq!(error["message"], format!("bob has gone and did not get \"text of {key}\""));
    }
    let (mut bob, _) = Peer::person(&shared, 8, "bob", "lobby").await;
    tell_bob(&mut ada, "k1").await;
    assert_eq!(bob.event("private").await["text"], "text of k1");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_connection_was_given_goes_to_another_of_the_same_person() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let (mut tea, _) = Peer::person(&shared, 7, "bob", "tea").await;
    let dead = dead(&shared, 7).await;
    tell_bob(&mut ada, "k1").await;
    assert_eq!(dead.end().await, End::Lost);
    assert_eq!(tea.event("private").await["text"], "text of k1");
}

/// One person has two connections. One is dead, and in the room that the other goes to.
#[tokio::test(start_paused = true)]
async fn what_a_dead_connection_was_given_goes_to_the_one_that_comes_to_its_room() {
    let shared = shared();
    let (mut ada, _) = Peer::json(&shared, json!({"type": "hello", "nick": "ada"})).await;
    let (mut tea, _) = Peer::person(&shared, 7, "bob", "tea").await;
    let _dead = dead(&shared, 7).await;
    tell_bob(&mut ada, "k1").await;
    tea.say(r#"{"type":"join","room":"lobby"}"#).await;
    assert_eq!(tea.event("private").await["text"], "text of k1");
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_told_of_a_person_and_their_times() {
    let shared = shared();
    let (mut ada, _) = Peer::person(&shared, 7, "ada", "lobby").await;
    let (mut bob, _) = Peer::person(&shared, 8, "bob", "lobby").await;
    let (_secret, _) = Peer::person(&shared, 8, "bob", "secret").await;
    tokio::time::advance(Duration::from_secs(20)).await;
    bob.say(r#"{"type":"away","text":"at \u001b[31mlunch"}"#).await;
    assert_eq!(bob.event("away").await, json!({"type": "away", "text": "at lunch"}));
    tokio::time::advance(Duration::from_secs(10)).await;
    ada.say(r#"{"type":"whois","nick":"Bob"}"#).await;
    let whois = ada.event("whois").await;
    assert_eq!(
        (&whois["nick"], &whois["rooms"], &whois["away"]),
        (&json!("bob"), &json!(["lobby"]), &json!("at lunch"))
    );
    let before = |field: &str| (whois["at"].as_u64().unwrap() - whois[field].as_u64().unwrap()) / 1000;
    assert_eq!((before("since"), before("active")), (30, 10));
    let mut eve = Peer::text(&shared, "eve").await;
    eve.say("/whois bob").await;
    eve.until(|line| line == "* bob: in #lobby; here for 30 s, idle for 10 s; away: at lunch").await;
    eve.say("/whois zoe").await;
    eve.until(|line| line == "! nobody called zoe is here").await;
    eve.say(&format!("/away {}", "x".repeat(257))).await;
    eve.until(|line| line == "! too long: 257 bytes; the maximum is 256").await;
}
