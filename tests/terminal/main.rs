//! The client on a terminal, as its user sees it: the real program in a pseudo-terminal.

mod editor;
mod keyboard;
mod links;
mod pty;
#[path = "../support/mod.rs"]
mod support;
mod unsent;

use broadcast_chat::client::terminal::screen::Screen;
use pty::Pty;
use support::{
    process::{Process, Signal},
    raw::RawPeer,
    server::{Server, start, start_with, unused_address},
};

async fn joined(server: &Server, columns: u16, rows: u16) -> Pty {
    let mut client = Pty::client(columns, rows, &[&server.address.to_string(), "--nick", "ada"]);
    client.shows("#lobby").await;
    client.typed(">").await;
    client
}

#[tokio::test]
async fn what_is_typed_is_said_and_shown() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write("hello\r");
    assert_eq!(peer.line_with("hello").await, "ada: hello");
    peer.say("hi ada 学生 👩‍👩‍👧!").await;
    client.shows("hi ada 学生").await;
    client.typed(">").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let address = unused_address();
    let mut client = Pty::client(80, 24, &[&address, "--nick", "ada"]);
    client.shows(&format!("waiting for a server at ws://{address}:")).await;
    client.shows("next try in").await;
    client.write("hello\r");
    client.shows("1 unsent").await;
    let mut server = Process::server(&["--listen", &address]);
    let listening = server.address().await;
    // Enter on an empty line retries at once.
    client.write("\r");
    client.shows("1 here").await;
    let mut peer = RawPeer::connect(listening, "/?nick=bob&history=10").await;
    assert_eq!(peer.line_with("hello").await, "ada: hello");
}

#[tokio::test]
async fn another_server_is_a_command_away_and_each_keeps_its_own() {
    let (first, second) = (start().await, start().await);
    let mut client = joined(&first, 80, 24).await;
    client.write("/connect [\r");
    client.shows("[: this is no IPv6 address").await;
    client.write("/join rust\r");
    client.shows("─ #rust").await;
    client.write("half a ");
    client.typed("> half a").await;
    client.write("\u{1b}1");
    client.shows("─ #lobby").await;
    let mut peer = RawPeer::connect(second.address, "/tea?nick=bob").await;
    client.write(format!("/connect {}/tea\r", second.address));
    peer.line_with("ada joined").await;
    client.shows("2 here").await;
    client.write("hello\r");
    assert_eq!(peer.line_with("hello").await, "ada: hello");
    client.write("/connect \t\r");
    peer.line_with("ada left").await;
    client.shows("─ #lobby").await;
    client.write("\u{1b}2");
    client.typed("> half a").await;
}

#[tokio::test]
async fn what_was_not_sent_to_a_server_is_not_sent_to_another() {
    let (first, second) = (start().await, start().await);
    let mut client = joined(&first, 80, 24).await;
    first.process.signal(Signal::Kill).await;
    client.shows("offline").await;
    client.write("for the first alone\r");
    client.shows("1 unsent").await;
    let mut peer = RawPeer::connect(second.address, "/?nick=bob").await;
    client.write(format!("/connect {}\r", second.address));
    peer.line_with("ada joined").await;
    client.shows("not sent in #lobby: \"for the first alone\"").await;
    client.write("hello\r");
    assert_eq!(peer.line_with(":").await, "ada: hello");
    let mut again = Process::server(&["--listen", &first.address.to_string()]);
    again.address().await;
    client.write("/connect \t\r");
    // The server now has another history.
    client.shows("not sent the last time").await;
    client.typed("> for the first alone").await;
}

#[tokio::test]
async fn a_room_is_a_tab_and_a_draft_stays_in_it() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    client.write("/join rust\r");
    // The name appears at once; the people as soon as the server has sent them.
    client
        .wait("the room to be entered", |screen| {
            screen.contents().lines().any(|row| row.contains("─ #rust") && row.contains("1 here"))
        })
        .await;
    client.write("half a ");
    client.typed("> half a").await;
    client.write("\u{1b}1");
    client.typed(">").await;
    let mut peer = RawPeer::connect(server.address, "/rust?nick=bob").await;
    peer.say("ada: are you there?").await;
    client.shows("2 #rust 1!").await;
    client.write("\u{1b}2");
    client.typed("> half a").await;
    client.write("line\r");
    assert_eq!(peer.line_with("half").await, "ada: half a line");
    client.write("/leave\r");
    client.shows("─ #lobby").await;
    peer.line_with("ada left").await;
}

#[tokio::test]
async fn nothing_typed_is_lost_while_lines_pour_in() {
    let server = start_with(&["--rate", "0"]).await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=flood").await;
    let mut reader = RawPeer::connect(server.address, "/?nick=bob").await;
    let flood = tokio::spawn(async move {
        for number in 0..4000 {
            peer.say(&format!("line {number} of a flood")).await;
        }
        peer
    });
    let text: String = ('a'..='z').cycle().take(70).collect();
    for at in 0..text.len() {
        client.write(&text[at..=at]);
        client.typed(&format!("> {}", &text[..=at])).await;
    }
    client.write("\r");
    assert_eq!(reader.line_with("ada: ").await, format!("ada: {text}"));
    drop(flood.await.expect("the flood"));
    client.shows("line 3999 of a flood").await;
}

#[tokio::test]
async fn after_a_storm_of_resizes_the_screen_is_as_if_drawn_anew() {
    let server = start_with(&["--rate", "0"]).await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=flood").await;
    for number in 0..30_u16 {
        for line in 0..10 {
            peer.say(&format!(
                "{number}.{line} 学生 e\u{301} 👩‍👩‍👧 and words enough to need a second row of a narrow screen"
            ))
            .await;
        }
        client.resize(20 + 7 * (number * 5 % 17), 5 + number * 3 % 23);
        client.shows("─").await;
    }
    client.resize(60, 20);
    peer.say("the end").await;
    client.shows("the end").await;
    client.write("x");
    client.typed("> x").await;
    let mut shown = client.rows();
    // Everything is redrawn, and then comes the next key.
    client.write("\u{c}y");
    client.typed("> xy").await;
    let mut anew = client.rows();
    assert_eq!((shown.pop(), anew.pop()), (Some("> x".to_owned()), Some("> xy".to_owned())));
    assert_eq!(shown, anew);
}

#[tokio::test]
async fn a_paste_never_sends_and_a_long_one_asks() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.write("\u{1b}[200~one\rtwo\u{1b}[201~");
    client.shows("two").await;
    client.write("\u{3}");
    client.typed(">").await;
    let long = "line\r".repeat(7);
    client.write(format!("\u{1b}[200~{long}\u{1b}[201~"));
    client.shows("insert 7 lines").await;
    client.write("\u{1b}");
    client.shows("not inserted: 7 lines").await;
    client.write(format!("\u{1b}[200~{long}\u{1b}[201~"));
    client.shows("insert 7 lines").await;
    client.write("\u{19}");
    client.wait("the lines to be inserted", |screen| screen.contents().matches("line").count() >= 7).await;
    client.write("\u{3}said by hand\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: said by hand");
}

#[tokio::test]
async fn a_paste_that_nobody_announced_waits_for_enter() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    // The Linux console sends a paste as if it were typed.
    client.write("one\r/quit\r");
    client.shows("  /quit").await;
    client.write("\u{3}");
    client.typed(">").await;
    // More data than one read returns.
    client.write("word\r".repeat(500));
    client.shows("insert 500 lines").await;
    client.write("\u{1b}");
    client.shows("not inserted: 500 lines").await;
    // A long line is inserted completely or not at all, although its beginning alone would fit.
    client.write("word ".repeat(20_000));
    client.shows("not inserted: 100000 bytes").await;
    client.typed(">").await;
    // A slow network can deliver a typed line and its Enter in one read.
    client.write("said by hand\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: said by hand");
    client.write("two\rlines");
    client.shows("  lines").await;
    client.write("\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: two\n    lines");
}

#[tokio::test]
async fn what_is_for_one_alone_is_never_said_to_all() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write("\u{1b}OP");
    client.shows("Esc closes").await;
    client.write("/msg bob one\r");
    assert_eq!(peer.line_with("one").await, "* private from ada to bob: one");
    client.write(" /msg bob two\r");
    client.shows("all would read it").await;
    client.write("\u{1b}[H\u{1b}[3~");
    client.typed("> /msg bob two").await;
    client.write("\r");
    assert_eq!(peer.line_with("two").await, "* private from ada to bob: two");
    client.write("\u{1b}[200~// three\u{1b}[201~");
    client.typed("> // three").await;
    client.write("\r");
    assert_eq!(peer.line_with("three").await, "ada: // three");
}

#[tokio::test]
async fn nothing_that_is_pasted_becomes_a_command() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write("\u{1b}[200~nice\u{1b}[201~ \r/me pwned\r/quit\r ok\u{1b}[201~");
    client.shows("   ok").await;
    client.write("\u{3}");
    client.typed(">").await;
    // Nor does text without brackets, whatever its colours are.
    client.write("/quit\r\u{1b}[31mred\u{1b}[0m\r\u{1b}[Inext");
    client.shows("  next").await;
    client.write("\u{3}");
    client.typed(">").await;
    // Visible text around a control string stays.
    client.write("\u{1b}[200~see \u{1b}] and \u{1b}]8;;u\u{7}link\u{1b}]8;;\u{7} more\u{1b}[201~");
    client.typed("> see  and link more").await;
    client.write("\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: see  and link more");
}

#[tokio::test]
async fn where_pastes_are_guessed_a_command_in_one_is_asked_about() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write("/msg bob secret\rhow are you\r");
    client.shows("  how are you").await;
    client.write("\r");
    client.shows("all would read it").await;
    client.write("\u{3}");
    client.typed(">").await;
    client.write("said by hand\r");
    assert_eq!(peer.line_with("ada: ").await, "ada: said by hand");
}

#[tokio::test]
async fn what_is_no_key_takes_no_key_with_it() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    client.write(b"caf\xe9 ole\xc3");
    client.write("\u{1b}[?2026;2$y\u{1b}[>1;2;3c\u{1b}]11;rgb:0000/0000/0000\u{7}\u{1b}P>|tmux\u{1b}\\!");
    client.wait("all of it", |screen| screen.contents().contains('!')).await;
    client.write("\r");
    assert_eq!(peer.line_with("ole").await, "ada: caf\u{fffd} ole\u{fffd}!");
    // An unterminated paste ends after a while, and the keyboard still works.
    client.write("\u{1b}[200~pasted");
    client.typed("> pasted").await;
    client.write(" and typed");
    client.typed("> pasted and typed").await;
}

#[tokio::test]
async fn the_wheel_scrolls_and_leaves_the_draft() {
    let server = start_with(&["--rate", "0"]).await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    for number in 0..50 {
        peer.say(&format!("line {number}.")).await;
    }
    client.shows("line 49.").await;
    client.write("sent before\r");
    client.shows("ada: sent before").await;
    client.write("a draft");
    client.typed("> a draft").await;
    client.write("\u{1b}OA".repeat(9));
    client.shows(" back · ").await;
    assert!(!client.rows().join("\n").contains("line 49."));
    client.typed("> a draft").await;
    client.write("\u{1b}[B".repeat(9));
    client.shows("line 49.").await;
    client.write("!");
    client.typed("> a draft!").await;
    // Some terminals send the arrows one by one, like key presses.
    client.write("\u{1b}[A");
    client.shows("Ctrl-R searches").await;
    client.typed("> a draft!").await;
    client.write("\u{3}");
    client.typed(">").await;
    client.write("\u{1b}[A");
    client.typed("> sent before").await;
}

#[tokio::test]
async fn a_key_that_comes_in_two_reads_is_still_a_key() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    client.write("one two");
    client.typed("> one two").await;
    // A read may end after the escape. Nothing is drawn for that, so there is nothing to wait for.
    for _ in 0..3 {
        client.write("\u{1b}");
        tokio::task::yield_now().await;
        client.write("[D");
    }
    client.write("-");
    client.typed("> one -two").await;
    client.write("\u{1b}");
    client.write("[200~pa");
    client.write("sted\u{1b}");
    client.write("[201~");
    client.typed("> one -pastedtwo").await;
}

#[tokio::test]
async fn the_terminal_is_given_back_after_quit_and_after_signals() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    client.write("/quit\r");
    assert_eq!(client.ended().await, 0);
    let signals =
        [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131), ("USR1", 138), ("USR2", 140), ("ALRM", 142)];
    for (signal, code) in signals {
        let mut client = joined(&server, 80, 24).await;
        client.signal(signal);
        assert_eq!(client.ended().await, code, "SIG{signal}");
    }
}

#[tokio::test]
async fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let server = start().await;
    let client = format!("'{}' {} --nick ada", env!("CARGO_BIN_EXE_client"), server.address);
    // The shell reads a line before it continues.
    let script = format!("set -m; {client}; echo stopped; read line; echo \"$line\"; fg");
    let mut shell = Pty::start(100, 30, &["sh", "-c", &script]);
    shell.shows("─ #lobby").await;
    shell.write("half a line");
    shell.typed("> half a line").await;
    shell.write("\u{1a}");
    shell.shows("stopped").await;
    assert!(shell.look(|screen| !screen.alternate_screen() && !screen.bracketed_paste()));
    shell.write("go on\r");
    shell.typed("> half a line").await;
    shell.write(" and the rest\r");
    shell.shows("half a line and the rest").await;
    shell.typed(">").await;
    shell.write("\u{4}");
    assert_eq!(shell.ended().await, 0);
}

#[tokio::test]
async fn rooms_are_open_again_where_reading_stopped() {
    let server = start().await;
    let mut peer = RawPeer::connect(server.address, "/rust?nick=bob").await;
    let client = format!("'{}' {} --nick ada", env!("CARGO_BIN_EXE_client"), server.address);
    let mut shell = Pty::start(80, 24, &["sh", "-c", &format!("{client}; echo left; read line; {client}")]);
    shell.shows("─ #lobby").await;
    shell.write("/join rust\r");
    shell.shows("─ #rust").await;
    peer.say("seen").await;
    shell.shows("bob: seen").await;
    shell.write("/quit\r");
    shell.shows("left").await;
    peer.say("not seen").await;
    shell.write("go on\r");
    shell.shows("2 #rust 1").await;
    shell.write("\u{1b}2");
    shell.shows("bob: not seen").await;
    // Messages that were read come from the server, to appear above it.
    shell.shows("bob: seen").await;
    let rows = shell.rows();
    let at = |text: &str| rows.iter().position(|row| row.contains(text));
    let [seen, rule, unseen] = ["bob: seen", "─ new ─", "bob: not seen"].map(at);
    assert!(seen.is_some() && seen < rule && rule < unseen, "{}", rows.join("\n"));
}

#[tokio::test]
async fn what_was_not_sent_is_told_when_the_screen_is_gone() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    server.process.signal(Signal::Term).await;
    client.shows("offline").await;
    client.write("hello\r");
    client.shows("1 unsent").await;
    client.write("/quit\r");
    client.shows("leaving once all is sent").await;
    client.write("\u{4}");
    client.shows("1 line was not sent").await;
    assert_eq!(client.ended().await, 1);
}

#[tokio::test]
async fn a_client_whose_terminal_is_gone_ends_though_the_leader_of_its_session_lives() {
    let server = start().await;
    // Only the session leader gets the signal, and it ignores it.
    let script = r#"trap "" HUP; "$0" "$@"; echo $? > "$HOME/code"; exit 7"#;
    let address = server.address.to_string();
    let mut leader = Pty::start(80, 24, &["sh", "-c", script, env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"]);
    leader.shows("#lobby").await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    leader.shows("2 here").await;
    leader.hang_up().await;
    peer.line_with("ada left").await;
    assert_eq!(leader.exit().await, 7);
    assert_eq!(std::fs::read_to_string(leader.home().file("code")).unwrap(), "129\n");
}

#[tokio::test]
async fn the_terminal_is_given_back_when_the_program_panics() {
    let test = std::env::current_exe().expect("this test");
    let arguments = ["--ignored", "--exact", "--nocapture", "a_program_that_panics"];
    let mut program = Pty::start(100, 30, &[&[&*test.to_string_lossy()], &arguments[..]].concat());
    program.shows("on purpose").await;
    assert_eq!(program.ended().await, 101);
}

/// Not a test by itself: the program in the terminal of the test above.
#[tokio::test]
#[ignore = "it panics on purpose"]
async fn a_program_that_panics() {
    let _screen = Screen::enter().expect("a terminal");
    panic!("on purpose");
}
