//! An independent client that follows `docs/protocol.md`. It keeps session, epoch, run, cursor and
//! keys, sends numbered lines without a pause, reconnects at once, and remembers what it saw.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    ops::ControlFlow::{self, Break, Continue},
};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use super::raw::SUBPROTOCOL;

/// Lines in flight.
const WINDOW: usize = 4;

/// The task of all writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Send one line after the other.
    Talk,
    /// Send no new lines.
    Stop,
    /// Stop after this many messages have been seen.
    SeeAll(usize),
}

/// A writer's reports to the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// It has sent a line.
    Said,
    /// It has just read the echo of a line.
    Echoed,
    /// All its lines are echoed: so many.
    Quiet(usize),
}

/// A message as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: u64,
    /// When it was sent, according to the server.
    pub at: u64,
    /// Its author.
    pub nick: String,
    /// Its text.
    pub text: String,
}

/// A writer's state, which survives its connections.
#[derive(Debug)]
pub struct Writer {
    /// Its nick.
    pub nick: String,
    /// The lines it has sent, in order.
    pub said: Vec<String>,
    /// The messages it has seen, in order.
    pub seen: Vec<Seen>,
    /// How many welcomes it has received.
    pub welcomes: usize,
    session: Option<Value>,
    epoch: Option<Value>,
    run: Option<Value>,
    cursor: u64,
    /// Lines without an echo: the key, and the text.
    unsent: VecDeque<(String, String)>,
    live: bool,
    told_quiet: bool,
    address: watch::Receiver<SocketAddr>,
    task: watch::Receiver<Task>,
    moments: mpsc::UnboundedSender<Moment>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Writer {
    /// Returns a writer that has not connected yet. It connects again whenever `address` changes.
    pub fn new(
        nick: &str,
        address: watch::Receiver<SocketAddr>,
        task: watch::Receiver<Task>,
        moments: mpsc::UnboundedSender<Moment>,
    ) -> Self {
        Self {
            nick: nick.to_owned(),
            said: Vec::new(),
            seen: Vec::new(),
            welcomes: 0,
            // Its own token from the start: a lost welcome does not cost the nick.
            session: Some(format!("{:032x}", fastrand::u128(..)).into()),
            epoch: None,
            run: None,
            cursor: 0,
            unsent: VecDeque::new(),
            live: false,
            told_quiet: false,
            address,
            task,
            moments,
        }
    }

    /// Writes until it has seen everything.
    pub async fn run(mut self) -> Self {
        loop {
            let address = *self.address.borrow_and_update();
            match open(address).await {
                Ok(Some(mut socket)) => {
                    while let Continue(()) = self.converse(&mut socket).await {}
                    self.live = false;
                    if self.has_seen_all() {
                        return self;
                    }
                }
                Ok(None) => {}
                Err(_) => self.address.changed().await.expect("the test tells of the next server"),
            }
        }
    }

    /// Handles the next event on an open connection.
    async fn converse(&mut self, socket: &mut Socket) -> ControlFlow<()> {
        if self.has_seen_all() {
            return Break(());
        }
        if self.live {
            self.talk(socket).await?;
        }
        tokio::select! {
            // Poll the server first, so that an echo is reported as soon as it is read.
            biased;
            message = socket.next() => match message {
                Some(Ok(message)) => match message.as_text() {
                    Some(text) => {
                        let event = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
                        self.hear(socket, &event).await
                    }
                    None if message.is_close() => Break(()),
                    None => Continue(()),
                },
                // The connection may have ended at any byte.
                Some(Err(_)) | None => Break(()),
            },
            changed = self.task.changed() => if changed.is_ok() { Continue(()) } else { Break(()) },
        }
    }

    async fn talk(&mut self, socket: &mut Socket) -> ControlFlow<()> {
        let task = *self.task.borrow_and_update();
        while task == Task::Talk && self.unsent.len() < WINDOW {
            // All of the same length, so that none is a prefix of another.
            let text = format!("{} {:06}", self.nick, self.said.len());
            let key = format!("key-{}", self.said.len());
            self.said.push(text.clone());
            self.unsent.push_back((key.clone(), text.clone()));
            self.say(socket, &key, &text).await?;
        }
        if task != Task::Talk && self.unsent.is_empty() && !self.told_quiet {
            self.told_quiet = true;
            self.tell(Moment::Quiet(self.said.len()));
        }
        Continue(())
    }

    async fn hear(&mut self, socket: &mut Socket, event: &Value) -> ControlFlow<()> {
        match event["type"].as_str() {
            Some("hello") => {
                let hello = json!({
                    "type": "hello", "nick": self.nick, "room": "lobby", "session": self.session, "epoch": self.epoch,
                    "run": self.run, "after": self.cursor,
                });
                send(socket, &hello).await?;
            }
            Some("welcome") => {
                assert_eq!(event["nick"], self.nick.as_str(), "the nick is kept");
                let epoch = Some(event["epoch"].clone());
                assert!(self.epoch.is_none() || self.epoch == epoch, "the epoch is kept: {:?}, {epoch:?}", self.epoch);
                self.epoch = epoch;
                assert_eq!(event.get("shared"), None, "it is one history from start to end");
                self.run = Some(event["run"].clone());
                self.session = Some(event["session"].clone());
                self.welcomes += 1;
            }
            Some("live") => {
                self.cursor = self.cursor.max(event["cursor"].as_u64().expect("a cursor"));
                self.live = true;
                for (key, text) in self.unsent.clone() {
                    self.say(socket, &key, &text).await?;
                }
            }
            Some("message") => self.see(event),
            Some("gap" | "error") => panic!("{} was sent {event}", self.nick),
            _ => {}
        }
        Continue(())
    }

    fn see(&mut self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let number = |field: &str| event[field].as_u64().expect("a number");
        let seen = Seen { id: number("id"), at: number("at"), nick: text("nick"), text: text("text") };
        if seen.nick == self.nick
            && let Some(at) = self.unsent.iter().position(|(key, _)| *key == text("key"))
        {
            self.unsent.remove(at);
            self.tell(Moment::Echoed);
        }
        // A message that was sent again with its key may be echoed again; it is already seen.
        if seen.id > self.cursor {
            self.cursor = seen.id;
            self.seen.push(seen);
        } else {
            assert!(self.seen.contains(&seen), "{} came too late, or another has its id: {:?}", self.nick, seen);
            assert_eq!(seen.nick, self.nick, "only an echo may come twice: {seen:?}");
        }
    }

    async fn say(&self, socket: &mut Socket, key: &str, text: &str) -> ControlFlow<()> {
        send(socket, &json!({ "type": "say", "key": key, "text": text })).await?;
        self.tell(Moment::Said);
        Continue(())
    }

    fn tell(&self, moment: Moment) {
        // The test may have stopped listening.
        drop(self.moments.send(moment));
    }

    fn has_seen_all(&self) -> bool {
        matches!(*self.task.borrow(), Task::SeeAll(count) if self.seen.len() >= count)
    }
}

async fn send(socket: &mut Socket, value: &Value) -> ControlFlow<()> {
    if socket.send(Message::text(value.to_string())).await.is_ok() { Continue(()) } else { Break(()) }
}

/// Returns a connection, or none if it broke while opening; an error if nobody listens.
async fn open(address: SocketAddr) -> io::Result<Option<Socket>> {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error),
        Err(_) => return Ok(None),
    };
    stream.set_nodelay(true)?;
    let builder = ClientBuilder::new().uri(&format!("ws://{address}/")).expect("an address is a URI");
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    let builder = builder.add_header(SEC_WEBSOCKET_PROTOCOL, subprotocol).expect("no header of the handshake's own");
    Ok(builder.connect_on(MaybeTlsStream::Plain(stream)).await.ok().map(|(socket, _)| socket))
}
