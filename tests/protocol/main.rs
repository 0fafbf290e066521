//! Every example of `docs/protocol.md` works as written, on our own server.
//!
//! A code block `transcript` is a conversation of WebSocket connections. A code block `http` is one
//! or more requests with their responses. A code block `client` is the output of our client. Each
//! block gets a fresh server. Other blocks are not tested. See `transcript.rs` and `client.rs` for
//! the format.

mod client;
mod compare;
#[path = "../support/mod.rs"]
mod support;
mod transcript;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use broadcast_chat::protocol::{ClientMessage, ServerMessage};
use compare::Stand;
use strum::VariantNames as _;
use support::{
    raw::{Heard, Opening, RawPeer, http},
    server,
};
use transcript::{Block, Exchange, Kind, Step, StepKind};

const DOCUMENT: &str = "docs/protocol.md";

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{DOCUMENT}, the normative text, cannot be read: {error}"))
}

/// Returns the types that the tables under `title` list.
fn listed<'a>(document: &'a str, title: &str) -> BTreeSet<&'a str> {
    let section = document.split(title).nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with("###") && !line.starts_with("**"));
    let cells = lines.filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
    cells.flat_map(|cell| cell.split("`, `")).collect()
}

#[test]
fn the_tables_list_every_type() {
    let document = document();
    let sent = listed(&document, "\n### What a client sends\n");
    assert_eq!(sent, ClientMessage::VARIANTS.iter().copied().collect());
    let received = listed(&document, "\n### What a server sends\n");
    assert_eq!(received, ServerMessage::VARIANTS.iter().copied().collect());
}

#[tokio::test]
async fn every_example_of_the_protocol_happens() {
    let document = document();
    let blocks = transcript::parse(&document).unwrap_or_else(|error| panic!("{DOCUMENT}:{error}"));
    assert!(!blocks.is_empty(), "{DOCUMENT} has no example: no code block `transcript` or `http`");
    let mut failures = Vec::new();
    for block in blocks {
        // One task for each example, so that a failing example does not hide the others.
        let line = block.line;
        if let Err(failure) = tokio::spawn(happens(block)).await {
            let panic = failure.into_panic();
            let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            failures.push(format!("{DOCUMENT}:{line}: {}", words.unwrap_or("it panicked")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

async fn happens(block: Block) {
    let server = server::start().await;
    match block.kind {
        Kind::Transcript(steps) => converse(server.address, steps).await,
        Kind::Http(exchanges) => {
            for exchange in exchanges {
                ask(server.address, &exchange).await;
            }
        }
    }
}

/// Plays the part of every client of a transcript.
async fn converse(address: std::net::SocketAddr, steps: Vec<Step>) {
    let mut peers: HashMap<String, RawPeer> = HashMap::new();
    let mut stand = Stand::default();
    for Step { line, peer: name, kind } in steps {
        let at = format!("{DOCUMENT}:{line}: {name}");
        if let StepKind::Open { target, subprotocol } = &kind {
            let opening = Opening { target, subprotocol: subprotocol.as_deref(), ..Opening::default() };
            let peer = RawPeer::open(address, &opening).await;
            let peer = peer.unwrap_or_else(|answer| panic!("{at}: refused: {} {}", answer.status_line, answer.text()));
            assert_eq!(peer.answer.header("sec-websocket-protocol"), subprotocol.as_deref(), "{at}: subprotocol");
            peers.insert(name, peer);
            continue;
        }
        let peer = peers.get_mut(&name).unwrap_or_else(|| panic!("{at} was never opened"));
        match kind {
            StepKind::Open { .. } => unreachable!("opened above"),
            StepKind::Send(text) => peer.say(&stand.actual(&text)).await,
            StepKind::SendClose(code, reason) => peer.close(code, &reason).await,
            StepKind::Expect(text) => match heard(peer).await {
                Heard::Text(got) => {
                    stand
                        .matches(&text, &got)
                        .unwrap_or_else(|why| panic!("{at}: {why}\nexpected {text}\n     got {got}"));
                }
                other => panic!("{at}: expected {text}\n     got {other:?}"),
            },
            StepKind::ExpectClose(code, reason) => {
                assert_eq!(heard(peer).await, Heard::Close(code, reason), "{at}");
            }
        }
    }
}

async fn heard(peer: &mut RawPeer) -> Heard {
    loop {
        match peer.heard().await {
            Heard::Pong(_) => {}
            heard => return heard,
        }
    }
}

async fn ask(address: std::net::SocketAddr, exchange: &Exchange) {
    let at = format!("{DOCUMENT}:{}", exchange.line);
    let answer = http(address, exchange.request.as_bytes()).await;
    assert_eq!(answer.status_line, exchange.status_line, "{at}: {answer:?}");
    assert!(answer.complete, "{at}: the answer is cut short: {answer:?}");
    for (name, value) in &exchange.headers {
        assert!(
            answer.headers.iter().any(|(key, got)| key.eq_ignore_ascii_case(name) && got == value),
            "{at}: no header {name}: {value} in {:?}",
            answer.headers
        );
    }
    if let Some(body) = &exchange.body {
        assert_eq!(answer.text().trim_end_matches('\n'), body, "{at}: the body");
    }
}

#[tokio::test]
async fn a_transcript_runs_against_whatever_listens() {
    let server = support::textbook::TextbookServer::start().await;
    let document = "```transcript\nA> GET /\nB> GET /\nA> one\nA< one\nB> {\"at\":1,\"x\":[2]}\nA< {\"x\":[2],\"at\":9}\n\
                    B> two\nB| lines\nA< two\nA| lines\nA> close 1000 bye\nA< close 1000\n```\n";
    // B may be subscribed after A sends, so nothing is expected of it.
    for block in transcript::parse(document).unwrap() {
        let Kind::Transcript(steps) = block.kind else { panic!("a transcript") };
        converse(server.address, steps).await;
    }
}

#[tokio::test]
#[should_panic(expected = "docs/protocol.md:4: A: not the same text")]
async fn a_transcript_that_does_not_happen_fails_at_its_line() {
    let server = support::textbook::TextbookServer::start().await;
    let document = "```transcript\nA> GET /\nA> one\nA< two\n```\n";
    for block in transcript::parse(document).unwrap() {
        let Kind::Transcript(steps) = block.kind else { panic!("a transcript") };
        converse(server.address, steps).await;
    }
}
