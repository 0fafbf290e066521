//! `wscat`, the WebSocket client from npm, can chat. So can any other WebSocket client.
//!
//! Skipped if `wscat` is not on PATH. If `CI` is set, that is a failure, because CI installs it.

mod support;

use std::{io::Write as _, net::SocketAddr, path::PathBuf};

use support::{process::Process, raw::RawPeer, server, textbook::TextbookServer};
use tokio::process::Command;

#[tokio::test]
async fn wscat_chats_on_our_server() {
    let Some(program) = wscat() else { return };
    let server = server::start().await;
    let mut ada = connect(&program, server.address, "/?nick=ada");
    // wscat loses lines that it gets before the connection is open; the welcome shows that it is.
    ada.stdout.line_with("* welcome to #lobby, ada; /help lists the commands").await;
    let mut bob = RawPeer::connect(server.address, "/?nick=bob").await;
    bob.line_with("* here: ada, bob").await;
    ada.stdout.line_with("* bob joined").await;

    ada.write_line("hello").await;
    assert_eq!(bob.line_with("hello").await, "ada: hello");
    // wscat prints its prompt, `> `, on the same line.
    ada.stdout.line_with("ada: hello").await;
    bob.say("hi there").await;
    ada.stdout.line_with("bob: hi there").await;

    ada.write_line("/nope").await;
    ada.stdout.line_with("! unknown command /nope").await;
    ada.close_stdin();
    assert!(ada.exit().await.success());
    assert_eq!(bob.line_with("ada").await, "* ada left");
}

#[tokio::test]
async fn wscat_says_one_line_and_leaves() {
    let Some(program) = wscat() else { return };
    let server = server::start().await;
    let mut bob = RawPeer::connect(server.address, "/?nick=bob").await;
    bob.line_with("* welcome").await;
    let url = format!("ws://{}/?nick=ada", server.address);
    let mut ada = Process::start(Command::new(program).args(["--connect", &url, "--wait", "1", "--execute", "hello"]));
    assert_eq!(bob.line_with("hello").await, "ada: hello");
    ada.stdout.line_with("ada: hello").await;
    assert!(ada.exit().await.success());
}

#[tokio::test]
async fn wscat_is_driven_by_its_standard_streams() {
    let Some(program) = wscat() else { return };
    let server = TextbookServer::start().await;
    let mut raw = RawPeer::connect(server.address, "/").await;
    let mut wscat = connect(&program, server.address, "/");
    // A textbook server sends nothing first. A line that gets through shows that the connection is
    // open.
    let opened = async { wscat.stdout.line_with("is anybody there").await };
    let asked = async {
        loop {
            raw.say("is anybody there").await;
            raw.line_with("is anybody there").await;
            tokio::task::yield_now().await;
        }
    };
    let opened = tokio::select! {
        line = opened => line,
        () = asked => unreachable!("it asks for ever"),
    };
    assert!(opened.ends_with("is anybody there"), "{opened}");
    wscat.write_line("hello").await;
    assert_eq!(raw.line_with("hello").await, "hello");
    wscat.stdout.line_with("hello").await;
    wscat.close_stdin();
    assert!(wscat.exit().await.success());
}

#[tokio::test]
async fn the_snippet_of_the_readme_works_when_it_is_pasted_at_once() {
    // The browser's WebSocket API, as wscat's library provides it.
    const BROWSER: &str = "const [, wscat, snippet] = process.argv;
        const library = require.resolve('ws', { paths: [require('fs').realpathSync(wscat)] });
        globalThis.WebSocket = require(library);
        eval(snippet);";
    let Some(program) = wscat() else { return };
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```js\n").expect("the README has a snippet");
    let (snippet, _) = rest.split_once("```").expect("the snippet ends");
    let server = server::start().await;
    let mut bob = RawPeer::connect(server.address, "/rust?nick=bob").await;
    let snippet = snippet.replace("127.0.0.1:8080", &server.address.to_string());
    let mut browser = Process::start(Command::new("node").args(["--eval", BROWSER]).arg(program).arg(snippet));
    assert_eq!(bob.line_with("hello").await, "ada: hello from a browser");
    browser.stdout.line_with("ada: hello from a browser").await;
}

fn connect(program: &PathBuf, address: SocketAddr, target: &str) -> Process {
    Process::start(Command::new(program).args(["--no-color", "--connect", &format!("ws://{address}{target}")]))
}

/// Returns `wscat`, or `None` if it may be missing.
fn wscat() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("wscat")).find(|program| program.is_file());
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "wscat is not on PATH: npm install --global wscat");
    if found.is_none() {
        // Write to stderr directly: the test harness hides macro output of a test that passes.
        drop(writeln!(std::io::stderr(), "skipped: wscat is not on PATH"));
    }
    found
}
