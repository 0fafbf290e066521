//! Both programs as a shell calls them: help, usage errors, and errors at startup.

mod support;

use assert_cmd::Command;
use support::{server::start, textbook::TextbookServer};

fn client() -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_client"));
    client.timeout(std::time::Duration::from_secs(30)).env_remove("CHAT_URL").env("CHAT_NICK", "ada");
    client
}

fn server() -> Command {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server"));
    server.timeout(std::time::Duration::from_secs(30)).env_remove("CHAT_LISTEN").env("CHAT_DB", ":memory:");
    server
}

#[test]
fn help_is_a_success_and_names_every_flag() {
    let help = client().arg("--help").assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    for flag in ["--nick", "--plain", "--history", "--color", "--json", "--no-commands", "ws://127.0.0.1:8080"] {
        assert!(help.contains(flag), "{flag} is missing:\n{help}");
    }
    let help = server().arg("--help").assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    for flag in [
        "--listen",
        "--db",
        "--max-connections",
        "--max-per-address",
        "--connect-rate",
        "--rate",
        "--burst",
        "127.0.0.1:8080",
    ] {
        assert!(help.contains(flag), "{flag} is missing:\n{help}");
    }
}

#[test]
fn the_help_of_the_client_fits_on_two_pages() {
    let help = client().arg("--help").assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    assert!(help.lines().count() <= 48, "{help}");
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn usage_errors_exit_with_2() {
    for arguments in [
        &["--flag-that-is-none"][..],
        &["ftp://host"],
        &["--format", "{who}"],
        &["--format", "{nick}", "--json"],
        &["--timestamps", "--json"],
        &["wss://host"],
        &["--nick", "a b"],
        &["--history", "x"],
        &["host?nick=a%20b"],
    ] {
        client().args(arguments).assert().code(2);
    }
    for arguments in [
        &["--flag-that-is-none"][..],
        &["--listen", "8080"],
        &["--listen", "::1"],
        &["--keep", "long"],
        &["--rate", "fast"],
    ] {
        server().args(arguments).assert().code(2);
    }
}

#[test]
fn a_value_that_would_do_nothing_is_refused_with_what_would_be_right() {
    for (arguments, right) in [
        (["--listen", "::1"], "the port is missing: [::1]:8080"),
        (["--listen", "127.0.0.1"], "the port is missing: 127.0.0.1:8080"),
        (["--listen", ":8080"], "the host is missing, such as 127.0.0.1"),
        (["--listen", "[fe80::1%]:8080"], "[fe80::1%eth0]:8080"),
        (["--log", "nonsense"], "expected off, error, warn, info, debug or trace"),
        (["--log", "tokio=debug"], "broadcast_chat=debug"),
        (["--log", "broadcast_chat=loud"], "broadcast_chat=debug"),
        (["--log", "info,"], "broadcast_chat=debug"),
        (["--log", ""], "broadcast_chat=debug"),
        (["--allow-origin", "c.d"], "such as https://c.d"),
        (["--allow-origin", "https://c.d,d.e:8080"], "such as https://d.e:8080"),
        (["--allow-origin", "https://c.d/chat"], "such as https://c.d"),
    ] {
        let refused = server().args(arguments).assert().code(2).get_output().stderr.clone();
        let refused = String::from_utf8(refused).unwrap();
        assert!(refused.contains(right), "{arguments:?}: {refused}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_a_hint() {
    // Bound but not listening: no other process takes the port, and nobody answers.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    client().arg(address.to_string()).assert().code(1).stdout("").stderr(format!(
        "error: cannot connect to ws://{address}: connection refused\n  hint: start one with: cargo run --bin server -- --listen {address}\n"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_an_error_with_a_hint() {
    let first = start().await;
    let address = first.address.to_string();
    let refused = tokio::task::spawn_blocking(move || {
        let output = server().args(["--listen", &address]).assert().code(1).get_output().stderr.clone();
        (String::from_utf8(output).unwrap(), address)
    });
    let (words, address) = refused.await.unwrap();
    assert!(
        words.starts_with(&format!("error: cannot listen on {address}: address already in use\n  hint: ")),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_from_a_pipe_is_said_echoed_and_that_is_all() {
    let server = start().await;
    let url = format!("ws://{}/rust", server.address);
    let shown = tokio::task::spawn_blocking(move || {
        let output = client().arg(url).write_stdin("hi\n").assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    });
    let shown = shown.await.unwrap();
    let lines: Vec<_> = shown.lines().filter(|line| line.contains("ada: hi")).collect();
    assert_eq!(lines.len(), 1, "{shown}");
    assert!(!shown.contains('\u{1b}'), "colour in a pipe: {shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_said_on_a_textbook_server_too() {
    let server = TextbookServer::start().await;
    let url = server.url();
    let shown = tokio::task::spawn_blocking(move || {
        let output = client().arg(url).write_stdin("hi\n/names\n").assert().code(1).get_output().clone();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    });
    let (shown, told) = shown.await.unwrap();
    assert_eq!(shown.lines().filter(|line| line.contains("hi")).count(), 1, "{shown}");
    assert!(told.contains("plain text"), "/names is refused with a reason: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sees_what_was_said_before_only_when_it_asks() {
    let server = start().await;
    let url = format!("ws://{}", server.address);
    let says = move |line: &str, arguments: &[&str]| {
        let output = client().args([url.as_str()]).args(arguments).write_stdin(format!("{line}\n")).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let checks = tokio::task::spawn_blocking(move || {
        says("first", &[]);
        let shown = says("second", &[]);
        assert!(!shown.contains("first") && shown.contains("ada: second"), "{shown}");
        let shown = says("third", &["--history", "1"]);
        assert!(!shown.contains("first") && shown.contains("second") && shown.contains("ada: third"), "{shown}");
        let shown = says("fourth", &["--since", "1h"]);
        assert!(shown.contains("first") && shown.contains("ada: fourth"), "{shown}");
    });
    checks.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_the_url_counts_and_a_flag_counts_more() {
    let server = start().await;
    let url = format!("ws://{}/?nick=zoe&history=1", server.address);
    // The environment says ada.
    let says = move |line: &str, arguments: &[&str], url: &str| {
        let output = client().arg(url).args(arguments).write_stdin(format!("{line}\n")).assert().success();
        let output = output.get_output().clone();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let checks = tokio::task::spawn_blocking(move || {
        let (shown, _) = says("first", &[], &url);
        assert!(shown.contains("zoe: first"), "{shown}");
        let (shown, told) = says("second", &[], &url);
        assert!(shown.contains("zoe: first") && told.is_empty(), "{shown} {told}");
        let (shown, told) = says("third", &["--nick", "max", "--history", "0"], &format!("{url}&colour=red"));
        assert!(shown.contains("max: third") && !shown.contains("second"), "{shown}");
        assert!(told.contains("\"colour\" in the address means nothing here"), "{told}");
    });
    checks.await.unwrap();
}
