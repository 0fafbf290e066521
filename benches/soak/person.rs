//! A client that follows `docs/protocol.md` and acts like a person: it chats, loses the connection,
//! reconnects, searches, pages, changes its nick, and changes rooms.

use std::{
    collections::VecDeque,
    ops::ControlFlow::{self, Break, Continue},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use crate::{Phase, World, ledger::Stay};

/// The average time between two actions of one person.
const PACE: Duration = Duration::from_millis(800);

/// The deadline for an answer of a running server, and for the return of one that was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The maximum number of lines in flight.
const WINDOW: usize = 4;

/// The rooms.
const ROOMS: [&str; 4] = ["lobby", "rust", "tea", "ops"];

/// Words to say and to search for.
const WORDS: [&str; 8] = ["deploy", "coffee", "kernel", "straße", "日本語", "latency", "tests", "naïve"];

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A person.
pub(crate) struct Person {
    name: String,
    nick: String,
    /// The nick that was requested last, which the person may have by now.
    wanted: String,
    room: String,
    world: World,
    rng: fastrand::Rng,
    session: String,
    /// The history of the cursor, as the last `welcome` named it.
    epoch: Value,
    run: Value,
    /// The messages seen here without a gap; none before the first `live`.
    stay: Option<Stay>,
    /// Messages before the first `live` of a stay.
    early: Vec<u64>,
    stays: Vec<Stay>,
    said: Vec<(String, String)>,
    /// Keys and events without an echo, in order.
    unsent: VecDeque<(String, Value)>,
    /// Requests without an answer, and when each was sent.
    asked: VecDeque<(&'static str, Instant)>,
    /// The last id of the page or search that is being read.
    page: Option<u64>,
    live: bool,
    /// Whether the person closes the connection, to open another one.
    goes: bool,
    /// Whether the person has left, so that the nick may belong to somebody else.
    left: bool,
    privates: u64,
}

impl Person {
    pub(crate) fn new(number: usize, room: &str, world: World, mut rng: fastrand::Rng) -> Self {
        let name = format!("person-{number}");
        Self {
            nick: name.clone(),
            wanted: name.clone(),
            name,
            room: room.to_owned(),
            world,
            session: format!("{:032x}", rng.u128(..)),
            rng,
            epoch: Value::Null,
            run: Value::Null,
            stay: None,
            early: Vec::new(),
            stays: Vec::new(),
            said: Vec::new(),
            unsent: VecDeque::new(),
            asked: VecDeque::new(),
            page: None,
            live: false,
            goes: false,
            left: false,
            privates: 0,
        }
    }

    /// Chats until it is time to finish, and records what was said and seen.
    pub(crate) async fn run(mut self) {
        let mut away_since = Instant::now();
        loop {
            if let Some(mut socket) = self.open().await {
                self.count("connections");
                (self.live, self.goes, self.page) = (false, false, None);
                self.asked.clear();
                self.early.clear();
                let done = self.converse(&mut socket).await;
                if done || self.live {
                    away_since = Instant::now();
                }
                if done {
                    break;
                }
            }
            if away_since.elapsed() > PATIENCE {
                self.fault("could not come back");
                break;
            }
            sleep(Duration::from_millis(self.rng.u64(20..300))).await;
        }
        self.stays.extend(self.stay.take());
        let Self { name, said, stays, .. } = self;
        self.world.note(|ledger| ledger.finished(&name, said, stays));
    }

    fn fault(&self, what: &str) {
        self.world.note(|ledger| ledger.fault(format!("{} ({}): {what}", self.name, self.nick)));
    }

    async fn open(&self) -> Option<Socket> {
        let address = self.world.address;
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let builder = ClientBuilder::new().uri(&format!("ws://{address}/")).ok()?;
        let subprotocol = HeaderValue::from_static("broadcast-chat.v1");
        let builder = builder.add_header(SEC_WEBSOCKET_PROTOCOL, subprotocol).ok()?;
        let opened = timeout(PATIENCE, builder.connect_on(MaybeTlsStream::Plain(stream))).await;
        opened.ok()?.ok().map(|(socket, _)| socket)
    }

    /// Handles one connection. Returns whether everything is said and seen.
    async fn converse(&mut self, socket: &mut Socket) -> bool {
        let mut next = Instant::now() + PATIENCE;
        let mut finishing = false;
        loop {
            let before = self.live;
            tokio::select! {
                biased;
                message = socket.next() => {
                    let Some(Ok(message)) = message else { return false };
                    if let Some((code, reason)) = message.as_close() {
                        if ![1000, 1001].contains(&u16::from(code)) {
                            self.fault(&format!("closed with {} {reason}", u16::from(code)));
                        }
                        return false;
                    }
                    if let Some(text) = message.as_text() {
                        let Ok(event) = serde_json::from_str(text) else {
                            self.fault(&format!("no JSON: {text}"));
                            return false;
                        };
                        if self.hear(socket, &event).await.is_break() {
                            return false;
                        }
                    }
                }
                () = sleep_until(next) => {
                    if !self.live {
                        self.fault("not let in in time");
                        return false;
                    }
                    if let Some((what, _)) = self.asked.front().filter(|(_, since)| since.elapsed() > PATIENCE) {
                        self.fault(&format!("no answer to {what}"));
                        return false;
                    }
                    next = Instant::now() + PACE.mul_f64(self.rng.f64() * 2.0);
                    if *self.world.phase.borrow() == Phase::Chat {
                        if self.act(socket).await.is_break() {
                            return false;
                        }
                    } else if finishing && self.unsent.is_empty() && self.asked.is_empty() {
                        // The answer to the last request comes after everything before it.
                        return true;
                    } else if !finishing && self.unsent.is_empty() {
                        finishing = true;
                        if self.ask(socket, "names", json!({ "type": "names" })).await.is_break() {
                            return false;
                        }
                    }
                }
            }
            match (before, self.live) {
                (false, true) => next = Instant::now() + PACE.mul_f64(self.rng.f64()),
                (true, false) => next = Instant::now() + PATIENCE,
                _ => {}
            }
        }
    }

    /// Performs one random action.
    async fn act(&mut self, socket: &mut Socket) -> ControlFlow<()> {
        if self.goes {
            return Continue(());
        }
        let deed = self.rng.u32(..100);
        match deed {
            0..=59 if self.unsent.len() < WINDOW => self.say(socket).await,
            60..=63 if self.unsent.len() < WINDOW => {
                self.count("topics");
                let text = self.line("is about", 20);
                self.store(socket, json!({ "type": "set_topic", "text": text }), text).await
            }
            64..=69 => {
                self.count("searches");
                let word = WORDS[self.rng.usize(..WORDS.len())];
                self.ask(socket, "found", json!({ "type": "search", "query": word })).await
            }
            70..=75 => {
                self.count("pages");
                let end = self.stay.as_ref().map_or(0, |stay| stay.to);
                let which = ["before", "after"][self.rng.usize(..2)];
                let page = json!({ "type": "history", which: self.rng.u64(..=end), "limit": self.rng.u32(1..300) });
                self.ask(socket, "history", page).await
            }
            76..=79 => {
                let what = ["names", "rooms", "topic"][self.rng.usize(..3)];
                self.ask(socket, what, json!({ "type": what })).await
            }
            80..=82 => {
                self.count("renames");
                self.wanted = format!("{}x{}", self.name, self.rng.u32(..1000));
                let wanted = self.wanted.clone();
                self.ask(socket, "nick", json!({ "type": "nick", "nick": wanted })).await
            }
            83..=86 => {
                self.count("private messages");
                let to = format!("person-{}", self.rng.u32(..46));
                let text = format!("{} tells {:06}", self.name, self.privates);
                self.privates += 1;
                let key = format!("{:016x}", self.rng.u64(..));
                self.ask(socket, "private", json!({ "type": "msg", "to": to, "text": text, "key": key })).await
            }
            // A message in flight in one room must not end up in another.
            87..=90 if self.unsent.is_empty() && self.asked.is_empty() => {
                self.count("moves");
                // Until the answer, the person is still in the old room.
                self.live = false;
                let room = ROOMS[self.rng.usize(..ROOMS.len())];
                send(socket, &json!({ "type": "join", "room": room, "history": self.rng.u32(..100) })).await
            }
            91..=95 => {
                self.count("lost connections");
                Break(())
            }
            96..=97 if self.unsent.is_empty() => {
                self.count("departures");
                (self.goes, self.left) = (true, true);
                send(socket, &json!({ "type": "quit" })).await
            }
            _ => Continue(()),
        }
    }

    fn count(&self, what: &str) {
        self.world.note(|ledger| ledger.count(what));
    }

    /// Returns a text that nobody has sent before, with fewer than `most` further words.
    fn line(&mut self, verb: &str, most: usize) -> String {
        let mut line = format!("{} {verb} {:06}", self.name, self.said.len());
        for _ in 0..self.rng.usize(..most) {
            line.push(' ');
            line.push_str(WORDS[self.rng.usize(..WORDS.len())]);
        }
        line
    }

    async fn say(&mut self, socket: &mut Socket) -> ControlFlow<()> {
        let kind = if self.rng.u32(..20) == 0 { "me" } else { "say" };
        // Now and then as long as a message may be.
        let most = if self.rng.u32(..50) == 0 { 1500 } else { 20 };
        let text = self.line("says", most);
        self.store(socket, json!({ "type": kind, "text": text }), text).await
    }

    /// Sends a message that is stored, with a new key.
    async fn store(&mut self, socket: &mut Socket, mut event: Value, text: String) -> ControlFlow<()> {
        let key = format!("{:016x}", self.rng.u64(..));
        event["key"] = key.clone().into();
        self.said.push((self.room.clone(), text));
        self.unsent.push_back((key, event.clone()));
        send(socket, &event).await
    }

    async fn ask(&mut self, socket: &mut Socket, what: &'static str, event: Value) -> ControlFlow<()> {
        self.asked.push_back((what, Instant::now()));
        send(socket, &event).await
    }

    /// Removes the oldest request of this kind, which was answered.
    fn answered(&mut self, kinds: &[&str]) {
        if let Some(at) = self.asked.iter().position(|(what, _)| kinds.contains(what)) {
            self.asked.remove(at);
        }
    }

    async fn hear(&mut self, socket: &mut Socket, event: &Value) -> ControlFlow<()> {
        match event["type"].as_str().unwrap_or_default() {
            "hello" => {
                let mut hello =
                    json!({ "type": "hello", "nick": self.nick, "room": self.room, "session": self.session });
                match &self.stay {
                    Some(stay) => {
                        hello["epoch"] = self.epoch.clone();
                        hello["run"] = self.run.clone();
                        hello["after"] = stay.to.into();
                    }
                    None => hello["history"] = self.rng.u32(..100).into(),
                }
                return send(socket, &hello).await;
            }
            "welcome" => {
                let nick = event["nick"].as_str().unwrap_or_default();
                if self.stay.is_some() && !self.left && nick != self.nick && nick != self.wanted {
                    self.fault(&format!("came back as {nick}"));
                }
                (self.nick, self.left) = (nick.to_owned(), false);
                if !event["shared"].is_null() {
                    self.fault(&format!("was told of another history: {event}"));
                }
                if !self.epoch.is_null() && self.epoch != event["epoch"] {
                    self.fault("the epoch changed");
                }
                (self.epoch, self.run) = (event["epoch"].clone(), event["run"].clone());
            }
            "joined" => {
                self.stays.extend(self.stay.take());
                self.room = event["room"].as_str().unwrap_or_default().to_owned();
            }
            "live" => return self.go_live(socket, event).await,
            "message" => self.see(event),
            "history" => self.read_page(event, &["history"], true),
            "found" => self.read_page(event, &["found"], false),
            kind @ ("names" | "rooms" | "topic" | "nick") => {
                if event["more"] != true {
                    self.answered(&[kind]);
                }
                if let Some(nick) = event["nick"].as_str() {
                    self.nick = nick.to_owned();
                }
            }
            "private" if event["key"].is_null() => {
                let text = event["text"].as_str().unwrap_or_default();
                self.world.note(|ledger| ledger.private(&self.name, text));
            }
            "private" => self.answered(&["private"]),
            "error" => return self.refused(socket, event).await,
            "gap" => self.fault("was told of a gap"),
            _ => {}
        }
        Continue(())
    }

    async fn go_live(&mut self, socket: &mut Socket, event: &Value) -> ControlFlow<()> {
        let cursor = event["cursor"].as_u64().unwrap_or_default();
        let early = std::mem::take(&mut self.early);
        let begin = early.first().map_or(cursor, |first| first.saturating_sub(1));
        let mut stay = self.stay.take().unwrap_or_else(|| Stay::new(&self.name, &self.room, begin));
        if let Err(fault) = early.into_iter().try_for_each(|id| stay.see(id)) {
            self.fault(&fault);
        }
        stay.to = stay.to.max(cursor);
        self.stay = Some(stay);
        self.live = true;
        for (_, event) in &self.unsent {
            send(socket, event).await?;
        }
        Continue(())
    }

    fn see(&mut self, event: &Value) {
        let id = self.world.note(|ledger| ledger.message(&self.name, event));
        let own = self.unsent.iter().position(|(key, _)| event["key"] == key.as_str());
        if let Some(at) = own {
            self.unsent.remove(at);
        }
        match &mut self.stay {
            // The echo of a message that was sent before the connection was lost.
            Some(stay) if own.is_some() && id <= stay.to => {
                if stay.from < id && stay.seen.binary_search(&id).is_err() {
                    self.fault(&format!("the echo {id} comes after later messages"));
                }
            }
            Some(stay) => {
                if let Err(fault) = stay.see(id) {
                    self.fault(&fault);
                }
            }
            None => self.early.push(id),
        }
    }

    /// Reads one event of a page. Its messages are in order over all its events.
    fn read_page(&mut self, event: &Value, kinds: &[&str], rising: bool) {
        for message in event["messages"].as_array().into_iter().flatten() {
            let id = self.world.note(|ledger| ledger.message(&self.name, message));
            if self.page.is_some_and(|before| before == id || (before < id) != rising) {
                self.fault(&format!("{kinds:?}: {id} is out of order"));
            }
            self.page = Some(id);
        }
        if event["more"] != true {
            self.page = None;
            self.answered(kinds);
        }
    }

    async fn refused(&mut self, socket: &mut Socket, event: &Value) -> ControlFlow<()> {
        match event["code"].as_str().unwrap_or_default() {
            "nick_taken" if self.stay.is_none() && !self.live => {
                self.nick = event["free"].as_str().unwrap_or_default().to_owned();
                let hello = json!({ "type": "hello", "nick": self.nick, "room": self.room, "session": self.session });
                return send(socket, &hello).await;
            }
            "nick_taken" => self.answered(&["nick"]),
            "no_such_nick" | "unreachable" => self.answered(&["private"]),
            _ => self.fault(&format!("was refused: {event}")),
        }
        Continue(())
    }
}

async fn send(socket: &mut Socket, event: &Value) -> ControlFlow<()> {
    // A broken connection is detected when it is read.
    match timeout(PATIENCE, socket.send(Message::text(event.to_string()))).await {
        Ok(Ok(())) => Continue(()),
        _ => Break(()),
    }
}
