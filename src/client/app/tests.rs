//! The conversation, driven by value against a server that is a few lines here.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::wire::{Body, ErrorCode, Failure as Refused, Hex, Kind, Message, Private, RoomView, Timestamp, Welcome};

const EPOCH: Epoch = Hex([1; 8]);

struct Chat {
    app: App,
    now: Duration,
    sent: Vec<ClientMessage>,
    lines: Vec<String>,
    shown: Vec<Shown>,
    finished: Option<Result<(), Failure>>,
    next_id: u64,
}

impl Chat {
    fn new(settings: Settings) -> Self {
        let app = App::new(settings);
        let now = Duration::ZERO;
        Self { app, now, sent: vec![], lines: vec![], shown: vec![], finished: None, next_id: 0 }
    }

    fn ada() -> Self {
        Self::new(Settings { nick: Some(nick("ada")), ..Settings::default() })
    }

    /// A chat that is live in the lobby.
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

    fn drop_connection(&mut self) {
        self.event(Event::Dropped { reason: "gone".to_owned() });
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.event(Event::Woke);
    }

    fn message(&mut self, text: &str, key: Option<IdempotencyKey>) -> ServerMessage {
        self.next_id += 1;
        message(self.next_id, text, key)
    }

    /// Echoes everything that was sent and not echoed yet.
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
            &Shown::Notice(ref words) | &Shown::Refusal(ref words) => Some(words.as_str()),
            _ => None,
        };
        self.shown.iter().filter_map(words).collect()
    }

    fn messages_shown(&self) -> usize {
        let is_message = |shown: &&Shown| matches!(shown, Shown::Event { event: ServerMessage::Message(_), .. });
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
    ServerMessage::Welcome(Welcome {
        nick: nick(name),
        session: Some(SessionToken(Hex([7; 16]))),
        epoch,
        resumed: false,
        view: view("lobby"),
    })
}

fn view(room: &str) -> RoomView {
    RoomView { room: RoomName::new(room).unwrap(), topic: None, people: 1, names: vec![] }
}

fn live() -> ServerMessage {
    ServerMessage::Live { room: RoomName::lobby() }
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

#[test]
fn the_servers_hello_is_answered_with_ours() {
    let mut chat = Chat::new(Settings { nick: Some(nick("ada")), history: Some(3), ..Settings::default() });
    chat.event(Event::Connected(Dialect::Json));
    assert!(chat.sent.is_empty(), "the server speaks first");
    chat.server(&hello());
    let wanted = ClientHello { nick: Some(nick("ada")), history: Some(3), ..ClientHello::default() };
    assert_eq!(chat.sent, [ClientMessage::Hello(wanted)]);
}

#[test]
fn a_taken_nick_is_replaced_and_the_user_is_told() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    let free = Some(nick("ada-2"));
    chat.server(&ServerMessage::Error(Refused { free, ..Refused::new(ErrorCode::NickTaken, "taken") }));
    assert!(matches!(&chat.sent[1], ClientMessage::Hello(hello) if hello.nick == Some(nick("ada-2"))));
    chat.server(&welcome(EPOCH, "ada-2"));
    assert_eq!(chat.notices(), ["ada is taken; you are ada-2"]);
}

#[test]
fn a_server_where_every_nick_is_taken_is_given_up() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    for _ in 0..=NICK_TRIES {
        chat.server(&failure(ErrorCode::NickTaken, None));
    }
    assert_eq!(chat.finished, Some(Err(Failure::NickTaken(nick("ada")))));
    assert_eq!(chat.sent.len(), NICK_TRIES as usize + 1);
}

#[test]
fn a_server_that_does_not_greet_is_left() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.now = chat.app.wake_at().unwrap();
    let effects = chat.app.update(chat.now, Event::Woke);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reconnect { .. })));
}

#[test]
fn what_is_typed_before_the_chat_is_live_waits() {
    let mut chat = Chat::ada();
    chat.line("one");
    chat.join(EPOCH, "ada");
    chat.line("two");
    assert_eq!(chat.texts(), [""; 0]);
    chat.server(&live());
    assert_eq!(chat.texts(), ["one", "two"]);
}

#[test]
fn only_the_echo_takes_a_text_out() {
    let mut chat = Chat::live();
    chat.line("hi");
    assert_eq!(chat.app.outbox.unsent_texts(), 1);
    let other = chat.message("hi", Some(IdempotencyKey::new("guessed-1").unwrap()));
    chat.server(&other);
    assert_eq!(chat.app.outbox.unsent_texts(), 1);
    chat.echo();
    assert!(chat.app.outbox.is_empty());
    assert_eq!(chat.messages_shown(), 2);
}

#[test]
fn after_a_drop_what_was_not_echoed_goes_out_again_with_the_same_keys_in_the_same_order() {
    let mut chat = Chat::live();
    for line in ["a", "b", "c"] {
        chat.line(line);
    }
    let before = chat.said();
    chat.drop_connection();
    chat.forget();
    chat.line("d");
    chat.join(EPOCH, "ada");
    // The server had taken the first one: its echo is in the replay.
    let (first, text) = &before[0];
    let stored = chat.message(text, Some(IdempotencyKey::new(first).unwrap()));
    chat.server(&stored);
    assert_eq!(chat.said(), [], "nothing is said before the replay is over");
    chat.server(&live());
    let after = chat.said();
    assert_eq!(after[..2], before[1..]);
    assert_eq!(after[2].1, "d");
}

#[test]
fn a_reconnect_goes_on_where_the_chat_was() {
    let mut chat = Chat::live();
    let seen = chat.message("seen", None);
    chat.server(&seen);
    chat.drop_connection();
    chat.forget();
    chat.now += Duration::from_secs(12);
    chat.join(EPOCH, "ada");
    assert_eq!(
        chat.sent,
        [ClientMessage::Hello(ClientHello {
            nick: Some(nick("ada")),
            room: Some(RoomName::lobby()),
            session: Some(SessionToken(Hex([7; 16]))),
            epoch: Some(EPOCH),
            after: Some(MessageId(1)),
            history: None,
        })]
    );
    chat.server(&seen);
    let missed = chat.message("missed", None);
    chat.server(&missed);
    chat.server(&live());
    assert_eq!(chat.messages_shown(), 1, "what was seen is not shown again");
    assert_eq!(chat.notices(), ["back after 12 s", "1 message came meanwhile"]);
}

#[test]
fn another_history_is_said_and_read_from_its_start() {
    let mut chat = Chat::live();
    chat.server(&message(900, "old", None));
    chat.drop_connection();
    chat.forget();
    chat.join(Hex([2; 8]), "ada");
    chat.server(&message(1, "new", None));
    assert_eq!(chat.messages_shown(), 1);
    assert!(chat.notices()[1].contains("another history"), "{:?}", chat.notices());
}

#[test]
fn a_gap_is_shown() {
    let mut chat = Chat::live();
    let gap = ServerMessage::Gap { room: RoomName::lobby() };
    chat.server(&gap);
    assert_eq!(chat.shown, [Shown::Event { event: gap, quiet: false }]);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_and_nothing_is_sent_twice() {
    let mut chat = Chat::live();
    chat.line("a");
    chat.server(&ServerMessage::Slow { retry_after_ms: 3000 });
    chat.line("b");
    assert_eq!(chat.texts(), ["a"]);
    assert_eq!(chat.app.wake_at(), Some(Duration::from_secs(3)));
    chat.wait(3);
    assert_eq!(chat.texts(), ["a", "b"]);
}

#[test]
fn a_text_that_was_refused_is_given_back_with_the_reason() {
    let mut chat = Chat::live();
    chat.line("/msg bob psst");
    let ClientMessage::Msg { key: Some(key), .. } = &chat.sent[0] else { panic!("{:?}", chat.sent) };
    let refused = failure(ErrorCode::NoSuchNick, Some(key.as_str()));
    chat.server(&refused);
    assert_eq!(chat.notices(), ["not sent: \"psst\": because"]);
    assert!(chat.app.outbox.is_empty());
}

#[test]
fn a_text_that_could_not_be_stored_is_tried_again() {
    let mut chat = Chat::live();
    chat.line("hi");
    let before = chat.said();
    chat.server(&failure(ErrorCode::NotStored, Some(&before[0].0)));
    assert_eq!(chat.said().len(), 1);
    chat.wait(1);
    assert_eq!(chat.said(), [before.clone(), before].concat());
}

#[test]
fn a_change_of_room_keeps_what_comes_after_it_for_the_new_room() {
    let mut chat = Chat::live();
    chat.line("/join rust");
    chat.line("hi rust");
    assert_eq!(chat.texts(), [""; 0]);
    chat.server(&message(90, "late in the lobby", None));
    chat.server(&ServerMessage::Joined(view("rust")));
    chat.server(&message(2, "older, but not seen", None));
    assert_eq!(chat.messages_shown(), 2);
    chat.server(&live());
    assert_eq!(chat.texts(), ["hi rust"]);
}

#[test]
fn a_change_of_room_that_fails_holds_nothing_up() {
    let mut chat = Chat::live();
    chat.line("/join rust");
    chat.line("hi");
    chat.server(&failure(ErrorCode::Unavailable, None));
    assert_eq!(chat.texts(), ["hi"]);
}

#[test]
fn questions_are_refused_while_there_is_nobody_to_ask() {
    let mut chat = Chat::live();
    chat.drop_connection();
    chat.line("/names");
    chat.line("/help");
    assert_eq!(chat.notices()[0], "not connected; try again when the connection is back");
    assert!(chat.notices()[1].starts_with("commands:"));
}

#[test]
fn a_reply_goes_to_who_wrote_last() {
    let mut chat = Chat::live();
    chat.line("/reply hello?");
    assert_eq!(chat.notices(), ["nobody has sent you a private message yet"]);
    let private = |from: &str, to: &str| {
        let text = Body::new("psst").unwrap();
        ServerMessage::Private(Private { from: nick(from), to: nick(to), at: Timestamp(0), text, key: None })
    };
    chat.server(&private("bob", "ada"));
    chat.server(&private("ada", "eve"));
    chat.line("/reply yes");
    assert!(matches!(&chat.sent[0], ClientMessage::Msg { to, .. } if *to == nick("bob")));
}

#[test]
fn the_end_of_input_waits_for_the_echo() {
    let mut chat = Chat::ada();
    chat.line("hi");
    chat.event(Event::InputEnded);
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert_eq!(chat.finished, None);
    chat.sent.retain(|message| !matches!(message, ClientMessage::Hello(_)));
    chat.echo();
    assert_eq!(chat.finished, Some(Ok(())));
    assert_eq!(chat.sent, [ClientMessage::Quit]);
}

#[test]
fn without_input_the_history_is_shown_and_that_is_all() {
    let mut chat = Chat::ada();
    chat.event(Event::InputEnded);
    chat.join(EPOCH, "ada");
    chat.server(&message(1, "old", None));
    assert_eq!(chat.finished, None);
    chat.server(&live());
    assert_eq!((chat.finished, chat.shown.len()), (Some(Ok(())), 5));
}

#[test]
fn a_question_at_the_end_of_input_is_answered() {
    let mut chat = Chat::live();
    chat.line("/names");
    chat.event(Event::InputEnded);
    assert_eq!(chat.finished, None);
    chat.server(&ServerMessage::Names(view("lobby")));
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn lines_that_are_never_echoed_are_counted() {
    let mut chat = Chat::live();
    chat.line("a");
    chat.line("b");
    chat.event(Event::InputEnded);
    chat.wait(29);
    assert_eq!(chat.finished, None);
    chat.wait(1);
    assert_eq!(chat.finished, Some(Err(Failure::Unsent(2))));
    assert_eq!(Failure::Unsent(2).to_string(), "2 lines were not sent");
}

#[test]
fn a_long_pipe_has_patience_as_long_as_it_gets_on() {
    let mut chat = Chat::live();
    (0..40).for_each(|n| chat.line(&n.to_string()));
    chat.event(Event::InputEnded);
    for _ in 0..3 {
        assert_eq!(chat.finished, None);
        chat.wait(20);
        chat.echo();
    }
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn to_quit_says_so_and_waits_shortly() {
    let mut chat = Chat::live();
    chat.line("/quit");
    assert_eq!((chat.finished.take(), chat.sent.as_slice()), (Some(Ok(())), [ClientMessage::Quit].as_slice()));
    let mut chat = Chat::live();
    chat.line("hi");
    chat.line("/quit");
    chat.wait(5);
    assert_eq!(chat.finished, Some(Err(Failure::Unsent(1))));
}

#[test]
fn to_stop_is_no_failure_but_says_what_is_lost() {
    let mut chat = Chat::live();
    chat.line("hi");
    chat.event(Event::Stop);
    assert_eq!(chat.finished, Some(Ok(())));
    assert_eq!(chat.notices(), ["1 line was not sent"]);
}

#[test]
fn a_full_outbox_lets_a_pipe_wait() {
    let mut chat = Chat::ada();
    while chat.app.wants_input() {
        chat.line("x");
    }
    chat.line("one too many");
    assert_eq!(chat.notices(), ["not taken: too many lines wait to be sent already"]);
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert_eq!(chat.texts().len(), 16);
    chat.echo();
    assert!(chat.app.wants_input());
}

#[test]
fn long_lines_are_split_and_what_goes_on_is_no_command() {
    let mut chat = Chat::live();
    chat.line(&"é".repeat(10_000));
    chat.event(Event::Continued("/quit".to_owned()));
    let texts = chat.texts();
    assert_eq!(texts.iter().map(|text| text.chars().count()).collect::<Vec<_>>(), [8192, 1808, 5]);
    assert_eq!(chat.finished, None);
}

#[test]
fn without_commands_every_line_is_a_text() {
    let mut chat = Chat::live();
    chat.app.settings.no_commands = true;
    chat.line("/quit //x");
    chat.line("   ");
    assert_eq!(chat.texts(), ["/quit //x"]);
}

#[test]
fn a_server_of_lines_gets_lines() {
    let mut chat = Chat::ada();
    chat.line("/names");
    chat.line("hi");
    chat.event(Event::Connected(Dialect::Text));
    chat.line("//etc");
    chat.line("/me waves");
    assert_eq!(chat.lines, ["hi", "/etc"]);
    assert_eq!(chat.notices().len(), 2);
    assert!(chat.notices()[0].starts_with("this server speaks plain text only"));
    chat.event(Event::InputEnded);
    chat.event(Event::Frame("someone: hi".to_owned()));
    assert_eq!(chat.finished, None);
    chat.event(Event::Frame("me: /etc".to_owned()));
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn a_server_of_lines_that_does_not_echo_is_no_failure() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Text));
    chat.line("hi");
    chat.event(Event::InputEnded);
    chat.wait(2);
    assert_eq!(chat.finished, Some(Ok(())));
    assert_eq!(chat.notices(), ["the server did not confirm that it took the last line"]);
}

#[test]
fn what_cannot_be_read_is_said_and_what_is_unknown_is_not() {
    let mut chat = Chat::live();
    chat.event(Event::Frame(r#"{"type":"weather"}"#.to_owned()));
    chat.event(Event::Frame("\u{1b}[31m".to_owned()));
    assert_eq!(chat.notices().len(), 1);
    assert!(chat.notices()[0].starts_with("the server sent something that cannot be read"));
}
