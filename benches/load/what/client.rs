//! The client: how many lines it can process, its memory, and its startup time.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Outcome, frames,
    process::{Cores, cpu_of, place_generator, resident_of},
    report::{Report, median, number, percentile},
};

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    place_generator(Cores::All)?;
    lines(report)?;
    start(report)
}

fn lines(report: &mut Report) -> Outcome<()> {
    let (rounds, lines) = (report.choose(5, 2), report.choose(500_000, 50_000));
    Report::table(
        &format!("The client, {lines} lines of 100 bytes into a pipe"),
        &["lines/s", "CPU us a line", "resident"],
    );
    for (name, flags) in [("--plain", &["--plain"][..]), ("--json", &["--json"][..])] {
        let (mut rates, mut costs, mut memory) = (Vec::new(), Vec::new(), 0.0);
        for _ in 0..rounds {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let mut client = client(&listener, flags, Stdio::piped())?;
            let stdout = client.stdout.take().ok_or("no stdout")?;
            let mut stream = welcome(&listener)?;
            let feeder = std::thread::spawn(move || -> Outcome<TcpStream> {
                feed(&mut stream, lines)?;
                Ok(stream)
            });
            let begin = Instant::now();
            let mut seen = 0_u64;
            for line in BufReader::with_capacity(256 * 1024, stdout).split(b'\n') {
                seen += u64::from(memchr::memchr(b'%', &line?).is_some());
                if seen == lines {
                    break;
                }
            }
            if seen != lines {
                return Err(format!("{seen} of {lines} lines came out").into());
            }
            rates.push(number(lines) / begin.elapsed().as_secs_f64());
            costs.push(cpu_of(client.id())?.as_secs_f64() * 1e6 / number(lines));
            memory = number(resident_of(client.id())?);
            drop(feeder.join().map_err(|_| "the feeder failed")??);
            client.kill()?;
            client.wait()?;
        }
        let (rate, cost) = (median(&rates), median(&costs));
        Report::row(name, &[format!("{:.0} k", rate / 1e3), format!("{cost:.2}"), format!("{:.1} MB", memory / 1e6)]);
        report.keep("client", name, "lines a second", rate);
    }
    Ok(())
}

fn start(report: &mut Report) -> Outcome<()> {
    let mut took = Vec::new();
    for _ in 0..report.choose(50, 10) {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let begin = Instant::now();
        let mut client = client(&listener, &["--plain"], Stdio::null())?;
        let _stream = welcome(&listener)?;
        took.push(begin.elapsed().as_secs_f64());
        client.kill()?;
        client.wait()?;
    }
    Report::table("The client, from its start to its first words to the server", &["p50", "p90"]);
    let at = |hundredths| format!("{:.1} ms", percentile(&took, hundredths) * 1e3);
    Report::row("", &[at(50), at(90)]);
    report.keep("client", "start", "p50 seconds", percentile(&took, 50));
    Ok(())
}

/// Starts a client that connects to `listener`, with a stdin that stays open and empty.
fn client(listener: &TcpListener, flags: &[&str], stdout: Stdio) -> Outcome<Child> {
    let url = format!("ws://{}", listener.local_addr()?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    Ok(command.args(flags).arg(url).stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::null()).spawn()?)
}

/// Acts as a server until its client has joined.
fn welcome(listener: &TcpListener) -> Outcome<TcpStream> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let head = read_until(&mut stream, |bytes| bytes.ends_with(b"\r\n\r\n"))?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let key = head
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")));
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.map_or("", |(_, key)| key.trim()).as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.digest().bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
         Sec-WebSocket-Protocol: broadcast-chat.v1\r\n\r\n"
    )?;
    let mut words = Vec::new();
    let hello = format!(r#"{{"type":"hello","server":"bench","nonce":"{}"}}"#, "0".repeat(32));
    frames::push(frames::TEXT, hello.as_bytes(), &mut words);
    stream.write_all(&words)?;
    read_until(&mut stream, |bytes| frames::parse(bytes).is_some())?;
    words.clear();
    for event in [
        r#"{"type":"welcome","nick":"ada","session":"00000000000000000000000000000000","epoch":"0000000000000000","resumed":false,"room":"lobby","people":1,"names":["ada"]}"#,
        r#"{"type":"live","room":"lobby","cursor":0}"#,
    ] {
        frames::push(frames::TEXT, event.as_bytes(), &mut words);
    }
    stream.write_all(&words)?;
    Ok(stream)
}

fn read_until(stream: &mut TcpStream, is_enough: impl Fn(&[u8]) -> bool) -> Outcome<Vec<u8>> {
    let (mut bytes, mut some) = (Vec::new(), [0; 4096]);
    while !is_enough(&bytes) {
        let length = stream.read(&mut some)?;
        if length == 0 {
            return Err("the client has gone".into());
        }
        bytes.extend_from_slice(&some[..length]);
    }
    Ok(bytes)
}

fn feed(stream: &mut TcpStream, lines: u64) -> Outcome<()> {
    let (mut words, text) = (Vec::new(), "x".repeat(99));
    for id in 1..=lines {
        let event = format!(
            r#"{{"type":"message","id":{id},"room":"lobby","at":1700000000000,"nick":"bob","kind":"say","text":"%{text}"}}"#
        );
        frames::push(frames::TEXT, event.as_bytes(), &mut words);
        if words.len() > 64 * 1024 {
            stream.write_all(&words)?;
            words.clear();
        }
    }
    Ok(stream.write_all(&words)?)
}
