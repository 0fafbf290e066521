//! One line a message, for people: the time, who, and what. Off a terminal it is nothing but text. Pure.
//!
//! Lines are told apart by what no nick can be: `nick:` speaks, `~` does something, `*` tells, `!` refuses, and a line that
//! goes on is indented; so nobody can forge another's line.

use anstyle::{AnsiColor, Effects, Style};
use jiff::{Timestamp as Moment, tz::TimeZone};

use super::Block;
use crate::{
    client::app::Shown,
    wire::{Dialect, Kind, Message, Nick, Private, ServerMessage, Timestamp, clean, text},
};

/// What a line break becomes where text goes on.
const CONTINUATION: &str = "\n    ";

/// The colours of nicks: what can be read on dark and on light ground, without the red of errors.
const NICK_COLOURS: [AnsiColor; 8] = [
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightBlue,
    AnsiColor::BrightMagenta,
];

const DIM: Style = Style::new().effects(Effects::DIMMED);
const REFUSED: Style = AnsiColor::Red.on_default();

/// The view for people.
#[derive(Debug)]
pub struct Plain {
    zone: TimeZone,
    coloured: bool,
}

impl Plain {
    /// Returns the view that tells the time of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone, coloured: bool) -> Self {
        Self { zone, coloured }
    }

    pub(super) fn render(&self, shown: &Shown) -> Option<Block> {
        let (text, aside) = match shown {
            Shown::Event { quiet: true, .. } | Shown::Connected(Dialect::Json) => return None,
            Shown::Event { event, .. } => (self.event(event)?, false),
            Shown::Text(frame) => (clean::lines(frame).trim_end_matches('\n').to_owned(), false),
            Shown::Connected(Dialect::Text) => {
                (self.tell("connected; this server speaks plain text only: no names, no history, no commands"), true)
            }
            Shown::Disconnected { reason } => {
                (self.tell(&format!("connection lost: {}; reconnecting", clean::line(reason))), true)
            }
            Shown::Notice(words) => (self.tell(words), true),
            Shown::Refusal(words) => (self.refuse(words), true),
        };
        Some(Block { text: text.replace('\t', "    ") + "\n", aside })
    }

    fn event(&self, event: &ServerMessage) -> Option<String> {
        Some(match event {
            ServerMessage::Message(message) => self.message(message),
            ServerMessage::Private(private) => self.private(private),
            ServerMessage::History { messages, .. } if !messages.is_empty() => {
                messages.iter().map(|message| self.message(message)).collect::<Vec<_>>().join("\n")
            }
            ServerMessage::Error(failure) => self.refuse(&clean::line(&failure.message)),
            event => self.paint(DIM, &clean::lines(&text::encode(event)?)),
        })
    }

    fn message(&self, message: &Message) -> String {
        let time = self.time(message.at);
        let nick = self.nick(&message.nick);
        match (message.kind, message.text.as_ref().map(text::indented)) {
            (Kind::Say, Some(text)) => format!("{time} {nick}: {text}"),
            (Kind::Me, Some(text)) => format!("{time} ~ {nick} {text}"),
            (Kind::Topic, Some(text)) => format!("{time} * {nick} set the topic: {text}"),
            (_, None) => format!("{time} * {nick} cleared the topic"),
        }
    }

    fn private(&self, private: &Private) -> String {
        let Private { from, to, at, text, .. } = private;
        format!("{} [{} -> {}] {}", self.time(*at), self.nick(from), self.nick(to), text::indented(text))
    }

    fn tell(&self, words: &str) -> String {
        self.paint(DIM, &format!("* {}", clean::lines(words).replace('\n', CONTINUATION)))
    }

    fn refuse(&self, words: &str) -> String {
        self.paint(REFUSED, &format!("! {}", clean::lines(words).replace('\n', CONTINUATION)))
    }

    fn time(&self, at: Timestamp) -> String {
        let moment = i64::try_from(at.0).ok().and_then(|at| Moment::from_millisecond(at).ok());
        let time = moment.map_or_else(
            || "--:--".to_owned(),
            |moment| {
                let local = moment.to_zoned(self.zone.clone());
                format!("{:02}:{:02}", local.hour(), local.minute())
            },
        );
        self.paint(DIM, &time)
    }

    fn nick(&self, nick: &Nick) -> String {
        // FNV-1a: the same colour in every run and on every machine.
        let hash = nick
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let colours = NICK_COLOURS.len() as u64;
        let index = usize::try_from(hash % colours).unwrap_or_default();
        self.paint(NICK_COLOURS[index].on_default(), nick.as_str())
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
