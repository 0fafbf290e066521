//! The server from the operator's side: its log, its signals, its descriptors, and the
//! documentation of its flags.

mod support;

use std::{io::Write as _, process::Stdio};

use support::{
    process::{Process, Signal},
    raw::{Opening, RawPeer},
    within,
};
use tokio::{io::AsyncReadExt as _, process::Command};

/// Returns a server on a free port that logs everything to `stderr`.
fn logging_to(stderr: Stdio) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["--listen", "127.0.0.1:0", "--db", ":memory:", "--log", "trace"]);
    Process::start_with_stderr(&mut command, stderr)
}

/// Two people join, chat, and are told when the server stops.
async fn a_chat_goes_as_always(mut server: Process) {
    let address = server.address().await;
    let (mut ada, _) = RawPeer::join(address, "/", "ada").await;
    let mut bob = RawPeer::connect(address, "/?nick=bob").await;
    for round in 0..20 {
        bob.say(&format!("line {round}")).await;
        assert_eq!(ada.event("message").await["text"], format!("line {round}"));
        drop(RawPeer::connect(address, "/").await);
    }
    server.signal(Signal::Term).await;
    for peer in [&mut ada, &mut bob] {
        assert_eq!(peer.closed().await, (1001, "the server is stopping".to_owned()));
        peer.close(1001, "").await;
    }
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_can_be_told_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    a_chat_goes_as_always(logging_to(writer.into())).await;
}

/// Returns a pipe that is full, with its reader, which reads nothing.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filling = writer.try_clone().expect("another end of it");
    // The thread blocks at the first byte that does not fit, and ends when the reader is dropped.
    std::thread::spawn(move || while filling.write_all(&[b'x'; 4096]).is_ok() {});
    (reader, writer)
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let (_reader, writer) = full_pipe();
    a_chat_goes_as_always(logging_to(writer.into())).await;
}

#[tokio::test]
async fn neither_program_waits_for_a_stderr_that_nobody_reads_to_say_why_it_ends() {
    let server = support::server::start().await;
    let taken = server.address.to_string();
    let (_reader, writer) = full_pipe();
    let mut second = Command::new(env!("CARGO_BIN_EXE_server"));
    let mut second = Process::start_with_stderr(second.args(["--listen", &taken]), writer.try_clone().unwrap().into());
    assert_eq!(second.exit().await.code(), Some(1));
    drop(server);
    let mut client = Command::new(env!("CARGO_BIN_EXE_client"));
    let mut client = Process::start_with_stderr(client.arg(taken), writer.into());
    assert_eq!(client.exit().await.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_full_disk_stops_nothing() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    a_chat_goes_as_always(logging_to(full.into())).await;
}

#[tokio::test]
async fn a_log_in_a_file_that_may_not_grow_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "ulimit -f 1; exec \"$0\" --listen 127.0.0.1:0 --db :memory: --log trace 2>{}",
        folder.path().join("log").display()
    );
    let mut shell = Command::new("sh");
    a_chat_goes_as_always(Process::start(shell.args(["-c", &script, env!("CARGO_BIN_EXE_server")]))).await;
}

#[tokio::test]
async fn a_hangup_changes_nothing() {
    let mut server = support::server::start().await;
    for _ in 0..2 {
        server.process.signal(Signal::Named("HUP")).await;
        server.process.stderr.line_with("SIGHUP changes nothing").await;
    }
    RawPeer::connect(server.address, "/").await.line_with("welcome").await;
}

#[tokio::test]
async fn who_connects_too_often_is_told_once_and_the_operator_too() {
    let mut server = support::server::start_with(&["--connect-rate", "1"]).await;
    let mut answers = Vec::new();
    // 20 may connect at once, and one more a second is told; repeat until some have been told.
    within("refusals", async {
        while answers.iter().filter(|status| **status == 429).count() < 2 {
            let opened = RawPeer::open(server.address, &Opening { target: "/", ..Opening::default() }).await;
            answers.push(opened.map_or_else(|answer| answer.status, |_| 101));
        }
    })
    .await;
    assert!(answers.len() > 20 && answers[..20].iter().all(|status| *status == 101), "{answers:?}");
    let line = server.process.stderr.line_with("refused connections").await;
    assert!(line.contains(" INFO ") && line.contains("--connect-rate") && line.contains("count=1"), "{line}");
    server.process.signal(Signal::Term).await;
    server.process.exit().await;
    // Within the minute in which the others were only counted.
    server.process.stderr.line_with("--connect-rate").await;
}

/// Returns a server under `limit`, a shell command.
fn limited(limit: &str) -> Process {
    let mut shell = Command::new("sh");
    let script =
        format!("{limit}; exec \"$0\" --listen 127.0.0.1:0 --db :memory: --connect-rate 0 --max-per-address 0");
    Process::start(shell.args(["-c", &script, env!("CARGO_BIN_EXE_server")]))
}

#[tokio::test]
async fn past_its_descriptors_a_server_refuses_aloud_and_has_said_where_that_is() {
    let mut server = limited("ulimit -n 64");
    let address = server.address().await;
    let warned = server.stderr.line_with(" WARN ").await;
    let (_, fit) = warned.split_once("only ").unwrap();
    let fit: usize = fit.split(' ').next().unwrap().parse().unwrap();
    assert!((10..60).contains(&fit) && warned.contains("not 10000 (--max-connections)"), "{warned}");
    let mut peers = Vec::new();
    for _ in 0..fit {
        peers.push(RawPeer::connect(address, "/").await);
    }
    // Each of many connections gets an answer or is at least closed.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    for mut stream in silent.drain(10..) {
        let mut byte = [0];
        assert!(matches!(within("the end of what does not fit", stream.read(&mut byte)).await, Ok(0) | Err(_)));
    }
    drop(silent);
    within("an answer that says why", async {
        while RawPeer::open(address, &Opening { target: "/", ..Opening::default() })
            .await
            .err()
            .is_none_or(|answer| answer.status != 503 || !answer.text().contains("the server is full"))
        {}
    })
    .await;
    // Existing clients have noticed nothing.
    peers[0].say("still here").await;
    peers[1].line_with("still here").await;
    peers.clear();
    within("a free place", async {
        while RawPeer::open(address, &Opening { target: "/", ..Opening::default() }).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_no_descriptors_for_connections_says_so_and_does_not_start() {
    let mut server = limited("ulimit -n 20");
    assert_eq!(server.exit().await.code(), Some(1));
    let said = server.stderr.rest().await;
    assert!(said.iter().any(|line| line.contains("lets the server open 20 files")), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("  hint: ")), "{said:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_soft_limit_on_descriptors_is_raised_to_the_hard_one() {
    let mut server = limited("ulimit -Sn 64");
    server.address().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = files.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{files}");
}

#[tokio::test]
async fn every_filter_of_the_log_that_the_help_names_is_taken() {
    for filter in ["off", "warn", "INFO", "broadcast_chat=debug", "warn,broadcast_chat::server=trace,server=info"] {
        support::server::start_with(&["--log", filter]).await;
    }
}

#[tokio::test]
async fn an_address_that_is_open_to_the_network_is_warned_of() {
    let said = async |listen: &str| {
        let mut server = Process::server(&["--listen", listen]);
        server.address().await;
        server.signal(Signal::Term).await;
        server.exit().await;
        server.stderr.rest().await.into_iter().filter(|line| line.contains("open to the network")).count()
    };
    assert_eq!(said("0.0.0.0:0").await, 1);
    assert_eq!(said("127.0.0.1:0").await, 0);
}
