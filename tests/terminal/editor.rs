//! The draft in the user's editor. Here the editor is a script that uses the terminal.

use std::path::{Path, PathBuf};

use super::{pty::Pty, support::raw::RawPeer, support::server::Server, support::server::start};

/// Prints the file it was given, and appends a line that is typed.
const ADDS: &str = r#"
    echo "$1" > "$HOME/path"
    echo "given: $(cat "$1")"
    read -r line
    echo "$line" >> "$1"
"#;

/// Returns a client of ada that is live in the lobby and whose editor is `script`.
async fn with_editor(server: &Server, script: &str) -> Pty {
    let script = format!("sh -c '{}' edit", script.trim());
    let visual = format!("VISUAL={script}");
    let address = server.address.to_string();
    let command = ["env", &visual, "EDITOR=false", env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"];
    let mut client = Pty::start(80, 24, &command);
    client.shows("#lobby").await;
    client.typed(">").await;
    client
}

/// Returns the path of the editor's file.
fn path(client: &Pty) -> PathBuf {
    Path::new(std::fs::read_to_string(client.home().file("path")).expect("the editor's word").trim()).to_owned()
}

#[tokio::test]
async fn the_draft_goes_to_the_editor_and_what_is_said_meanwhile_is_kept() {
    let server = start().await;
    let mut client = with_editor(&server, ADDS).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    // A terminal with kitty's keyboard protocol: it must be reset for the editor.
    client.write("\u{1b}[?0u\u{1b}[?62c");
    client.writes("\u{1b}[>5u", 1).await;
    client.write("one\u{18}\u{5}");
    client.shows("given: one").await;
    assert!(client.look(|screen| !screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor()));
    assert_eq!((client.count("\u{1b}[>5u"), client.count("\u{1b}[<u")), (1, 1));
    peer.say("said meanwhile").await;
    client.write("two\r");
    client.shows("bob: said meanwhile").await;
    client.typed("  two").await;
    client.writes("\u{1b}[>5u", 2).await;
    let path = path(&client);
    assert!(!path.exists() && !path.parent().expect("its folder").exists(), "{}", path.display());
    client.write("\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: one\n    two");
}

#[tokio::test]
async fn an_editor_that_fails_or_is_missing_leaves_the_draft() {
    let server = start().await;
    for (script, says) in [
        (r#"echo lost > "$1"; exit 3"#, "ended with code 3"),
        (r#"echo lost > "$1"; kill -9 $$"#, "was killed"),
        (r#"head -c 20000 /dev/zero | tr "\0" x > "$1""#, "not taken: 20000 bytes"),
    ] {
        let mut client = with_editor(&server, script).await;
        client.write("a draft\u{18}\u{5}");
        client.shows(says).await;
        client.typed("> a draft").await;
    }
    let address = server.address.to_string();
    let command = ["env", "VISUAL=no-such-editor -x", env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"];
    let mut client = Pty::start(80, 24, &command);
    client.typed(">").await;
    client.write("a draft\u{18}\u{5}");
    client.shows("no such editor: no-such-editor -x").await;
    client.typed("> a draft").await;
    client.write("\u{3}\u{4}");
    assert_eq!(client.ended().await, 0);
}

#[tokio::test]
async fn what_an_editor_writes_is_cleaned() {
    let server = start().await;
    let mut client = with_editor(&server, r#"printf "a\033[31mb\007\r\n\377c\n\n" > "$1""#).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write("\u{18}\u{5}");
    client.wait("both lines", |screen| screen.contents().contains("> ab\n  ")).await;
    client.write("\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: ab\n    \u{fffd}c");
}

#[tokio::test]
async fn interrupts_in_the_editor_do_not_end_the_client() {
    let server = start().await;
    let mut client = with_editor(&server, ADDS).await;
    for (text, key) in [("one", "\u{3}"), ("two", "\u{1c}")] {
        client.write(format!("{text}\u{18}\u{5}"));
        client.shows(&format!("given: {text}")).await;
        client.write(key);
        client.shows("was killed").await;
        client.typed(&format!("> {text}")).await;
        client.write("\u{3}");
        client.typed(">").await;
    }
    client.write("still here\r");
    client.shows("ada: still here").await;
}

#[tokio::test]
async fn a_client_that_is_ended_ends_its_editor_and_removes_the_file() {
    let server = start().await;
    let mut client = with_editor(&server, ADDS).await;
    client.write("a draft\u{18}\u{5}");
    client.shows("given: a draft").await;
    client.signal("TERM");
    assert_eq!(client.ended().await, 143);
    assert!(!path(&client).exists());
}

#[tokio::test]
async fn ctrl_z_in_the_editor_stops_both_and_fg_goes_on_with_both() {
    let server = start().await;
    // A shell that waits to be continued.
    let client = format!("'{}' {} --nick ada", env!("CARGO_BIN_EXE_client"), server.address);
    let folder = super::support::folder::Folder::new();
    let editor = folder.file("edit");
    let twice = format!("{ADDS}{}", ADDS.replace("given: ", "has now: "));
    std::fs::write(&editor, twice).expect("a script");
    let script = format!("set -m; VISUAL='sh {}' {client}; echo stopped; read line; fg >/dev/null", editor.display());
    let mut shell = Pty::start(80, 24, &["sh", "-c", &script]);
    shell.shows("─ #lobby").await;
    shell.write("one\u{18}\u{5}");
    shell.shows("given: one").await;
    shell.write("\u{1a}");
    shell.shows("stopped").await;
    shell.write("go on\r");
    // The editor alone has the terminal again.
    shell.write("two\r");
    shell.shows("has now: one").await;
    assert!(!shell.look(vt100::Screen::alternate_screen));
    shell.write("three\r");
    shell.typed("  three").await;
    shell.write("\u{3}\u{4}");
    assert_eq!(shell.ended().await, 0);
}
