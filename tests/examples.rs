//! The bots of `examples/` answer each question once, also through a crash of the server.
//!
//! The Python bot is skipped where python3 or its package `websockets` is missing; a failure there
//! when `CI` is set, because CI installs them.

mod support;

use std::path::Path;

use serde_json::json;
use support::{
    process::{Process, Signal},
    raw::RawPeer,
    server, within,
};
use tokio::process::Command;

#[tokio::test]
async fn the_rust_bot_answers_each_question_once() {
    // Beside the binaries, where cargo builds examples.
    let binaries = Path::new(env!("CARGO_BIN_EXE_server")).parent().expect("a folder");
    let bot = binaries.join("examples/bot");
    assert!(bot.exists() || bot.with_extension("exe").exists(), "run `cargo build --example bot` first");
    answers_once(|url| Process::start(Command::new(&bot).arg(url))).await;
}

#[tokio::test]
async fn the_python_bot_answers_each_question_once() {
    let imports = std::process::Command::new("python3").args(["-c", "import websockets.asyncio.client"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI installs python3 and websockets");
        return;
    }
    answers_once(|url| {
        let bot = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bot.py");
        // The package waits up to 5 s before its second try.
        Process::start(Command::new("python3").arg(bot).arg(url).env("WEBSOCKETS_BACKOFF_INITIAL_DELAY", "0.1"))
    })
    .await;
}

async fn answers_once(start: impl FnOnce(&str) -> Process) {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("chat.db");
    let db = db.to_str().expect("a path in UTF-8");
    let server = server::start_with(&["--db", db]).await;
    let address = server.address;
    let (mut ada, _) = RawPeer::join(address, "/tea", "ada").await;
    let _bot = start(&format!("ws://{address}/tea"));
    let joined = async { while ada.event("presence").await["joined"] != json!(["echobot"]) {} };
    within("the bot to come", joined).await;
    ask(&mut ada, "one").await;

    server.process.signal(Signal::Kill).await;
    drop(server);
    let mut server = Process::server(&["--db", db, "--listen", &address.to_string()]);
    server.address().await;
    let (mut ada, _) = RawPeer::join(address, "/tea", "bob").await;
    ask(&mut ada, "two").await;

    ada.send_json(&json!({"type": "history", "limit": 100})).await;
    let history = ada.event("history").await;
    let texts: Vec<_> = history["messages"].as_array().expect("messages").iter().map(|it| it["text"].clone()).collect();
    assert_eq!(texts, ["!echo one", "one", "!echo two", "two"]);
}

/// Asks for an echo of `text`, and waits for it.
async fn ask(peer: &mut RawPeer, text: &str) {
    peer.send_json(&json!({"type": "say", "text": format!("!echo {text}")})).await;
    let answered = async { while peer.event("message").await["text"] != text {} };
    within("the answer", answered).await;
}
