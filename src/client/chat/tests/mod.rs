//! Tests of the conversation by value, against a minimal server that this module contains.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::protocol::{Body, ErrorCode, Failure as Refused, Hex, Kind, Message, Private, RoomView, Timestamp, Welcome};

mod connection;
mod typing;
mod view;
mod wanted;

const EPOCH: Epoch = Hex([1; 8]);

struct Chat {
    app: App,
    now: Duration,
    sent: Vec<ClientMessage>,
    lines: Vec<String>,
    shown: Vec<ViewEvent>,
    finished: Option<Result<(), Failure>>,
    /// How often the app asked for a connection attempt at once.
    retries: usize,
    next_id: u64,
}

impl Chat {
    fn new(settings: Settings) -> Self {
        let app = App::new(settings);
        let now = Duration::ZERO;
        Self { app, now, sent: vec![], lines: vec![], shown: vec![], finished: None, retries: 0, next_id: 0 }
    }

    fn ada() -> Self {
        Self::new(Settings { nick: Some(nick("ada")), ..Settings::default() })
    }

    /// Returns a chat that is live in the lobby.
    fn live() -> Self {
        let mut chat = Self::ada();
        chat.join(EPOCH, "ada");
        chat.server(&live());
        chat.forget();
        chat
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.lines.clear();
        self.shown.clear();
    }

    fn event(&mut self, event: Event) {
        for effect in self.app.update(self.now, event) {
            match effect {
                Effect::Send(frame) if self.app.dialect == Dialect::Text => self.lines.push(frame),
                Effect::Send(frame) => self.sent.push(json::decode_client(&frame).unwrap()),
                Effect::Show(shown) => self.shown.push(shown),
                Effect::Finish(result) => self.finished = Some(result),
                Effect::Reconnect { .. } => {}
                Effect::Retry => self.retries += 1,
            }
        }
    }

    fn server(&mut self, event: &ServerMessage) {
        let mut frame = Vec::new();
        json::encode(event, &mut frame);
        self.event(Event::Frame(String::from_utf8(frame).unwrap()));
    }

    fn line(&mut self, line: &str) {
        self.event(Event::Line(line.to_owned()));
    }

    fn join(&mut self, epoch: Epoch, nick: &str) {
        self.event(Event::Connected(Dialect::Json));
        self.server(&hello());
        self.server(&welcome(epoch, nick));
    }

    /// Connects to a server whose history equals the known one up to `shared`.
    fn join_run(&mut self, run: u8, shared: Option<u64>) {
        self.event(Event::Connected(Dialect::Json));
        self.server(&hello());
        self.server(&welcome_to(EPOCH, "ada", run, shared));
    }

    fn drop_connection(&mut self) {
        self.event(Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.event(Event::Woke);
    }

    fn message(&mut self, text: &str, key: Option<IdempotencyKey>) -> ServerMessage {
        self.next_id += 1;
        message(self.next_id, text, key)
    }

    /// Echoes every text that was sent and not echoed yet.
    fn echo(&mut self) {
        for said in std::mem::take(&mut self.sent) {
            if let ClientMessage::Say { key, text } = said {
                let echo = self.message(text.as_str(), key);
                self.server(&echo);
            }
        }
    }

    fn said(&self) -> Vec<(String, String)> {
        let said = |message: &ClientMessage| match message {
            ClientMessage::Say { key, text } => Some((key.as_ref()?.to_string(), text.to_string())),
            _ => None,
        };
        self.sent.iter().filter_map(said).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.said().into_iter().map(|(_, text)| text).collect()
    }

    fn notices(&self) -> Vec<&str> {
        let words = |shown| match shown {
            &ViewEvent::Notice(ref words)
            | &ViewEvent::Back { ref words, .. }
            | &ViewEvent::Refusal(ref words)
            | &ViewEvent::Undelivered { ref words, .. } => Some(words.as_str()),
            _ => None,
        };
        self.shown.iter().filter_map(words).collect()
    }

    fn told_unsent(&self) -> String {
        let Some(Err(failure @ Failure::Unsent { .. })) = &self.finished else { panic!("{:?}", self.finished) };
        failure.to_string()
    }

    fn messages_shown(&self) -> usize {
        let is_message =
            |shown: &&ViewEvent| matches!(shown, ViewEvent::Event { event: ServerMessage::Message(_), .. });
        self.shown.iter().filter(is_message).count()
    }
}

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn hello() -> ServerMessage {
    ServerMessage::Hello { server: "test".to_owned(), nonce: Hex([0; 16]) }
}

fn welcome(epoch: Epoch, name: &str) -> ServerMessage {
    welcome_to(epoch, name, 1, None)
}

/// Returns the welcome of a run whose history equals the known one up to `shared`.
fn welcome_to(epoch: Epoch, name: &str, run: u8, shared: Option<u64>) -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        nick: nick(name),
        session: Some(SessionToken(Hex([7; 16]))),
        epoch,
        run: Some(Hex([run; 8])),
        shared: shared.map(MessageId),
        resumed: false,
        view: view("lobby"),
    })
}

fn bookmark(epoch: Epoch, id: u64) -> Bookmark {
    Bookmark { epoch, run: Some(Hex([1; 8])), id: MessageId(id) }
}

fn view(room: &str) -> RoomView {
    RoomView { room: RoomName::new(room).unwrap(), topic: None, topic_by: None, people: 1, names: vec![], away: vec![] }
}

fn live() -> ServerMessage {
    ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(0) }
}

fn message(id: u64, text: &str, key: Option<IdempotencyKey>) -> ServerMessage {
    ServerMessage::Message(Arc::new(Message {
        id: MessageId(id),
        room: RoomName::lobby(),
        at: Timestamp(0),
        nick: nick("ada"),
        kind: Kind::Say,
        text: Some(Body::new(text).unwrap()),
        key,
    }))
}

fn failure(code: ErrorCode, key: Option<&str>) -> ServerMessage {
    ServerMessage::Error(Refused::new(code, "because").about(key.map(|key| IdempotencyKey::new(key).unwrap())))
}
