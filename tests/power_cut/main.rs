//! The state after a power cut. Every byte of an echo leaves the server after the sync of its
//! message. A database of only synced writes has every message whose echo was sent.
//!
//! The server runs under `strace`, which records what was written, synced and sent, and in which
//! order. The test then simulates a power cut at any position, as often as it likes.

mod disk;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use std::{collections::BTreeMap, path::PathBuf};

use disk::Disk;
use rusqlite::Connection;
use serde_json::Value;
use support::{
    folder::Folder,
    process::{Process, Signal},
    seed::{Chance, seed},
    within,
    writer::{Moment, Task, Writer},
};
use tokio::sync::{mpsc, watch};
use trace::Call;

/// Number of messages: enough that the database checkpoints its write-ahead log meanwhile, which it
/// does every 1000 pages.
const MESSAGES: usize = 1200;

/// Number of cuts just before an echo is sent. The same number of cuts is at any position, with
/// luck for data that was not synced.
const CUTS: usize = 60;

/// The authors.
const NICKS: [&str; 2] = ["ada", "bob"];

/// A message whose echo was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Echo {
    /// When its first byte was sent.
    left: usize,
    id: i64,
    at: i64,
    nick: String,
    text: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_anybody_was_shown_is_on_the_disk_when_the_power_is_cut() {
    if !has_strace() {
        return;
    }
    let mut chance = Chance::new(seed());
    let folder = Folder::new();
    let calls = trace::parse(&traced_chat(&folder).await);
    let disk = Disk::new(&calls, &folder.file("data"));
    let echoes = echoes(&calls);
    assert!(echoes.len() >= 2 * MESSAGES, "two people were sent each message, and {} echoes left", echoes.len());
    let written = disk.texts(&NICKS, echoes[0].text.len());
    for echo in &echoes {
        let durable = written.get(&echo.text).unwrap_or_else(|| panic!("{echo:?} was never written"));
        let durable = durable.unwrap_or_else(|| panic!("{echo:?} was never synced"));
        assert!(durable < echo.left, "{echo:?} left before {durable}, when its write was durable");
    }
    let rebuilt = Folder::new();
    // Just before an echo is sent, only synced data counts.
    for _ in 0..CUTS {
        let echo = &echoes[chance.index(echoes.len())];
        check_database(&rebuilt, disk.after_power_cut(echo.left, None), &echoes, echo.left + 1);
    }
    let end = calls.last().map_or(0, |last| last.ended);
    for _ in 0..CUTS {
        let cut = echoes[0].left + chance.index(end - echoes[0].left);
        check_database(&rebuilt, disk.after_power_cut(cut, Some(&mut chance)), &echoes, cut);
    }
    report(&disk, &echoes);
}

/// Returns whether `strace` is available; in CI it must be.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_strace() -> bool {
    let found = std::process::Command::new("strace").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "strace is missing");
    if !found {
        eprintln!("skipped: strace is missing");
    }
    found
}

/// Returns the trace of a server in whose lobby two people have chatted, with its data in the
/// directory `data`.
async fn traced_chat(folder: &Folder) -> String {
    let (data, trace) = (folder.file("data"), folder.file("trace"));
    std::fs::create_dir(&data).expect("a folder for the data");
    let mut command = tokio::process::Command::new("strace");
    // The tracer is detached, so that the process we start and kill is the server.
    command.args(["-D", "-f", "-y", "-xx", "-s", "1000000", "-o"]).arg(&trace).args([
        "-e",
        "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,ftruncate,rename,unlink,unlinkat",
    ]);
    command.args([env!("CARGO_BIN_EXE_server"), "--listen", "127.0.0.1:0", "--rate", "0", "--log", "error", "--db"]);
    command.arg(data.join("chat.db"));
    let mut server = Process::start(&mut command);
    let address = server.address().await;
    let (task, task_of_all) = watch::channel(Task::Talk);
    let (_address, address) = watch::channel(address);
    let (moments_out, mut moments) = mpsc::unbounded_channel();
    let writer =
        |nick| tokio::spawn(Writer::new(nick, address.clone(), task_of_all.clone(), moments_out.clone()).run());
    let writers = NICKS.map(writer);
    let (mut echoed, mut quiet, mut all) = (0, 0, 0);
    while quiet < writers.len() {
        match within("the next moment", moments.recv()).await.expect("the writers go on") {
            Moment::Said => {}
            Moment::Echoed => {
                echoed += 1;
                if echoed == MESSAGES {
                    task.send_replace(Task::Stop);
                }
            }
            Moment::Quiet(said) => {
                quiet += 1;
                all += said;
            }
        }
    }
    task.send_replace(Task::SeeAll(all));
    for writer in writers {
        within("a writer to see all", writer).await.expect("the writer ends well");
    }
    server.signal(Signal::Kill).await;
    server.exit().await;
    // The tracer shares our pipes. It has written everything when it closes them.
    server.stderr.rest().await;
    String::from_utf8_lossy(&std::fs::read(trace).expect("a trace")).into_owned()
}

/// Returns everything that was sent as a message, with the time at which its first byte was sent.
fn echoes(calls: &[Call]) -> Vec<Echo> {
    // The bytes of a socket, each with the time at which it was sent.
    let mut sockets: BTreeMap<&str, (Vec<u8>, Vec<usize>)> = BTreeMap::new();
    let sends = |call: &&Call| matches!(call.name.as_str(), "sendto" | "sendmsg" | "write" | "writev");
    for call in calls.iter().filter(|call| call.file.starts_with("socket:")).filter(sends) {
        let (bytes, left) = sockets.entry(&call.file).or_default();
        bytes.extend(call.written());
        left.resize(bytes.len(), call.begun);
    }
    let mut echoes = Vec::new();
    for (bytes, left) in sockets.values() {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer to a handshake");
        let mut at = head + 4;
        while let Some((begin, end)) = frame(bytes, at) {
            let event: Value = serde_json::from_slice(&bytes[begin..end]).unwrap_or_default();
            if event["type"] == "message" {
                let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                let number = |field: &str| event[field].as_i64().unwrap_or_default();
                let (id, at_time) = (number("id"), number("at"));
                echoes.push(Echo { left: left[at], id, at: at_time, nick: text("nick"), text: text("text") });
            }
            at = end;
        }
    }
    echoes.sort_by_key(|echo| echo.left);
    echoes
}

/// Returns the start and end of the payload of the server's frame at `at`, if it is complete.
fn frame(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (begin, length) = match *bytes.get(at + 1)? {
        126 => (at + 4, usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]))),
        127 => panic!("no event is that long"),
        short => (at + 2, usize::from(short)),
    };
    (begin + length <= bytes.len()).then_some((begin, begin + length))
}

/// Checks that a database of these files is intact, and has every message whose echo was sent
/// before `cut`.
fn check_database(folder: &Folder, files: BTreeMap<String, Vec<u8>>, echoes: &[Echo], cut: usize) {
    let place: PathBuf = folder.file("rebuilt");
    std::fs::remove_dir_all(&place).ok();
    std::fs::create_dir(&place).expect("a folder for the database");
    for (name, bytes) in files {
        // The index of the write-ahead log is shared memory: it does not survive the machine, and
        // is rebuilt.
        if !name.ends_with("-shm") {
            std::fs::write(place.join(name), bytes).expect("a file of the database");
        }
    }
    let database = Connection::open(place.join("chat.db")).expect("the database opens");
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it can be checked");
    assert_eq!(check, "ok", "cut at {cut}");
    let mut select = database
        .prepare("SELECT room, at, nick, text FROM messages WHERE id = ?1")
        .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
    for echo in echoes.iter().filter(|echo| echo.left < cut) {
        let row: (String, i64, String, String) = select
            .query_row([echo.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap_or_else(|error| panic!("cut at {cut}, {echo:?}: {error}"));
        assert_eq!(row, ("lobby".to_owned(), echo.at, echo.nick.clone(), echo.text.clone()), "cut at {cut}");
    }
}

#[expect(clippy::print_stderr, reason = "for whoever runs the tests with --nocapture")]
fn report(disk: &Disk, echoes: &[Echo]) {
    let (log, database) = (disk.changes_of("chat.db-wal"), disk.changes_of("chat.db"));
    let (echoes, cuts) = (echoes.len(), 2 * CUTS);
    eprintln!("{echoes} echoes, {log} writes ahead, {database} to the database, {cuts} power cuts: nothing lost");
}
