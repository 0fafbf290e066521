//! The screen by value: what a server says and what is typed go in, and what is on the screen comes
//! out.

mod choosing;
mod column;
mod ignoring;
mod keys;
mod links;
mod persons;
mod rendering;
mod searching;
mod typing;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, buffer::Cell};

use super::{palette::Depth, *};
use crate::{
    client::{
        chat::{Effect, Event, Settings},
        terminal::keys::Input,
    },
    protocol::{Body, Dialect, Epoch, Hex, Kind, Message, RoomView, Timestamp, Topic, Welcome, json},
};

/// 12:00 of 15 November 2023, in UTC, in milliseconds.
const NOON: u64 = 1_700_049_600_000;

const EPOCH: Epoch = Hex([1; 8]);

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

/// A screen that ada looks at, with an app a tab and no server but this one.
struct Harness {
    tui: Tui,
    apps: Vec<App>,
    elapsed: Duration,
    /// What the screen wished and nobody carried out.
    wishes: Vec<UiAction>,
    last_id: u64,
}

impl Harness {
    fn new(depth: Depth) -> Self {
        let palette = Palette::new(depth);
        let (zone, bell) = (TimeZone::UTC, Bell::Mentions);
        let times = Times::default();
        let choices = TuiOptions {
            palette,
            zone,
            times,
            bell,
            ignored: vec![],
            words: Words::default(),
            notify: true,
            no_commands: false,
        };
        Self { tui: Tui::new(choices), apps: vec![], elapsed: Duration::ZERO, wishes: vec![], last_id: 0 }
    }

    /// Returns a stage on which ada is live in the lobby, with bob.
    fn live() -> Self {
        let mut stage = Self::new(Depth::True);
        stage.open("lobby");
        stage.enter(0, Some("tea, biscuits and the borrow checker"));
        stage.input(Input::Focus(true));
        stage
    }

    fn open(&mut self, name: &str) {
        self.apps.push(App::new(Settings { nick: Some(nick("ada")), ..Settings::default() }));
        self.tui.open(Some(room(name)), None);
    }

    /// Lets the server take ada into the room of the tab.
    fn enter(&mut self, tab: usize, topic: Option<&str>) {
        let name = self.tui.rooms[tab].name.clone().unwrap();
        self.event(tab, Event::Connected(Dialect::Json));
        self.server(tab, &ServerMessage::Hello { server: "test".to_owned(), nonce: Hex([0; 16]) });
        let topic = topic.map(|topic| Topic::new(topic).unwrap());
        let view = RoomView {
            room: name.clone(),
            topic,
            topic_by: None,
            people: 2,
            names: vec![nick("ada"), nick("bob")],
            away: vec![],
        };
        let welcome =
            Welcome { nick: nick("ada"), session: None, epoch: EPOCH, run: None, shared: None, resumed: false, view };
        self.server(tab, &ServerMessage::Welcome(welcome));
        self.server(tab, &ServerMessage::Live { room: name, cursor: MessageId(self.last_id) });
    }

    fn now(&self) -> Now {
        let at = NOON + u64::try_from(self.elapsed.as_millis()).unwrap();
        Now { elapsed: self.elapsed, moment: Moment::from_millisecond(i64::try_from(at).unwrap()).unwrap() }
    }

    fn event(&mut self, tab: usize, event: Event) {
        for effect in self.apps[tab].update(self.elapsed, event) {
            if let Effect::Show(shown) = effect {
                let me = self.apps[tab].nick().cloned();
                self.tui.listen_for(tab, self.apps[tab].wanted());
                let wishes = self.tui.show(self.now(), tab, &shown, me.as_ref());
                self.wishes.extend(wishes);
            }
        }
    }

    fn server(&mut self, tab: usize, event: &ServerMessage) {
        let mut frame = Vec::new();
        json::encode(event, &mut frame);
        self.event(tab, Event::Frame(String::from_utf8(frame).unwrap()));
    }

    /// Returns a message of the room of the tab, said now.
    fn message(&mut self, tab: usize, who: &str, text: &str) -> Arc<Message> {
        self.last_id += 1;
        Arc::new(Message {
            id: MessageId(self.last_id),
            room: self.tui.rooms[tab].name.clone().unwrap(),
            at: Timestamp(NOON + u64::try_from(self.elapsed.as_millis()).unwrap()),
            nick: nick(who),
            kind: Kind::Say,
            text: Some(Body::new(text).unwrap()),
            key: None,
        })
    }

    fn said(&mut self, tab: usize, who: &str, text: &str) {
        let message = self.message(tab, who, text);
        self.server(tab, &ServerMessage::Message(message));
    }

    /// Tells somebody something alone, as the server says it on the connection of the tab.
    fn told(&mut self, tab: usize, private: &serde_json::Value) {
        let mut frame = serde_json::json!({"type": "private", "from": "bob", "to": "ada", "at": NOON, "text": "psst"});
        frame.as_object_mut().unwrap().extend(private.as_object().unwrap().clone());
        self.event(tab, Event::Frame(frame.to_string()));
    }

    fn input(&mut self, input: Input) {
        let apps: Vec<&App> = self.apps.iter().collect();
        let wishes = self.tui.input(self.now(), input, &apps);
        for wish in wishes {
            match wish {
                UiAction::Line(tab, line) => self.event(tab, Event::Line(line)),
                UiAction::Tell { tab, to, peer, text } => self.event(tab, Event::Tell { to, peer, text }),
                UiAction::Open(room) => {
                    self.open(room.as_str());
                    self.tui.go_to(self.apps.len() - 1);
                }
                UiAction::Close(tab) => {
                    self.apps.remove(tab);
                    let wishes = self.tui.close(tab);
                    self.wishes.extend(wishes);
                }
                UiAction::Ignore => {
                    for tab in 0..self.apps.len() {
                        self.event(tab, Event::Ignore(Arc::clone(self.tui.ignored())));
                    }
                }
                wish => self.wishes.push(wish),
            }
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.input(Input::Key(KeyEvent::new(code, modifiers)));
    }

    fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    fn control(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    fn alt(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::ALT);
    }

    fn type_in(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn enter_line(&mut self, text: &str) {
        self.type_in(text);
        self.key(KeyCode::Enter);
    }

    fn draw(&mut self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let apps: Vec<&App> = self.apps.iter().collect();
        let (tui, elapsed) = (&mut self.tui, self.elapsed);
        terminal
            .draw(|frame| {
                if let Some(cursor) = tui.draw(frame.area(), frame.buffer_mut(), elapsed, &apps).cursor {
                    frame.set_cursor_position(cursor);
                }
            })
            .unwrap();
        terminal
    }

    /// Returns the screen, a line a row, without the blanks at their ends.
    fn screen(&mut self, width: u16, height: u16) -> String {
        let terminal = self.draw(width, height);
        let cells = &terminal.backend().buffer().content;
        let row = |row: &[Cell]| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in row {
                if skip == 0 {
                    text.push_str(cell.symbol());
                    skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
                }
                skip -= 1;
            }
            text.trim_end().to_owned()
        };
        cells.chunks(usize::from(width)).map(row).collect::<Vec<_>>().join("\n")
    }

    /// Returns the last rows of the screen at 80 columns.
    fn bottom(&mut self, rows: usize) -> String {
        let screen = self.screen(80, 24);
        let lines: Vec<_> = screen.lines().collect();
        lines[24 - rows..].join("\n")
    }
}
