//! The client as a program among others: pipes, signals, lost servers, foreign servers.

mod support;

use serde_json::Value;
use support::{
    process::{Process, Signal},
    raw::RawPeer,
    server::{start, start_with, unused_address},
    textbook::{TextbookClient, TextbookServer},
};

#[tokio::test]
async fn what_one_types_all_see_once() {
    let server = start().await;
    let url = format!("ws://{}", server.address);
    let mut clients = Vec::new();
    for nick in ["ada", "bob", "eve"] {
        let mut client = Process::client(&[&url, "--nick", nick]);
        client.stdout.line_with("#lobby").await;
        clients.push(client);
    }
    clients[0].write_line("hello").await;
    for client in &mut clients {
        client.stdout.line_with("ada: hello").await;
    }
    clients[1].write_line("the end").await;
    for client in &mut clients {
        let between = loop {
            let line = client.stdout.next().await.unwrap();
            if line.contains("the end") {
                break line;
            }
            assert!(!line.contains("ada: hello"), "hello came twice");
        };
        assert!(between.ends_with("bob: the end"), "{between}");
    }
}

#[tokio::test]
async fn a_taken_nick_becomes_the_next_and_is_told() {
    let server = start().await;
    let url = format!("ws://{}", server.address);
    let mut first = Process::client(&[&url, "--nick", "ada"]);
    first.stdout.line_with("#lobby").await;
    let mut second = Process::client(&[&url, "--nick", "ada"]);
    let told = second.stderr.line_with("ada is taken; you are ada-2").await;
    assert!(told.contains("you are ada-2 until it is free"), "{told}");
    second.write_line("hello").await;
    first.stdout.line_with("ada-2: hello").await;
}

#[tokio::test]
async fn a_pipe_waits_for_a_server_that_is_not_there_where_it_is_told_to() {
    let address = unused_address();
    let mut client = Process::client(&[&address, "--wait", "--nick", "ada"]);
    client.write_line("hello").await;
    client.close_stdin();
    client
        .stderr
        .line_with(&format!("* waiting for a server at ws://{address}: connection refused; start one with"))
        .await;
    let mut server = Process::server(&["--listen", &address]);
    server.address().await;
    client.stdout.line_with("ada: hello").await;
    assert_eq!(client.exit().await.code(), Some(0));
    let mut client = Process::client(&[&unused_address(), "--wait"]);
    client.stderr.line_with("waiting for a server").await;
    client.signal(Signal::Term).await;
    assert_eq!(client.exit().await.code(), Some(143));
}

#[tokio::test]
async fn what_there_is_is_printed_as_it_is_asked_for() {
    let server = start().await;
    let url = format!("ws://{}/logs", server.address);
    let mut peer = RawPeer::connect(server.address, "/logs?nick=bob").await;
    for text in ["one", "two"] {
        peer.say(text).await;
        peer.line_with(text).await;
    }
    let printed = async |arguments: &[&str]| {
        let mut client = Process::client(&[&[url.as_str(), "--since", "1h"], arguments].concat());
        client.close_stdin();
        let lines = client.stdout.rest().await;
        assert_eq!(client.exit().await.code(), Some(0));
        lines
    };
    assert_eq!(printed(&["--format", "{id} {room} {nick}: {text}"]).await, ["1 logs bob: one", "2 logs bob: two"]);
    let is_said = |line: &&String| line.contains("\"type\":\"message\"");
    assert_eq!(printed(&["--json"]).await.iter().filter(is_said).count(), 2);
    let stamped = printed(&["--timestamps"]).await;
    let is_stamped = |line: &String| line.get(..25).is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok());
    assert!(stamped.iter().all(is_stamped) && stamped.iter().any(|line| line.ends_with("bob: two")), "{stamped:?}");
}

#[tokio::test]
async fn json_is_one_event_a_line() {
    let server = start().await;
    let mut client = Process::client(&[&format!("ws://{}", server.address), "--json", "--nick", "ada"]);
    client.write_line("hello").await;
    client.close_stdin();
    let lines = client.stdout.rest().await;
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> = events.iter().filter(|event| event["type"] == "message").collect();
    assert_eq!(said.len(), 1, "{lines:?}");
    assert_eq!((said[0]["nick"].as_str(), said[0]["text"].as_str()), (Some("ada"), Some("hello")));
    assert!(events.iter().all(|event| event.get("session").is_none()), "the token is a secret: {lines:?}");
    assert_eq!(client.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_long_pipe_waits_its_turn_and_loses_nothing() {
    let server = start_with(&["--rate", "50", "--burst", "5"]).await;
    let mut reader = RawPeer::connect(server.address, "/").await;
    reader.line_with("welcome").await;
    let mut client = Process::client(&[&format!("ws://{}", server.address), "--nick", "log"]);
    for number in 0..60 {
        client.write_line(&format!("line {number}")).await;
    }
    client.close_stdin();
    for number in 0..60 {
        assert_eq!(reader.line_with("line ").await, format!("log: line {number}"));
    }
    assert_eq!(client.exit().await.code(), Some(0));
}

#[tokio::test]
async fn with_no_commands_a_slash_is_only_a_character() {
    let server = start().await;
    let mut client = Process::client(&[&format!("ws://{}", server.address), "--nick", "log", "--no-commands"]);
    client.write_line("/quit").await;
    client.stdout.line_with("log: /quit").await;
}

#[tokio::test]
async fn a_reader_that_has_gone_is_a_success_without_another_message() {
    let server = start().await;
    let mut command = tokio::process::Command::new("sh");
    let script = r#"exec 3<&0; { "$0" "$1" --nick ada <&3; echo "code $?" >&2; } | head -n 1"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_client"), &format!("ws://{}", server.address)]);
    let mut pipe = Process::start(&mut command);
    pipe.stdout.line_with("#lobby").await;
    pipe.stderr.line_with("code 0").await;
}

#[tokio::test]
async fn what_is_at_hand_is_said_though_the_reader_has_gone() {
    let server = start_with(&["--rate", "20", "--burst", "1"]).await;
    let mut reader = RawPeer::connect(server.address, "/").await;
    reader.line_with("welcome").await;
    let mut command = tokio::process::Command::new("sh");
    let script = r#"exec 3<&0; { "$0" "$1" --nick ada <&3; echo "code $?" >&2; } | head -n 1"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_client"), &format!("ws://{}", server.address)]);
    let mut pipe = Process::start(&mut command);
    // More than the server accepts before the first line is read; and the input stays open.
    let lines: Vec<_> = (0..20).map(|number| format!("line {number}")).collect();
    pipe.write((lines.join("\n") + "\n/no such command\n").as_bytes()).await;
    for number in 0..20 {
        assert_eq!(reader.line_with("line ").await, format!("ada: line {number}"));
    }
    pipe.stderr.line_with("unknown command /no").await;
    pipe.stderr.line_with("error: 1 line was refused").await;
    pipe.stderr.line_with("code 1").await;
    let mut command = tokio::process::Command::new("sh");
    let script = r#"{ printf 'a\nb\nc\n' | "$0" "$1" --nick ada; echo "code $?" >&2; } | true"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_client"), &format!("ws://{}", server.address)]);
    let mut pipe = Process::start(&mut command);
    for text in ["a", "b", "c"] {
        reader.line_with(&format!("ada: {text}")).await;
    }
    assert_eq!(pipe.stderr.next().await.unwrap(), "error: the output was cut off: nobody reads it any more");
    pipe.stderr.line_with("code 1").await;
}

#[tokio::test]
async fn lines_behind_an_end_count_as_not_sent() {
    let server = start().await;
    let address = server.address.to_string();
    for (lines, told) in [
        ("L1\n/quit\n\n", None),
        ("L1\n/quit\nL2\n\nL3\n", Some("error: 2 lines were not sent: they stand behind /quit")),
        ("L1\n/etc\n/quit\nL2\n", Some("error: 1 line was not sent: they stand behind /quit")),
        (
            "L1\n/join Bad.Room\nL2\nL3\n",
            Some("error: 2 lines were not sent: they were for the room of a /join that was refused"),
        ),
    ] {
        let mut client = Process::client(&[&address, "--nick", "ada"]);
        client.write(lines.as_bytes()).await;
        client.stdout.line_with("ada: L1").await;
        let code = client.exit().await.code();
        let (said, words) = (client.stdout.rest().await, client.stderr.rest().await);
        assert_eq!(code, Some(i32::from(told.is_some())), "{lines:?}: {words:?}");
        assert_eq!(words.last().filter(|last| last.starts_with("error")).map(String::as_str), told, "{lines:?}");
        assert!(!said.iter().any(|line| line.contains("L2")), "{said:?}");
    }
}

#[tokio::test]
async fn what_becomes_of_a_long_line_and_of_no_text_is_told_once() {
    let server = start().await;
    let mut client = Process::client(&[&server.address.to_string(), "--nick", "ada"]);
    for _ in 0..2 {
        client.write(&[b"x".repeat(20_000).as_slice(), b"\nhello\xff\n"].concat()).await;
    }
    client.close_stdin();
    client.stdout.line_with("hello\u{fffd}").await;
    assert_eq!(client.exit().await.code(), Some(0));
    let told = client.stderr.rest().await;
    let told: Vec<_> = told.iter().filter(|line| line.contains("input")).collect();
    assert!(told.len() == 2 && told[0].contains("16 KiB") && told[1].contains("UTF-8"), "{told:?}");
}

#[tokio::test]
async fn a_signal_is_its_exit_code() {
    let server = start().await;
    for (signal, code) in [(Signal::Hup, 129), (Signal::Int, 130), (Signal::Term, 143)] {
        // Independent of how the tests were started: a program that ignores a hangup survives it.
        let mut command = tokio::process::Command::new("env");
        command.args([
            "--default-signal=HUP",
            env!("CARGO_BIN_EXE_client"),
            &format!("ws://{}", server.address),
            "--nick",
            "ada",
        ]);
        let mut client = Process::start(&mut command);
        client.stdout.line_with("#lobby").await;
        client.signal(signal).await;
        assert_eq!(client.exit().await.code(), Some(code));
        assert_eq!(client.stderr.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn what_was_started_to_outlive_its_terminal_does() {
    let server = start().await;
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", r#"trap "" HUP; exec "$0" "$1""#, env!("CARGO_BIN_EXE_client"), &server.address.to_string()]);
    let mut client = Process::start(&mut command);
    client.stdout.line_with("#lobby").await;
    client.signal(Signal::Hup).await;
    client.write_line("still here").await;
    client.stdout.line_with("still here").await;
}

#[tokio::test]
async fn a_signal_tells_how_many_lines_were_not_sent() {
    let mut server = start_with(&["--rate", "1", "--burst", "1"]).await;
    let mut client = Process::client(&[&server.address.to_string(), "--nick", "ada"]);
    client.write("line\n".repeat(178).as_bytes()).await;
    client.stdout.line_with("ada: line").await;
    server.process.signal(Signal::Kill).await;
    server.process.exit().await;
    client.stderr.line_with("connection lost").await;
    client.signal(Signal::Term).await;
    assert_eq!(client.exit().await.code(), Some(143));
    let told = client.stderr.rest().await;
    assert!(told.iter().any(|line| line.contains(" may have been said: the connection is lost: ")), "{told:?}");
    assert!(told.iter().any(|line| line.contains(" lines were not sent, and ")), "{told:?}");
}

#[tokio::test]
async fn a_pipe_with_a_line_that_is_no_command_is_no_success() {
    let server = start().await;
    let mut client = Process::client(&[&format!("ws://{}", server.address), "--nick", "log"]);
    client.write_line("/etc/hosts changed").await;
    client.write_line("done").await;
    client.close_stdin();
    let told = client.stderr.line_with("/etc/hosts changed").await;
    assert!(told.contains("--no-commands"), "{told}");
    client.stdout.line_with("log: done").await;
    client.stderr.line_with("error: 1 line was refused").await;
    assert_eq!(client.exit().await.code(), Some(1));
}

#[tokio::test]
async fn what_is_typed_while_the_server_is_away_is_said_when_it_is_back() {
    let mut server = start().await;
    let address = server.address.to_string();
    let mut client = Process::client(&[&address, "--nick", "ada"]);
    client.write_line("before").await;
    client.stdout.line_with("ada: before").await;
    server.process.signal(Signal::Term).await;
    assert_eq!(server.process.exit().await.code(), Some(0));
    client.stderr.line_with("lost").await;
    client.write_line("meanwhile").await;
    let mut again = Process::server(&["--listen", &address]);
    again.address().await;
    client.stdout.line_with("ada: meanwhile").await;
    client.stderr.line_with("history is another one").await;
    client.close_stdin();
    let rest = client.stdout.rest().await;
    assert!(!rest.iter().any(|line| line.contains("meanwhile")), "once: {rest:?}");
    assert_eq!(client.exit().await.code(), Some(0));
}

#[tokio::test]
async fn on_a_textbook_server_ours_and_theirs_chat() {
    let server = TextbookServer::start().await;
    let mut theirs = TextbookClient::connect(&server.url()).await;
    theirs.say("ready").await;
    theirs.line_with("ready").await;
    let mut ours = Process::client(&[&server.url(), "--nick", "ada"]);
    ours.write_line("hello from ours").await;
    theirs.line_with("hello from ours").await;
    theirs.say("hello \u{1b}[31mfrom\u{7} theirs").await;
    let line = ours.stdout.line_with("theirs").await;
    assert!(line.ends_with("hello from theirs"), "cleaned: {line:?}");
}

#[tokio::test]
async fn no_escape_sequence_of_another_gets_through() {
    let server = start().await;
    let mut evil = RawPeer::connect(server.address, "/?nick=evil").await;
    evil.line_with("welcome").await;
    let mut client = Process::client(&[&format!("ws://{}", server.address), "--nick", "ada", "--color", "always"]);
    client.stdout.line_with("#lobby").await;
    evil.say("/topic \u{1b}]0;owned\u{7}tea \u{202e}eat").await;
    evil.say("a\u{1b}[2Jb\rc\u{9b}31md\u{8}\u{8}e").await;
    evil.say("the end").await;
    loop {
        let line = client.stdout.next().await.unwrap();
        let ours = without_colour(&line);
        assert!(!ours.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        if ours.contains("the end") {
            break;
        }
    }
}

/// Returns `line` without the client's own colour codes: `ESC [ digits m`.
fn without_colour(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('m').unwrap_or(("not a colour", part));
        assert!(code.chars().all(|c| c.is_ascii_digit() || c == ';'), "{line:?}");
        out.push_str(rest);
    }
    out
}
