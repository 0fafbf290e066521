//! The operator instructions of `docs/storage.md`, executed as written, with the `sqlite3` of this
//! machine.

mod support;

use std::{io::Write as _, path::Path, process::Command};

use serde_json::json;
use support::{
    process::{Process, Signal},
    raw::RawPeer,
};

const STORAGE: &str = include_str!("../docs/storage.md");

/// Returns the code blocks of one language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let blocks = STORAGE.split(&opening).skip(1);
    blocks.map(|rest| rest.split_once("```").expect("a block ends").0).collect()
}

/// Runs a shell block in the directory, with our `server` on PATH, and returns its output.
fn shell(folder: &Path, block: &str) -> String {
    let ours = Path::new(env!("CARGO_BIN_EXE_server")).parent().expect("the server is in a folder");
    let path = std::env::var("PATH").expect("there is a PATH");
    let output = Command::new("sh")
        .args(["-e", "-c", block])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", ours.display()))
        .output()
        .expect("there is a shell");
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.is_empty(), "{block}: {}: {printed}{told}", output.status);
    printed.into_owned()
}

/// A server on a file of the directory.
async fn start(folder: &Path, file: &str) -> (Process, RawPeer) {
    let db = folder.join(file).display().to_string();
    let mut process = Process::server(&["--listen", "127.0.0.1:0", "--rate", "0", "--db", &db]);
    let address = process.address().await;
    let mut peer = RawPeer::connect_json(address, "/?history=0").await;
    peer.event("hello").await;
    // The same person each time: after a restart the nick is held for the client with the token.
    let session = "5e55000000000000000000000000a0a0";
    peer.send_json(&json!({"type": "hello", "nick": "ada", "session": session})).await;
    peer.event("welcome").await;
    (process, peer)
}

/// Stops the server. A peer that stays connected and answers nothing would delay it.
async fn stop(mut process: Process, peer: RawPeer) {
    drop(peer);
    process.signal(Signal::Term).await;
    assert!(process.exit().await.success());
}

async fn say(peer: &mut RawPeer, text: &str) {
    peer.send_json(&json!({"type": "say", "text": text})).await;
    peer.event("message").await;
}

/// Returns the first word of each message.
async fn history(peer: &mut RawPeer) -> Vec<String> {
    peer.send_json(&json!({"type": "history", "limit": 1000, "after": 0})).await;
    let mut texts = Vec::new();
    loop {
        let page = peer.event("history").await;
        let messages = page["messages"].as_array().expect("messages");
        let text = |message: &serde_json::Value| message["text"].as_str().expect("a text").to_owned();
        texts.extend(messages.iter().map(text).map(|text| text.split(' ').next().unwrap_or_default().to_owned()));
        if page["more"] == false {
            return texts;
        }
    }
}

#[tokio::test]
async fn what_the_documents_tell_an_operator_to_do_works() {
    let has_sqlite3 = Command::new("sqlite3").arg("--version").output().is_ok();
    assert!(has_sqlite3 || std::env::var_os("CI").is_none(), "sqlite3 is not on PATH: apt-get install sqlite3");
    if !has_sqlite3 {
        // Write to stderr directly: the test harness hides macro output of a test that passes.
        drop(writeln!(std::io::stderr(), "skipped: sqlite3 is not on PATH"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [select] = blocks("sql")[..] else { panic!("a new block needs its test") };
    let [set_back, vacuum, backup, copy, restore, salvage] = blocks("sh")[..] else {
        panic!("a new block needs its test")
    };

    let (process, mut ada) = start(folder, "chat.db").await;
    say(&mut ada, "kept").await;
    std::fs::write(folder.join("select.sql"), select).unwrap();
    assert!(shell(folder, "sqlite3 chat.db < select.sql").contains("|ada|kept"), "while the server runs");
    shell(folder, backup);
    say(&mut ada, "lost").await;
    stop(process, ada).await;
    shell(folder, vacuum);
    // As if the clock had been a hundred days ahead.
    shell(folder, "sqlite3 chat.db 'UPDATE messages SET at = at + 8640000000'");
    shell(folder, set_back);
    let (process, mut ada) = start(folder, "chat.db").await;
    assert_eq!(history(&mut ada).await, ["kept", "lost"]);
    let late = "SELECT count(*) FROM messages WHERE at > unixepoch() * 1000";
    assert_eq!(shell(folder, &format!("sqlite3 chat.db '{late}'")), "0\n");
    stop(process, ada).await;

    shell(folder, restore);
    let (process, mut ada) = start(folder, "chat.db").await;
    assert_eq!(history(&mut ada).await, ["kept"]);
    for number in 1..=40 {
        say(&mut ada, &format!("{number} {}", "x".repeat(4000))).await;
    }
    stop(process, ada).await;
    shell(folder, copy);
    shell(folder, restore);

    // A page in the middle of the messages.
    let mut bytes = std::fs::read(folder.join("chat.db")).unwrap();
    let pages = bytes.chunks_mut(4096).filter(|page| page[1000..3000].iter().all(|byte| *byte == b'x'));
    pages.skip(19).step_by(2).take(1).for_each(|page| page.fill(0xa5));
    std::fs::write(folder.join("chat.db"), bytes).unwrap();
    let said = shell(folder, salvage);
    assert!(said.contains(" messages saved in saved.db; at "), "{said}");
    let (process, mut ada) = start(folder, "saved.db").await;
    let saved = history(&mut ada).await;
    assert_eq!((saved[0].as_str(), saved[saved.len() - 1].as_str()), ("kept", "40"), "{saved:?}");
    assert!((36..=40).contains(&saved.len()), "{saved:?}");
    ada.send_json(&json!({"type": "search", "query": "kept"})).await;
    assert_eq!(ada.event("found").await["messages"][0]["text"], "kept", "the index is made anew");
    stop(process, ada).await;
}

#[test]
fn a_file_of_which_nothing_can_be_read_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("text.db", b"a note of mine".repeat(1000)), ("empty.db", Vec::new())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_server"))
            .args([
                "--salvage",
                &path.display().to_string(),
                "--db",
                &folder.path().join("new.db").display().to_string(),
            ])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && told.starts_with("error: "), "{name}: {told}");
        assert!(told.contains(&format!("{name} is not a database")), "{told}");
        assert!(!told.contains("--db") && !told.contains("--salvage"), "that is what was done: {told}");
        assert!(!folder.path().join("new.db").exists(), "{name}: nothing is left behind");
    }
}

#[tokio::test]
async fn only_what_no_server_has_is_salvaged_and_only_into_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let salvage_of = |from: &str, to: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["--salvage", from, "--db", to])
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let salvage = |to: &str| salvage_of("chat.db", to);
    let (process, ada) = start(folder.path(), "empty.db").await;
    stop(process, ada).await;
    let (code, told) = salvage_of("empty.db", "new.db");
    assert!(code == Some(1) && told.contains("no message of empty.db can be read"), "{told}");
    assert!(!folder.path().join("new.db").exists(), "what holds nothing is not in the way");
    let (process, mut ada) = start(folder.path(), "chat.db").await;
    say(&mut ada, "hi").await;
    let (code, told) = salvage("new.db");
    assert!(code == Some(1) && told.contains("in use") && told.contains("hint: stop the server"), "{told}");
    stop(process, ada).await;
    let (code, told) = salvage(":memory:");
    assert!(code == Some(2) && told.contains("--db :memory:") && told.contains("Usage: server "), "{told}");
    assert_eq!(salvage("new.db"), (Some(0), String::new()));
    let (code, told) = salvage("new.db");
    assert!(code == Some(1) && told.contains("there is a file already") && !told.contains(":memory:"), "{told}");
}
