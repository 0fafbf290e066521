//! Links, as the bytes that a terminal receives.

use super::{
    joined,
    pty::Pty,
    support::{raw::RawPeer, server::start},
};

/// The end of a link.
const CLOSED: &str = "\u{1b}]8;;\u{1b}\\";

#[tokio::test]
async fn a_link_can_be_followed_and_what_is_none_cannot() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    peer.say("see (https://a.example/学), or ws://b.example, or file:///etc/passwd").await;
    client.shows("file:///etc/passwd").await;
    client.writes(";https://a.example/%E5%AD%A6\u{1b}\\", 1).await;
    client.writes(CLOSED, 1).await;
    assert_eq!(client.count("\u{1b}]8;id="), client.count(CLOSED), "each is closed");
    assert_eq!(client.count(";ws://") + client.count(";file://"), 0);
}

#[tokio::test]
async fn a_terminal_that_would_stumble_over_links_is_told_of_none() {
    let server = start().await;
    let address = server.address.to_string();
    for environment in ["TERM=linux", "VTE_VERSION=4205", "TERM=screen"] {
        let command = ["env", "-u", "TMUX", environment, env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"];
        let mut client = Pty::start(80, 24, &command);
        client.shows("#lobby").await;
        let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
        peer.say("see https://a.example/x now").await;
        client.shows("https://a.example/x now").await;
        assert_eq!(client.count("\u{1b}]8;"), 0, "{environment}");
    }
}

#[tokio::test]
async fn the_chosen_link_is_put_into_the_clipboard() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    peer.say("https://a.example/x or https://b.example/y").await;
    client.shows("https://b.example/y").await;
    client.write("\u{1b}l");
    client.shows("> 2 https://b.example/y").await;
    client.write("\r");
    client.shows("sent to the clipboard: https://b.example/y").await;
    client.writes("\u{1b}]52;c;aHR0cHM6Ly9iLmV4YW1wbGUveQ==\u{7}", 1).await;
}

#[tokio::test]
async fn a_long_link_and_the_bare_text_are_single_lines_to_the_terminal() {
    let server = start().await;
    let mut client = joined(&server, 60, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    let link = format!("https://a.example/{}", "0123456789".repeat(15));
    peer.say(&format!("see {link} please")).await;
    let words = "words and more words ".repeat(6);
    peer.say(words.trim()).await;
    client.wait("the link in one line", |screen| screen.contents().lines().any(|line| line == link)).await;
    client.writes("\u{1b}[?7l", 2).await;
    client.write("\u{1b}v");
    client.shows("any key returns").await;
    let whole = format!("bob: see {link} please");
    client.wait("the text in one line", |screen| screen.contents().lines().any(|line| line.ends_with(&whole))).await;
    assert!(client.look(|screen| screen.contents().lines().any(|line| line.ends_with(words.trim()))));
    client.write("\r");
    client.typed(">").await;
    client.wait("the link in one line", |screen| screen.contents().lines().any(|line| line == link)).await;
}
