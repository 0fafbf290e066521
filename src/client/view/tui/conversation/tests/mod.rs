//! The looks of a conversation, where it is scrolled to, and what never reaches the screen.

mod pages;
mod rendering;
mod safety;
mod scrolling;

use std::sync::Arc;

use jiff::{Timestamp as Moment, tz::TimeZone};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
};

use super::{Attention, Conversation, Pending, wrap::columns};
use crate::{
    client::{
        chat::ViewEvent,
        view::tui::palette::{Depth, Palette},
    },
    protocol::{
        Body, Epoch, Hex, Kind, Message, MessageId, Nick, Presence, Private, RoomName, RoomView, ServerMessage,
        Timestamp, Welcome,
    },
};

/// 12:00 of 15 November 2023, in UTC, in milliseconds.
const NOON: u64 = 1_700_049_600_000;

/// The epoch of the server.
const EPOCH: Epoch = Hex([1; 8]);

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

/// Returns the moment so many minutes after noon.
fn at(minutes: u64) -> Moment {
    Moment::from_millisecond(i64::try_from(NOON + minutes * 60_000).unwrap()).unwrap()
}

/// Returns a message that was said so many minutes after noon.
fn message(id: u64, minutes: u64, who: &str, text: &str) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId(id),
        room: RoomName::lobby(),
        at: Timestamp(NOON + minutes * 60_000),
        nick: nick(who),
        kind: Kind::Say,
        text: Some(Body::new(text).unwrap()),
        key: None,
    })
}

/// Returns messages with ids of a range, one a minute from noon on.
fn messages(ids: std::ops::RangeInclusive<u64>) -> Vec<Arc<Message>> {
    ids.map(|id| message(id, id, "bob", &format!("message {id}"))).collect()
}

fn nobody_moved() -> Presence {
    Presence::unmoved(RoomName::lobby(), 1)
}

/// A conversation that ada reads, and her screen.
struct Reader {
    conversation: Conversation,
    terminal: Terminal<TestBackend>,
    palette: Palette,
    pending: Vec<Pending>,
    /// Minutes after noon.
    now: u64,
}

impl Reader {
    /// Returns a reader who looks at the live conversation.
    fn new(width: u16, height: u16) -> Self {
        let mut reader = Self {
            conversation: Conversation::new(TimeZone::UTC),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            palette: Palette::new(Depth::True),
            pending: vec![],
            now: 0,
        };
        reader.welcome(EPOCH);
        reader.live();
        reader.conversation.watch(true);
        reader
    }

    fn take(&mut self, shown: &ViewEvent) -> Attention {
        self.conversation.take(shown, Some(&nick("ada")), at(self.now))
    }

    fn event(&mut self, event: ServerMessage) -> Attention {
        self.take(&ViewEvent::Event { event, quiet: false })
    }

    fn welcome(&mut self, epoch: Epoch) {
        self.welcome_to(epoch, None);
    }

    /// Comes to a history that is the one known so far up to `shared`.
    fn welcome_to(&mut self, epoch: Epoch, shared: Option<u64>) {
        let view =
            RoomView { room: RoomName::lobby(), topic: None, topic_by: None, people: 1, names: vec![], away: vec![] };
        let welcome = Welcome {
            nick: nick("ada"),
            session: None,
            epoch,
            run: None,
            shared: shared.map(MessageId),
            resumed: false,
            view,
        };
        self.take(&ViewEvent::Event { event: ServerMessage::Welcome(welcome), quiet: true });
    }

    fn live(&mut self) {
        let live = ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(0) };
        self.take(&ViewEvent::Event { event: live, quiet: true });
    }

    /// Takes a message; its minute is now.
    fn hear(&mut self, id: u64, minutes: u64, who: &str, text: &str) -> Attention {
        self.now = minutes;
        self.event(ServerMessage::Message(message(id, minutes, who, text)))
    }

    fn hear_all(&mut self, messages: &[Arc<Message>]) {
        for message in messages {
            self.event(ServerMessage::Message(Arc::clone(message)));
        }
    }

    fn kind(&mut self, id: u64, who: &str, kind: Kind, text: Option<&str>) {
        let text = text.map(|text| Body::new(text).unwrap());
        let message = Message { kind, text, ..(*message(id, self.now, who, "x")).clone() };
        self.event(ServerMessage::Message(Arc::new(message)));
    }

    fn whisper(&mut self, from: &str, to: &str, text: &str) -> Attention {
        let at = Timestamp(NOON + self.now * 60_000);
        let private = Private {
            peer: None,
            id: None,
            from: nick(from),
            to: nick(to),
            at,
            text: Body::new(text).unwrap(),
            key: None,
        };
        self.event(ServerMessage::Private(private))
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.terminal.autoresize().unwrap();
    }

    /// Draws, and returns the cells.
    fn cells(&mut self) -> Buffer {
        let Self { conversation, terminal, palette, pending, .. } = self;
        terminal.draw(|frame| drop(conversation.draw(frame.area(), frame.buffer_mut(), *palette, pending))).unwrap();
        terminal.backend().buffer().clone()
    }

    /// Draws, and returns the screen, row by row in quotes.
    fn screen(&mut self) -> String {
        let width = usize::from(self.terminal.size().unwrap().width);
        let quoted = |row: &String| format!("\"{row}{}\"\n", " ".repeat(width - columns(row)));
        self.rows().iter().map(quoted).collect()
    }

    /// Draws, and returns the rows without what is blank at their ends.
    fn rows(&mut self) -> Vec<String> {
        let cells = self.cells();
        let row = |cells: &[Cell]| {
            let mut row = String::new();
            let mut hidden = 0;
            for cell in cells {
                if hidden == 0 {
                    row.push_str(cell.symbol());
                }
                // A cell lies over those to its right.
                hidden = columns(cell.symbol()).max(hidden).saturating_sub(1);
            }
            row.trim_end().to_owned()
        };
        cells.content.chunks(usize::from(cells.area.width)).map(row).collect()
    }

    /// Draws, and returns the texts of the messages of [`messages`] in sight.
    fn numbers(&mut self) -> Vec<u64> {
        let number = |row: &String| row.split_once("message ").and_then(|(_, number)| number.parse().ok());
        self.rows().iter().filter_map(number).collect()
    }
}
