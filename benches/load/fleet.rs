//! Many clients in one thread: a WebSocket each, driven by one epoll. Checks that no message is
//! lost, duplicated or reordered.

use std::{
    io::{self, Read as _, Write as _},
    mem::MaybeUninit,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, event::Source as _, net::TcpStream};
use socket2::SockRef;

use crate::{Outcome, frames};

/// The timeout of every step of a measurement.
const PATIENCE: Duration = Duration::from_mins(1);

/// The maximum number of concurrent opening handshakes: more would overflow the queue of the
/// listening socket.
const OPENING: usize = 100;

/// Bytes discarded at once. Nothing is written there.
const NOWHERE: usize = 16 * 1024;

/// The dialect of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Text,
    Json,
}

/// The first actions of a client.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) speech: Speech,
    pub(crate) room: String,
    pub(crate) history: u32,
}

impl Caller {
    pub(crate) fn new(speech: Speech) -> Self {
        Self { speech, room: String::new(), history: 0 }
    }

    pub(crate) fn room(self, room: impl Into<String>) -> Self {
        Self { room: room.into(), ..self }
    }

    pub(crate) fn history(self, history: u32) -> Self {
        Self { history, ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The HTTP response has not arrived yet.
    Opening,
    /// The server's first message has not arrived yet.
    Greeting,
    Open,
    Closed,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    stage: Stage,
    caller: Caller,
    /// Bytes that are no complete frame yet.
    partial: Vec<u8>,
    /// Bytes that the socket did not take.
    backlog: Vec<u8>,
    /// The expected number of each sender's next message.
    next: Vec<u32>,
    /// Whether received data is discarded unread.
    is_deaf: bool,
    /// Bytes received.
    got: u64,
}

/// A message of ours that has arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The receiving client.
    pub(crate) reader: usize,
    /// The sender.
    pub(crate) sender: usize,
    /// The number of the message.
    pub(crate) number: u32,
}

/// The receiver of these reports.
pub(crate) type Heard<'a> = &'a mut dyn FnMut(Arrival);

/// All clients.
pub(crate) struct Fleet {
    server: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    opening: usize,
    open: usize,
    /// How many nicks were used.
    named: u64,
    /// The number of each sender's next message.
    numbers: Vec<u32>,
}

impl Fleet {
    pub(crate) fn new(server: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            server,
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            buffer: vec![0; 256 * 1024],
            clients: Vec::new(),
            opening: 0,
            open: 0,
            named: 0,
            numbers: Vec::new(),
        })
    }

    /// Returns how many clients have joined.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Connects one more client; the connection is ready some loop iterations later.
    pub(crate) fn call(&mut self, caller: Caller) -> Outcome<()> {
        let mut stream = TcpStream::connect(self.server)?;
        let token = Token(self.clients.len());
        stream.register(self.poll.registry(), token, Interest::READABLE | Interest::WRITABLE)?;
        let Caller { speech, room, history } = &caller;
        let protocol = match speech {
            Speech::Text => "",
            Speech::Json => "Sec-WebSocket-Protocol: broadcast-chat.v1\r\n",
        };
        let request = format!(
            "GET /{room}?nick=load-{}&history={history} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n",
            self.named, self.server
        );
        self.named += 1;
        self.clients.push(Client {
            stream,
            stage: Stage::Opening,
            caller,
            partial: Vec::new(),
            backlog: request.into_bytes(),
            next: Vec::new(),
            is_deaf: false,
            got: 0,
        });
        self.opening += 1;
        Ok(())
    }

    /// Connects all of `callers` and waits until they have joined.
    pub(crate) fn call_all(&mut self, callers: impl IntoIterator<Item = Caller>) -> Outcome<()> {
        let mut callers = callers.into_iter().peekable();
        let mut deadline = Instant::now() + PATIENCE;
        while callers.peek().is_some() || self.opening > 0 {
            while self.opening < OPENING
                && let Some(caller) = callers.next()
            {
                self.call(caller)?;
                deadline = Instant::now() + PATIENCE;
            }
            self.turn(Duration::from_millis(10), &mut |_| {})?;
            if Instant::now() > deadline {
                return Err(format!("{} of the connections did not come in", self.opening).into());
            }
        }
        Ok(())
    }

    /// Returns the number of the next message of client `sender`.
    pub(crate) fn number(&self, sender: usize) -> u32 {
        self.numbers.get(sender).copied().unwrap_or_default()
    }

    /// Sends the next `count` messages of client `sender`, each `length` bytes long.
    pub(crate) fn say(&mut self, sender: usize, count: u32, length: usize) -> Outcome<()> {
        if self.numbers.len() <= sender {
            self.numbers.resize(sender + 1, 0);
        }
        let client = &mut self.clients[sender];
        for _ in 0..count {
            let number = &mut self.numbers[sender];
            let mut text = format!("%{sender:05}{number:010}");
            text.extend(std::iter::repeat_n('x', length.saturating_sub(text.len())));
            if client.caller.speech == Speech::Json {
                text = format!(r#"{{"type":"say","key":"{sender}-{number}","text":"{text}"}}"#);
            }
            *number += 1;
            frames::push_masked(frames::TEXT, text.as_bytes(), &mut client.backlog);
        }
        client.flush()?;
        Ok(())
    }

    /// Sends one custom message as client `sender`, which is not counted when it arrives.
    pub(crate) fn chat(&mut self, sender: usize, text: &str) -> Outcome<()> {
        let client = &mut self.clients[sender];
        match client.caller.speech {
            Speech::Text => frames::push_masked(frames::TEXT, text.as_bytes(), &mut client.backlog),
            Speech::Json => {
                let say = format!(r#"{{"type":"say","text":"{text}"}}"#);
                frames::push_masked(frames::TEXT, say.as_bytes(), &mut client.backlog);
            }
        }
        client.flush()?;
        Ok(())
    }

    /// Waits at most `patience` for data, and processes it.
    pub(crate) fn turn(&mut self, patience: Duration, heard: Heard<'_>) -> Outcome<()> {
        self.poll.poll(&mut self.events, Some(patience))?;
        for event in &self.events {
            let reader = event.token().0;
            let client = &mut self.clients[reader];
            let before = client.stage;
            if event.is_writable() {
                client.flush()?;
            }
            if event.is_readable() {
                client.read(reader, &mut self.buffer, heard)?;
            }
            if before == client.stage {
                continue;
            }
            match client.stage {
                Stage::Open => (self.opening, self.open) = (self.opening - 1, self.open + 1),
                Stage::Closed => return Err("the server closed a connection".into()),
                Stage::Opening | Stage::Greeting => {}
            }
        }
        Ok(())
    }

    /// From now on, discards what all but the first `listening` clients receive; it only counts the
    /// bytes.
    pub(crate) fn deafen(&mut self, listening: usize) {
        for (number, client) in self.clients.iter_mut().enumerate() {
            (client.is_deaf, client.got) = (number >= listening, 0);
        }
    }

    /// Returns whether every client has received as many bytes as the first since [`Self::deafen`].
    pub(crate) fn deaf_have_got_all(&self) -> bool {
        self.clients.iter().all(|client| client.got == self.clients[0].got)
    }

    /// Processes incoming data until none has arrived for `quiet`.
    pub(crate) fn settle(&mut self, quiet: Duration) -> Outcome<()> {
        let mut last = Instant::now();
        while last.elapsed() < quiet {
            self.turn(quiet, &mut |_| {})?;
            if !self.events.is_empty() {
                last = Instant::now();
            }
        }
        Ok(())
    }

    /// Processes incoming data for the given time.
    pub(crate) fn idle(&mut self, length: Duration) -> Outcome<()> {
        let until = Instant::now() + length;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.turn(left, &mut |_| {})?;
        }
        Ok(())
    }

    /// Makes all but the first `kept` clients say goodbye, and closes their connections.
    pub(crate) fn dismiss(&mut self, kept: usize) -> Outcome<()> {
        for mut client in self.clients.drain(kept..) {
            frames::push_masked(frames::CLOSE, &1000_u16.to_be_bytes(), &mut client.backlog);
            client.flush()?;
        }
        (self.open, self.opening) = (kept, 0);
        Ok(())
    }
}

impl Client {
    fn flush(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            match self.stream.write(&self.backlog) {
                Ok(written) => drop(self.backlog.drain(..written)),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all available data.
    fn read(&mut self, reader: usize, buffer: &mut [u8], heard: Heard<'_>) -> Outcome<()> {
        loop {
            let read = if self.is_deaf { self.throw_away() } else { self.stream.read(buffer) };
            let length = match read {
                Ok(0) => {
                    self.stage = Stage::Closed;
                    return Ok(());
                }
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.got += length as u64;
            if self.is_deaf {
                if length < NOWHERE {
                    return Ok(());
                }
                continue;
            }
            let mut joined = std::mem::take(&mut self.partial);
            let bytes = if joined.is_empty() {
                &buffer[..length]
            } else {
                joined.extend_from_slice(&buffer[..length]);
                &joined
            };
            let mut at = 0;
            if self.stage == Stage::Opening {
                let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                    self.partial = bytes.to_vec();
                    continue;
                };
                if !bytes.starts_with(b"HTTP/1.1 101") {
                    return Err(format!("refused: {}", String::from_utf8_lossy(&bytes[..end])).into());
                }
                self.stage = Stage::Greeting;
                at = end + 4;
            }
            while let Some(frame) = frames::parse(&bytes[at..]) {
                self.frame(reader, frame.opcode, &bytes[at + frame.start..at + frame.end], heard)?;
                at += frame.end;
            }
            if at < bytes.len() {
                self.partial = bytes[at..].to_vec();
            }
            // A short read has emptied the socket, so the next readiness is a new event.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Makes the kernel discard the available data, and returns the number of bytes.
    fn throw_away(&self) -> io::Result<usize> {
        /// Linux only: for TCP the kernel discards the data instead of copying it.
        const MSG_TRUNC: i32 = 0x20;
        let mut nowhere = [MaybeUninit::uninit(); NOWHERE];
        SockRef::from(&self.stream).recv_with_flags(&mut nowhere, MSG_TRUNC)
    }

    fn frame(&mut self, reader: usize, opcode: u8, payload: &[u8], heard: Heard<'_>) -> Outcome<()> {
        match opcode {
            frames::TEXT if self.stage == Stage::Greeting => self.greeted(payload)?,
            frames::TEXT => {
                if let Some((sender, number)) = memchr::memchr(b'%', payload).and_then(|at| marked(&payload[at + 1..]))
                {
                    self.check(sender, number)?;
                    heard(Arrival { reader, sender, number });
                }
            }
            frames::PING => {
                frames::push_masked(frames::PONG, payload, &mut self.backlog);
                self.flush()?;
            }
            frames::CLOSE => self.stage = Stage::Closed,
            _ => {}
        }
        Ok(())
    }

    /// Handles what the server sends before the client has joined.
    fn greeted(&mut self, payload: &[u8]) -> io::Result<()> {
        let says = |word: &str| memchr::memmem::find(payload, word.as_bytes()).is_some();
        match self.caller.speech {
            Speech::Text => self.stage = Stage::Open,
            Speech::Json if says(r#""type":"hello""#) => {
                // The nick and the history are in the URL.
                frames::push_masked(frames::TEXT, br#"{"type":"hello"}"#, &mut self.backlog);
                self.flush()?;
            }
            Speech::Json if says(r#""type":"live""#) => self.stage = Stage::Open,
            Speech::Json => {}
        }
        Ok(())
    }

    /// Checks that this is the next message of that sender. A client that joins later starts at any
    /// number.
    fn check(&mut self, sender: usize, number: u32) -> Outcome<()> {
        const UNKNOWN: u32 = u32::MAX;
        if self.next.len() <= sender {
            self.next.resize(sender + 1, UNKNOWN);
        }
        let next = &mut self.next[sender];
        if *next != UNKNOWN && *next != number {
            return Err(format!("message {number} of sender {sender} came where {next} was due").into());
        }
        *next = number + 1;
        Ok(())
    }
}

/// Parses the sender and the number of a message of ours.
fn marked(text: &[u8]) -> Option<(usize, u32)> {
    let digits = |text: &[u8]| {
        text.iter()
            .try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let (sender, number) = text.get(..15)?.split_at(5);
    Some((usize::try_from(digits(sender)?).ok()?, digits(number)?))
}
