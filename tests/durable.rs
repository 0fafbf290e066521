//! What survives a restart: history, epochs, sessions, and memberships.

mod support;

use serde_json::{Value, json};
use support::{
    process::{Process, Signal},
    raw::RawPeer,
    server::{Server, start_with},
};

/// Stops the server and starts it again on the same address and file, with further `arguments`.
async fn restart(server: &mut Server, path: &str, arguments: &[&str]) {
    stop(server).await;
    start_again(server, path, arguments).await;
}

async fn stop(server: &mut Server) {
    server.process.signal(Signal::Term).await;
    assert_eq!(server.process.exit().await.code(), Some(0));
}

async fn start_again(server: &mut Server, path: &str, arguments: &[&str]) {
    let address = server.address.to_string();
    server.process = Process::server(&[&["--listen", &address, "--db", path], arguments].concat());
    server.process.address().await;
}

/// Reconnects as the client that got `welcome`, after the message `after`, and returns the new
/// welcome.
async fn resume(server: &Server, welcome: &Value, after: u64) -> (RawPeer, Value) {
    let mut peer = RawPeer::connect_json(server.address, "/").await;
    peer.event("hello").await;
    let (session, epoch, nick) = (&welcome["session"], &welcome["epoch"], &welcome["nick"]);
    peer.send_json(&json!({"type": "hello", "nick": nick, "session": session, "epoch": epoch, "after": after})).await;
    let welcome = peer.event("welcome").await;
    (peer, welcome)
}

async fn say(peer: &mut RawPeer, key: &str, text: &str) -> u64 {
    peer.send_json(&json!({"type": "say", "key": key, "text": text})).await;
    loop {
        let event = peer.event("message").await;
        if event["key"] == key {
            return event["id"].as_u64().expect("a message has an id");
        }
    }
}

#[tokio::test]
async fn a_restart_is_nobodys_coming_or_going_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    let (mut ada, ada_welcome) = RawPeer::join(server.address, "/", "ada").await;
    let (_bob, bob_welcome) = RawPeer::join(server.address, "/", "bob").await;
    let before = say(&mut ada, "k1", "before").await;

    restart(&mut server, &path, &[]).await;
    let (mut ada, welcome) = resume(&server, &ada_welcome, before).await;
    assert_eq!((&welcome["epoch"], &welcome["nick"]), (&ada_welcome["epoch"], &ada_welcome["nick"]));
    assert_eq!((&welcome["resumed"], &welcome["names"]), (&json!(true), &json!(["ada", "bob"])), "bob is expected");
    let (_bob, _) = resume(&server, &bob_welcome, before).await;
    assert_eq!(say(&mut ada, "k1", "before").await, before, "sent again under its key, it is the same message");
    assert!(say(&mut ada, "k2", "after").await > before);

    let mut late = RawPeer::connect(server.address, "/?nick=eve").await;
    late.line_with("welcome").await;
    assert_eq!(late.line().await, "ada: before");
    assert_eq!(late.line().await, "ada: after");
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_to_whoever_comes_back_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    let (mut ada, welcome) = RawPeer::join(server.address, "/", "ada").await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(say(&mut ada, &number.to_string(), &number.to_string()).await);
    }
    // The messages of the last minutes stay.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("UPDATE messages SET at = at - 3600000").unwrap();
    drop(database);
    restart(&mut server, &path, &["--keep-messages", "3"]).await;
    let (mut ada, _) = resume(&server, &welcome, ids[9]).await;
    // The old ones are deleted in the background. After that, no client gets them.
    support::within("the retention", async {
        loop {
            ada.send_json(&json!({"type": "history", "limit": 100})).await;
            if ada.event("history").await["messages"].as_array().unwrap().len() == 3 {
                break;
            }
        }
    })
    .await;
    let (mut behind, _) = resume(&server, &welcome, ids[2]).await;
    assert_eq!(behind.json().await["type"], "gap");
    assert_eq!(behind.json().await["text"], "7");
    let (mut ahead, _) = resume(&server, &welcome, ids[7]).await;
    assert_eq!(ahead.json().await["text"], "8");
}

#[tokio::test]
async fn no_nick_and_no_row_makes_a_page_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    // A middle dot may only be between two l: the second nick would end with one, or have it beside
    // a hyphen.
    let target = format!("/?nick={}l%C2%B7lx", "x".repeat(28));
    let _first = RawPeer::connect(server.address, &target).await;
    let mut second = RawPeer::connect(server.address, &target).await;
    second.say("hi").await;
    let said = format!("{}l-2: hi", "x".repeat(28));
    assert_eq!(second.line_with("hi").await, said);
    drop(second);
    let database = rusqlite::Connection::open(&path).unwrap();
    let (mut ada, _) = RawPeer::join(server.address, "/", "ada").await;
    say(&mut ada, "1", "a space").await;
    say(&mut ada, "2", "none").await;
    database
        .execute_batch("UPDATE messages SET nick = 'a b' WHERE id = 2; UPDATE messages SET text = NULL WHERE id = 3;")
        .unwrap();
    restart(&mut server, &path, &[]).await;
    for _ in 0..2 {
        let mut reader = RawPeer::connect(server.address, "/").await;
        reader.line_with("welcome").await;
        assert_eq!(reader.line().await, said);
        assert_eq!(reader.line().await, "a\u{fffd}b: a space");
        assert_eq!(reader.line().await, "ada: (this message cannot be shown)");
    }
    server.process.signal(Signal::Term).await;
    let logged = server.process.stderr.rest().await;
    for (id, times) in [(1, 0), (2, 1), (3, 1)] {
        let of_it = format!("message {id} is not one that this program writes");
        assert_eq!(logged.iter().filter(|line| line.contains(&of_it)).count(), times, "{id}: {logged:#?}");
    }
}

#[tokio::test]
async fn a_file_in_use_or_of_another_kind_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let _server = start_with(&["--db", &path]).await;
    let mut second = Process::server(&["--listen", "127.0.0.1:0", "--db", &path]);
    assert_eq!(second.exit().await.code(), Some(1));
    let words = second.stderr.rest().await;
    assert!(words[0].ends_with("is in use by another server") && words[1].starts_with("  hint: "), "{words:?}");

    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not a database at all, but long enough to look like something".repeat(50)).unwrap();
    let mut third = Process::server(&["--listen", "127.0.0.1:0", "--db", &other.display().to_string()]);
    assert_eq!(third.exit().await.code(), Some(1));
    let words = third.stderr.rest().await;
    assert!(words[0].ends_with("is not a database"), "{words:?}");
}

#[tokio::test]
async fn the_start_says_where_history_is_and_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    server.process.stdout.line_with(&format!("history is in {path}: 0 messages")).await;
    let (mut ada, _) = RawPeer::join(server.address, "/", "ada").await;
    say(&mut ada, "k", "hello").await;
    restart(&mut server, &path, &[]).await;
    server.process.stdout.line_with(&format!("history is in {path}: 1 message")).await;
}

#[tokio::test]
async fn a_script_reads_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let server = start_with(&["--db", &path]).await;
    let (mut ada, _) = RawPeer::join(server.address, "/", "ada").await;
    let first = say(&mut ada, "1", "first").await;
    say(&mut ada, "2", "second").await;
    let url = format!("ws://{}", server.address);
    for (since, shown) in [(first.to_string(), 1), ("1h".to_owned(), 2), ("0".to_owned(), 2)] {
        let mut script = Process::client(&[&url, "--nick", "script", "--since", &since]);
        script.close_stdin();
        let lines = script.stdout.rest().await;
        assert_eq!(lines.iter().filter(|line| line.contains("ada: ")).count(), shown, "--since {since}: {lines:?}");
    }
}

#[tokio::test]
async fn a_history_that_was_put_back_is_said_and_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("chat.db"), folder.path().join("copy.db"));
    let db = path.display().to_string();
    let mut server = start_with(&["--db", &db]).await;
    let url = format!("ws://{}", server.address);
    let mut client = Process::client(&[&url, "--nick", "ada", "--plain"]);
    client.stdout.line_with("welcome").await;
    let talk = async |server: &Server, client: &mut Process, words: &str| {
        let (mut bob, _) = RawPeer::join(server.address, "/", "bob").await;
        for number in 0..5 {
            say(&mut bob, &format!("{words}-{number}"), &format!("{words} {number}")).await;
        }
        for number in 0..5 {
            client.stdout.line_with(&format!("bob: {words} {number}")).await;
        }
        bob.send_json(&json!({"type": "quit"})).await;
        bob.closed().await;
    };
    talk(&server, &mut client, "kept").await;
    stop(&mut server).await;
    std::fs::copy(&path, &copy).unwrap();
    start_again(&mut server, &db, &[]).await;
    client.stderr.line_with("none lost").await;
    talk(&server, &mut client, "lost").await;
    stop(&mut server).await;
    std::fs::copy(&copy, &path).unwrap();
    start_again(&mut server, &db, &[]).await;
    // The client reconnects before, while or after ids are assigned again.
    talk(&server, &mut client, "new").await;
    client.stderr.line_with("history is another one").await;
    client.stderr.line_with("back after").await;
    client.write_line("mine").await;
    client.stdout.line_with("ada: mine").await;
}

/// A wrong clock, in milliseconds: the year 3000.
const LATER: u64 = 32_503_680_000_000;

#[tokio::test]
async fn times_do_not_fall_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    let (mut ada, _) = RawPeer::join(server.address, "/", "ada").await;
    say(&mut ada, "1", "first").await;
    stop(&mut server).await;
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute(&format!("UPDATE messages SET at = {LATER}"), []).unwrap();
    drop(database);
    start_again(&mut server, &path, &[]).await;
    server.process.stderr.line_with("of a time to come").await;
    // The first nick is held for the client that has its token.
    let (mut bob, _) = RawPeer::join(server.address, "/?history=0", "bob").await;
    bob.send_json(&json!({"type": "say", "key": "2", "text": "second"})).await;
    loop {
        let message = bob.event("message").await;
        assert_eq!(message["at"], LATER);
        if message["key"] == "2" {
            break;
        }
    }
}

#[tokio::test]
async fn places_and_nicks_are_held_through_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db").display().to_string();
    let mut server = start_with(&["--db", &path]).await;
    let (mut ada, ada_welcome) = RawPeer::join(server.address, "/", "ada").await;
    let (mut bob, bob_welcome) = RawPeer::join(server.address, "/rust", "bob").await;
    let (mut eve, _) = RawPeer::join(server.address, "/", "eve").await;
    bob.send_json(&json!({"type": "set_topic", "text": "tea"})).await;
    bob.event("message").await;
    bob.send_json(&json!({"type": "nick", "nick": "robert"})).await;
    bob.event("nick").await;
    eve.send_json(&json!({"type": "quit"})).await;
    eve.ended().await;
    // The answer comes after the stored messages.
    say(&mut ada, "k1", "one").await;
    let last = say(&mut ada, "k2", "two").await;
    server.process.signal(Signal::Kill).await;
    server.process.exit().await;
    let address = server.address.to_string();
    server.process = Process::server(&["--listen", &address, "--db", &path]);
    server.process.address().await;

    let mut stranger = RawPeer::connect_json(server.address, "/rust").await;
    stranger.event("hello").await;
    for (nick, free) in [("ada", "ada-2"), ("robert", "robert-2")] {
        stranger.send_json(&json!({"type": "hello", "nick": nick})).await;
        let refused = stranger.event("error").await;
        assert_eq!((&refused["code"], &refused["free"]), (&json!("nick_taken"), &json!(free)));
    }
    stranger.send_json(&json!({"type": "hello", "nick": "eve"})).await;
    let welcome = stranger.event("welcome").await;
    assert_eq!((&welcome["nick"], &welcome["names"]), (&json!("eve"), &json!(["eve", "robert"])));
    assert_eq!(welcome["topic"], "tea");
    let mut text = RawPeer::connect(server.address, "/?nick=ada").await;
    text.line_with("ada is taken; you are ada-2").await;
    let (_ada, welcome) = resume(&server, &ada_welcome, last).await;
    assert_eq!((&welcome["nick"], &welcome["resumed"]), (&json!("ada"), &json!(true)));
    let mut bob = RawPeer::connect_json(server.address, "/rust").await;
    bob.event("hello").await;
    bob.send_json(&json!({"type": "hello", "nick": "bob", "session": bob_welcome["session"]})).await;
    let welcome = bob.event("welcome").await;
    assert_eq!((&welcome["nick"], &welcome["resumed"]), (&json!("robert"), &json!(true)));
}
