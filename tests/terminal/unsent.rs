//! Drafts and unsent lines survive the client.

use std::{fs, path::Path, sync::Arc};

use super::{
    pty::Pty,
    support::{
        DEADLINE,
        folder::Folder,
        process::{Process, Signal},
        raw::RawPeer,
        server::{Server, start, start_with},
    },
};

fn client(server: &Server, home: &Arc<Folder>) -> Pty {
    let address = server.address.to_string();
    Pty::start_in(Arc::clone(home), 80, 24, &[env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"])
}

async fn stop(server: &mut Server) {
    server.process.signal(Signal::Kill).await;
    server.process.exit().await;
}

async fn start_again(server: &mut Server, arguments: &[&str]) {
    let address = server.address.to_string();
    server.process = Process::server(&[&["--listen", &address], arguments].concat());
    server.process.address().await;
}

/// Waits until `text` is, or is not, in a file of unsent lines.
async fn kept(home: &Folder, text: &str, is_there: bool) {
    kept_in("unsent", home, text, is_there).await;
}

async fn kept_in(part: &str, home: &Folder, text: &str, is_there: bool) {
    let folder = home.file(&format!(".local/state/broadcast-chat/{part}"));
    let found = || {
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        files
            .filter(|file| file.path().extension().is_some_and(|end| end == "json" || end == "jsonl"))
            .any(|file| has(&file.path(), text))
    };
    let waiting = async {
        while found() != is_there {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "waited for {text:?} to be kept: {is_there}");
}

fn has(file: &Path, text: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|content| content.contains(text))
}

#[tokio::test]
async fn a_line_that_was_not_echoed_outlives_kill_minus_nine_and_goes_out_once() {
    let (folder, home) = (Folder::new(), Arc::new(Folder::new()));
    let db = folder.file("chat.db").display().to_string();
    let mut server = start_with(&["--db", &db]).await;
    let mut before = client(&server, &home);
    before.shows("#lobby").await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    before.write("echoed\r");
    peer.line_with("ada: echoed").await;
    stop(&mut server).await;
    before.shows("offline").await;
    before.write("not yet sent\r");
    before.shows("1 unsent").await;
    before.write("half a li");
    kept(&home, "not yet sent", true).await;
    kept(&home, "half a li", true).await;
    before.signal("KILL");
    before.exit().await;
    start_again(&mut server, &["--db", &db]).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    let mut after = client(&server, &home);
    assert_eq!(peer.line_with("not yet sent").await, "ada: not yet sent");
    after.shows("sent now: \"not yet sent\"").await;
    after.typed("> half a li").await;
    // Earlier input can be recalled.
    after.write("\u{15}\u{1b}[A");
    after.typed("> not yet sent").await;
    after.write("\u{1b}[A");
    after.typed("> echoed").await;
    after.write("\u{15}");
    kept(&home, "\"unsent\"", false).await;
    after.write("the end\r");
    // Nothing arrived in between.
    assert_eq!(peer.line_with("ada: ").await, "ada: the end");
}

#[tokio::test]
async fn what_was_sent_is_called_back_in_every_room_after_a_restart_and_no_secret() {
    let home = Arc::new(Folder::new());
    let server = start().await;
    let mut before = client(&server, &home);
    before.shows("#lobby").await;
    before.write("from the lobby\r");
    before.shows("ada: from the lobby").await;
    before.write("/token abracadabra\r");
    before.shows("unknown command /token").await;
    before.write("/join tea\r");
    before.shows("#tea").await;
    before.write("\u{1b}[A\u{1b}[A");
    before.typed("> from the lobby").await;
    kept_in("history", &home, "/join tea", true).await;
    before.signal("KILL");
    before.exit().await;
    let mut after = client(&server, &home);
    after.shows("#lobby").await;
    after.write("\u{15}\u{12}the lobby\r");
    after.typed("> from the lobby").await;
    for part in ["unsent", "history"] {
        kept_in(part, &home, "abracadabra", false).await;
    }
}

#[tokio::test]
async fn who_was_killed_has_nick_and_place_again_and_who_quits_leaves_no_token() {
    let home = Arc::new(Folder::new());
    let server = start().await;
    let mut before = client(&server, &home);
    before.shows("#lobby").await;
    kept(&home, "\"session\"", true).await;
    before.signal("KILL");
    before.exit().await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    let mut after = client(&server, &home);
    after.shows("#lobby").await;
    after.write("again\r");
    assert_eq!(peer.line_with("again").await, "ada: again");
    kept(&home, "\"session\"", true).await;
    after.write("\u{4}");
    assert_eq!(after.ended().await, 0);
    kept(&home, "\"session\"", false).await;
}

#[tokio::test]
async fn in_another_history_a_line_that_was_not_sent_comes_back_as_a_draft() {
    let home = Arc::new(Folder::new());
    let mut server = start().await;
    let mut before = client(&server, &home);
    before.shows("#lobby").await;
    stop(&mut server).await;
    before.shows("offline").await;
    before.write("not yet sent\r");
    before.shows("1 unsent").await;
    before.write("/quit\r");
    before.shows("leaving once all is sent").await;
    before.write("\u{4}");
    before.shows("not sent in #lobby: \"not yet sent\"").await;
    assert_eq!(before.ended().await, 1);
    start_again(&mut server, &[]).await;
    let mut after = client(&server, &home);
    after.typed("> not yet sent").await;
    after.write("\r");
    after.shows("ada: not yet sent").await;
}

#[tokio::test]
async fn a_draft_in_another_room_outlives_the_end() {
    let home = Arc::new(Folder::new());
    let server = start().await;
    let mut before = client(&server, &home);
    before.shows("#lobby").await;
    before.write("/join rust\r");
    before.shows("─ #rust").await;
    before.write("half a line");
    before.typed("> half a line").await;
    before.write("\u{1b}1");
    before.typed(">").await;
    before.write("\u{4}");
    assert_eq!(before.ended().await, 0);
    let mut after = client(&server, &home);
    after.shows("#lobby").await;
    after.write("\u{1b}2");
    after.typed("> half a line").await;
}

/// Writes the file of a client that ended `age` seconds ago, with two lines without an echo.
fn leave(home: &Folder, server: &Server, age: u64) {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let line = |text: &str| serde_json::json!({"type": "say", "key": format!("key-of-{text}"), "text": text});
    let kept = serde_json::json!({
        "server": server.address.to_string(), "saved": now - age, "session": "5e55000000000000000000000000a0a0",
        "rooms": [{"room": "lobby", "unsent": [line("stored"), line("lost")]}],
    });
    let folder = home.file(".local/state/broadcast-chat/unsent");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("0123456789abcdef.json"), kept.to_string()).expect("a file");
}

#[tokio::test]
async fn what_the_history_shows_was_sent_and_is_no_draft() {
    let home = Arc::new(Folder::new());
    let server = start().await;
    let (mut bob, _) = RawPeer::join(server.address, "/", "bob").await;
    bob.send_json(&serde_json::json!({"type": "say", "key": "key-of-stored", "text": "stored"})).await;
    bob.event("message").await;
    leave(&home, &server, 3600);
    let mut after = client(&server, &home);
    after.shows("not sent the last time").await;
    after.typed("> lost").await;
}

#[tokio::test]
async fn lines_get_no_younger_while_no_server_is_met() {
    let home = Arc::new(Folder::new());
    let mut server = start().await;
    leave(&home, &server, 3600);
    stop(&mut server).await;
    // A server that accepts the connection and answers nothing.
    let silent = tokio::net::TcpListener::bind(server.address).await.expect("the port is free");
    let mut meanwhile = client(&server, &home);
    meanwhile.shows(">").await;
    meanwhile.write("half");
    kept(&home, "half", true).await;
    meanwhile.signal("KILL");
    meanwhile.exit().await;
    drop(silent);
    start_again(&mut server, &[]).await;
    let mut after = client(&server, &home);
    after.shows("not sent the last time").await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_told_in_full() {
    let home = Arc::new(Folder::new());
    let mut server = start().await;
    let mut client = client(&server, &home);
    client.shows("#lobby").await;
    stop(&mut server).await;
    client.shows("offline").await;
    // A file replaces the directory: nothing more can be written there.
    let folder = home.file(".local/state/broadcast-chat/unsent");
    fs::remove_dir_all(&folder).expect("the folder");
    fs::write(&folder, "").expect("a file");
    client.write("not yet sent\r");
    client.shows("cannot keep what is typed").await;
    client.write("half a line");
    client.typed("> half a line").await;
    client.signal("TERM");
    client.shows("could not be kept").await;
    client.shows("#lobby: not yet sent").await;
    client.shows("#lobby: half a line").await;
}
