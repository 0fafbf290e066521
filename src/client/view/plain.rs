//! One line per message, for people: the time, the sender, and the text. If the output is not a
//! terminal, it is plain text. Pure.
//!
//! The prefix of a line can never be part of a nick: `nick:` is a message, `~` an action, `*`
//! information, `!` a refusal. Continuation lines are indented. So nobody can forge another
//! person's line.

use std::{cell::RefCell, fmt::Write as _};

use anstyle::{AnsiColor, Effects, Style};
use jiff::{Timestamp as Moment, tz::TimeZone};

use super::{
    Block, PLAIN_TEXT_ONLY,
    format::{Field, Format},
};
use crate::{
    client::chat::ViewEvent,
    protocol::{
        Dialect, Kind, Message, Nick, Private, ServerMessage, Timestamp, sanitize,
        text::{self, CONTINUATION},
    },
};

/// The colours of nicks. They are readable on dark and light backgrounds. Red is for errors.
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
    /// Whether every line begins with the date and the time.
    is_stamped: bool,
    /// The template of a message. With a template, nothing but messages is shown.
    format: Option<Format>,
    /// The current time.
    now: Moment,
    /// The second that was formatted last, and the result. Messages of a burst mostly have the same
    /// second.
    latest: RefCell<Option<(u64, String)>>,
}

impl Plain {
    /// Returns the view that shows times in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone, coloured: bool) -> Self {
        Self { zone, coloured, is_stamped: false, format: None, now: Moment::UNIX_EPOCH, latest: RefCell::default() }
    }

    /// Returns the view that, if `is_stamped`, begins every line with the date and the time.
    #[must_use]
    pub fn with_timestamps(self, is_stamped: bool) -> Self {
        Self { is_stamped, ..self }
    }

    /// Returns the view that writes only messages, formatted by `format`.
    #[must_use]
    pub fn with_format(self, format: Option<Format>) -> Self {
        Self { format, ..self }
    }

    pub(super) fn tell_time(&mut self, now: Moment) {
        self.now = now;
    }

    pub(super) fn change_zone(&mut self, zone: TimeZone) {
        if self.zone != zone {
            self.zone = zone;
            self.latest.take();
        }
    }

    pub(super) fn render(&self, shown: &ViewEvent) -> Option<Block> {
        let (text, aside) = match shown {
            ViewEvent::Event { quiet: true, .. } | ViewEvent::Answer { .. } | ViewEvent::Connected(Dialect::Json) => {
                return None;
            }
            ViewEvent::Event { event: ServerMessage::Error(failure), .. } if self.format.is_some() => {
                (self.refuse(&sanitize::line(&failure.message)), true)
            }
            ViewEvent::Event { event, .. } => (self.event(event)?, false),
            ViewEvent::Text(frame) => (self.stamped(sanitize::lines(frame).trim_end_matches('\n').to_owned()), false),
            ViewEvent::Connected(Dialect::Text) => (self.tell(PLAIN_TEXT_ONLY), true),
            ViewEvent::Disconnected { reason } => {
                (self.tell(&format!("connection lost: {}; reconnecting", sanitize::line(reason))), true)
            }
            ViewEvent::Waiting { words } => (self.tell(&sanitize::line(words)), true),
            ViewEvent::Unreachable { reason } => (self.tell(&format!("not connected yet: {reason}")), true),
            ViewEvent::Notice(words) | ViewEvent::Back { words, .. } => (self.tell(words), true),
            ViewEvent::Refusal(words) | ViewEvent::Undelivered { words, .. } => (self.refuse(words), true),
        };
        let text = if text.contains('\t') { text.replace('\t', "    ") } else { text };
        Some(Block { text: text + "\n", aside })
    }

    fn event(&self, event: &ServerMessage) -> Option<String> {
        Some(match event {
            ServerMessage::Found { messages, .. } if self.format.is_some() && !messages.is_empty() => {
                messages.iter().map(|message| self.message(message)).collect::<Vec<_>>().join("\n")
            }
            ServerMessage::Message(message) => self.message(message),
            ServerMessage::Private(private) => self.private(private),
            ServerMessage::History { messages, .. } if !messages.is_empty() => {
                messages.iter().map(|message| self.message(message)).collect::<Vec<_>>().join("\n")
            }
            ServerMessage::Found { query, messages, incomplete, all, .. } if !messages.is_empty() => {
                let first = self.tell(&format!("{}:", text::found(event, query)));
                let found = messages.iter().map(|message| {
                    let room = if *all { format!("#{} ", message.room) } else { String::new() };
                    room + &self.message(message)
                });
                let cut = incomplete.then(|| self.tell(text::CUT_SHORT));
                std::iter::once(first).chain(found).chain(cut).collect::<Vec<_>>().join("\n")
            }
            ServerMessage::Error(failure) => self.refuse(&sanitize::line(&failure.message)),
            _ if self.format.is_some() => return None,
            event => self.stamped(self.painted(DIM, &sanitize::lines(&text::encode(event)?))),
        })
    }

    fn message(&self, message: &Message) -> String {
        let text = message.text.as_ref().map(text::indented);
        if let Some(format) = &self.format {
            return format.line(|field| match field {
                Field::Time => self.time_of_day(message.at),
                Field::Date => self.date(message.at),
                Field::Nick => message.nick.to_string(),
                Field::Text => text.as_deref().unwrap_or_default().to_owned(),
                Field::Room => message.room.to_string(),
                Field::Id => message.id.0.to_string(),
                Field::Kind => match message.kind {
                    Kind::Say => "say",
                    Kind::Me => "me",
                    Kind::Topic => "topic",
                }
                .to_owned(),
            });
        }
        // The capacity includes the time, the colours and the line break.
        let mut line = String::with_capacity(64 + text.as_ref().map_or(0, |text| text.len()));
        self.time(message.at, &mut line);
        let (before, after) = match (message.kind, &text) {
            (Kind::Say, Some(_)) => (" ", ": "),
            (Kind::Me, Some(_)) => (" ~ ", " "),
            (Kind::Topic, Some(_)) => (" * ", " set the topic: "),
            (_, None) => (" * ", " cleared the topic"),
        };
        line.push_str(before);
        self.nick(&message.nick, &mut line);
        line.push_str(after);
        line.push_str(text.as_deref().unwrap_or_default());
        line
    }

    fn private(&self, private: &Private) -> String {
        let Private { from, to, at, text, .. } = private;
        if let Some(format) = &self.format {
            return format.line(|field| match field {
                Field::Time => self.time_of_day(*at),
                Field::Date => self.date(*at),
                Field::Nick => from.to_string(),
                Field::Text => text::indented(text).into_owned(),
                Field::Room | Field::Id => String::new(),
                Field::Kind => "private".to_owned(),
            });
        }
        let mut line = String::new();
        self.time(*at, &mut line);
        line.push_str(" [");
        self.nick(from, &mut line);
        line.push_str(" -> ");
        self.nick(to, &mut line);
        line.push_str("] ");
        line.push_str(&text::indented(text));
        line
    }

    fn tell(&self, words: &str) -> String {
        self.stamped(self.painted(DIM, &format!("* {}", sanitize::lines(words).replace('\n', CONTINUATION))))
    }

    fn refuse(&self, words: &str) -> String {
        self.stamped(self.painted(REFUSED, &format!("! {}", sanitize::lines(words).replace('\n', CONTINUATION))))
    }

    fn time(&self, at: Timestamp, line: &mut String) {
        let second = at.0 / 1000;
        let mut latest = self.latest.borrow_mut();
        if latest.as_ref().is_none_or(|(known, _)| *known != second) {
            *latest = Some((second, self.local(second).unwrap_or_else(|| "--:--".to_owned())));
        }
        if let Some((_, time)) = &*latest {
            self.paint(DIM, time, line);
        }
    }

    /// Returns the time of a message without colours.
    fn time_of_day(&self, at: Timestamp) -> String {
        self.local(at.0 / 1000).unwrap_or_else(|| "--:--".to_owned())
    }

    /// Returns the date of a message.
    fn date(&self, at: Timestamp) -> String {
        let moment = i64::try_from(at.0).ok().and_then(|at| Moment::from_millisecond(at).ok());
        moment.map_or_else(|| "----------".to_owned(), |moment| self.zone.to_datetime(moment).date().to_string())
    }

    /// Returns `line`, which may be several lines of the current time. If lines are stamped, each
    /// begins with the time.
    fn stamped(&self, line: String) -> String {
        if !self.is_stamped {
            return line;
        }
        let mut stamp = String::new();
        self.paint(DIM, &self.stamp(self.now), &mut stamp);
        let goes_on = CONTINUATION.trim_start_matches('\n');
        let begin = |line: &str| if line.starts_with(goes_on) { line.to_owned() } else { format!("{stamp} {line}") };
        line.split('\n').map(begin).collect::<Vec<_>>().join("\n")
    }

    /// Returns the date and the time of a moment (RFC 3339).
    fn stamp(&self, moment: Moment) -> String {
        moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Returns the hour and minute of `second`, in seconds since the Unix epoch. With timestamps,
    /// returns the date and the time. `None` if the calendar cannot represent it.
    fn local(&self, second: u64) -> Option<String> {
        let moment = Moment::from_second(i64::try_from(second).ok()?).ok()?;
        if self.is_stamped {
            return Some(self.stamp(moment));
        }
        let local = self.zone.to_offset(moment).to_datetime(moment);
        Some(format!("{:02}:{:02}", local.hour(), local.minute()))
    }

    fn nick(&self, nick: &Nick, line: &mut String) {
        // FNV-1a: the same colour in every run and on every machine.
        let hash = nick
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let colours = NICK_COLOURS.len() as u64;
        let index = usize::try_from(hash % colours).unwrap_or_default();
        self.paint(NICK_COLOURS[index].on_default(), nick.as_str(), line);
    }

    fn painted(&self, style: Style, text: &str) -> String {
        let mut line = String::with_capacity(text.len() + 16);
        self.paint(style, text, &mut line);
        line
    }

    fn paint(&self, style: Style, text: &str, line: &mut String) {
        if self.coloured {
            // Cannot fail: a `String` accepts everything.
            let _ = write!(line, "{style}{text}{style:#}");
        } else {
            line.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{
        Body, ErrorCode, Failure, Hex, MessageId, Presence, Rename, RoomEntry, RoomName, RoomView, Topic, Welcome,
    };

    /// 12:34 in UTC.
    const AT: Timestamp = Timestamp(1_700_000_000_000 / 86_400_000 * 86_400_000 + (12 * 60 + 34) * 60_000);

    fn plain(coloured: bool) -> Plain {
        Plain::new(TimeZone::UTC, coloured)
    }

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn said(kind: Kind, text: Option<&str>) -> ServerMessage {
        let text = text.map(|text| Body::new(text).unwrap());
        let room = RoomName::lobby();
        let message = Message { id: MessageId(1), room, at: AT, nick: nick("ada"), kind, text, key: None };
        ServerMessage::Message(Arc::new(message))
    }

    fn line(event: ServerMessage) -> String {
        plain(false).render(&ViewEvent::Event { event, quiet: false }).unwrap().text
    }

    #[test]
    fn a_message_is_one_line_with_its_time() {
        assert_eq!(line(said(Kind::Say, Some("hello"))), "12:34 ada: hello\n");
        assert_eq!(line(said(Kind::Me, Some("waves"))), "12:34 ~ ada waves\n");
        assert_eq!(line(said(Kind::Topic, Some("tea"))), "12:34 * ada set the topic: tea\n");
        assert_eq!(line(said(Kind::Topic, None)), "12:34 * ada cleared the topic\n");
        let private = Private {
            peer: None,
            id: None,
            from: nick("ada"),
            to: nick("bob"),
            at: AT,
            text: Body::new("psst").unwrap(),
            key: None,
        };
        assert_eq!(line(ServerMessage::Private(private)), "12:34 [ada -> bob] psst\n");
    }

    #[test]
    fn the_time_is_that_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let shown = ViewEvent::Event { event: said(Kind::Say, Some("hi")), quiet: false };
        let mut plain = Plain::new(zone, false);
        assert_eq!(plain.render(&shown).unwrap().text, "21:34 ada: hi\n");
        plain.change_zone(TimeZone::fixed(jiff::tz::offset(1)));
        assert_eq!(plain.render(&shown).unwrap().text, "13:34 ada: hi\n", "where the user is by now");
    }

    #[test]
    fn with_time_stamps_every_line_says_when() {
        let mut view = plain(false).with_timestamps(true);
        view.tell_time(Moment::from_second(1_700_000_001).unwrap());
        let line = |shown| view.render(&shown).unwrap().text;
        let message = ViewEvent::Event { event: said(Kind::Say, Some("hi\nho")), quiet: false };
        assert_eq!(line(message), "2023-11-14T12:34:00+00:00 ada: hi\n    ho\n");
        assert_eq!(line(ViewEvent::Notice("back".to_owned())), "2023-11-14T22:13:21+00:00 * back\n");
        assert_eq!(line(ViewEvent::Refusal("no".to_owned())), "2023-11-14T22:13:21+00:00 ! no\n");
        assert_eq!(line(ViewEvent::Text("bob: hi\n".to_owned())), "2023-11-14T22:13:21+00:00 bob: hi\n");
        let nick = ViewEvent::Event { event: ServerMessage::Nick { nick: nick("bob") }, quiet: false };
        assert_eq!(line(nick), "2023-11-14T22:13:21+00:00 * you are bob now\n");
    }

    #[test]
    fn a_format_is_for_messages_alone_and_nobody_forges_a_line_of_it() {
        let format = "{date} {time} {id} #{room} {kind} {nick}: {text}".parse().unwrap();
        let view = plain(true).with_format(Some(format));
        let line = |shown| view.render(&shown);
        let event = |event| ViewEvent::Event { event, quiet: false };
        let text = line(event(said(Kind::Me, Some("waves\n12:34 bob: hi\u{1b}[31m")))).unwrap().text;
        assert_eq!(text, "2023-11-14 12:34 1 #lobby me ada: waves\n    12:34 bob: hi\n");
        assert_eq!(line(event(ServerMessage::Nick { nick: nick("bob") })), None);
        assert!(line(ViewEvent::Notice("back".to_owned())).unwrap().aside);
        let refused = event(ServerMessage::Error(Failure::new(ErrorCode::Other, "no")));
        assert!(line(refused).unwrap().aside, "it is no message");
    }

    #[test]
    fn each_message_has_its_own_time() {
        let view = plain(false);
        let time = |seconds: u64| {
            let mut line = String::new();
            view.time(Timestamp(AT.0 + seconds * 1000), &mut line);
            line
        };
        let times = [0, 59, 60, 59, 3600, 3600].map(time);
        assert_eq!(times, ["12:34", "12:34", "12:35", "12:34", "13:34", "13:34"]);
        let mut line = String::new();
        view.time(Timestamp(u64::MAX), &mut line);
        assert_eq!(line, "--:--");
    }

    #[test]
    fn nobody_can_forge_a_line() {
        let forged = line(said(Kind::Say, Some("hi\n12:35 bob: I owe you 5\r\n! error\u{2028}[bob -> you] x\ty")));
        assert_eq!(forged, "12:34 ada: hi\n    12:35 bob: I owe you 5\n    ! error\n    [bob -> you] x    y\n");
    }

    #[test]
    fn colours_are_ours_and_a_nick_keeps_its_own() {
        let shown = ViewEvent::Event { event: said(Kind::Say, Some("hi")), quiet: false };
        let first = plain(true).render(&shown).unwrap().text;
        assert!(
            first.starts_with("\u{1b}[2m12:34\u{1b}[0m \u{1b}[") && first.ends_with("ada\u{1b}[0m: hi\n"),
            "{first:?}"
        );
        assert_eq!(first, plain(true).render(&shown).unwrap().text);
    }

    #[test]
    fn our_own_words_are_asides() {
        let block = |shown| plain(false).render(&shown).unwrap();
        assert_eq!(
            block(ViewEvent::Disconnected { reason: "x".to_owned() }),
            Block { text: "* connection lost: x; reconnecting\n".to_owned(), aside: true }
        );
        assert_eq!(
            block(ViewEvent::Refusal("no\nway".to_owned())),
            Block { text: "! no\n    way\n".to_owned(), aside: true }
        );
        assert_eq!(
            block(ViewEvent::Text("bob: hi\n".to_owned())),
            Block { text: "bob: hi\n".to_owned(), aside: false }
        );
        assert_eq!(plain(false).render(&ViewEvent::Event { event: said(Kind::Say, Some("hi")), quiet: true }), None);
    }

    /// Returns every event that can be shown, with `text` in every field that accepts it.
    fn everything(text: &str) -> Vec<ViewEvent> {
        let room = RoomName::new(text).unwrap_or_else(|_| RoomName::lobby());
        let who = Nick::new(text).unwrap_or_else(|_| nick("ada"));
        let body = Body::new(text).ok();
        let topic = Topic::new(text).ok();
        let view = RoomView {
            room: room.clone(),
            topic: topic.clone(),
            topic_by: None,
            people: 9,
            names: vec![who.clone()],
            away: vec![],
        };
        let message = |kind| {
            Arc::new(Message {
                id: MessageId(1),
                room: room.clone(),
                at: Timestamp(u64::MAX),
                nick: who.clone(),
                kind,
                text: body.clone(),
                key: None,
            })
        };
        let names = vec![who.clone()];
        let mut events = vec![
            ServerMessage::Hello { server: text.to_owned(), nonce: Hex([0; 16]) },
            ServerMessage::Welcome(Welcome {
                nick: who.clone(),
                session: None,
                epoch: Hex([0; 8]),
                run: None,
                shared: None,
                resumed: false,
                view: view.clone(),
            }),
            ServerMessage::Joined(view.clone()),
            ServerMessage::Names(view),
            ServerMessage::Message(message(Kind::Say)),
            ServerMessage::Message(message(Kind::Me)),
            ServerMessage::Message(message(Kind::Topic)),
            ServerMessage::Gap { room: room.clone() },
            ServerMessage::History { room: room.clone(), messages: vec![message(Kind::Say)], more: false },
            ServerMessage::Presence(Presence {
                room: room.clone(),
                joined: names.clone(),
                more_joined: 1,
                returned: vec![],
                more_returned: 0,
                left: names,
                more_left: 1,
                renamed: vec![Rename { from: who.clone(), to: who.clone() }],
                more_renamed: 1,
                people: 3,
            }),
            ServerMessage::Rooms {
                rooms: vec![RoomEntry { room: room.clone(), people: 1, topic: topic.clone(), topic_by: None }],
                total: 1,
                more: false,
            },
            ServerMessage::Topic { room, topic, topic_by: None },
            ServerMessage::Nick { nick: who.clone() },
            ServerMessage::Slow { retry_after_ms: 1 },
            ServerMessage::Error(Failure::new(ErrorCode::Other, text)),
        ];
        if let Some(body) = body {
            let (from, to) = (who.clone(), who);
            events.push(ServerMessage::Private(Private {
                peer: None,
                id: None,
                from,
                to,
                at: Timestamp(0),
                text: body,
                key: None,
            }));
        }
        let mut shown: Vec<_> = events.into_iter().map(|event| ViewEvent::Event { event, quiet: false }).collect();
        shown.extend([
            ViewEvent::Text(text.to_owned()),
            ViewEvent::Disconnected { reason: text.to_owned() },
            ViewEvent::Notice(text.to_owned()),
            ViewEvent::Refusal(text.to_owned()),
        ]);
        shown
    }

    /// Checks that only printable text and line breaks are shown. With colours, only our own escape
    /// sequences are added.
    fn check(text: &str) {
        for shown in everything(text) {
            let Some(block) = plain(false).render(&shown) else { continue };
            let foreign = block.text.chars().find(|&c| c != '\n' && !sanitize::is_printable(c));
            assert_eq!(foreign, None, "{shown:?}");
            let mut coloured = plain(true).render(&shown).unwrap().text;
            for colour in NICK_COLOURS.map(AnsiColor::on_default).into_iter().chain([DIM, REFUSED]) {
                coloured = coloured.replace(&colour.to_string(), "");
            }
            assert_eq!(coloured.replace("\u{1b}[0m", ""), block.text, "{shown:?}");
        }
    }

    #[test]
    fn no_sequence_of_a_peer_reaches_the_terminal() {
        for code in (0..0x20).chain(0x7f..0xa0).chain([0x200b, 0x2028, 0x202e, 0x2066, 0xfeff, 0xe0001]) {
            let c = char::from_u32(code).unwrap();
            check(&c.to_string());
            check(&format!("a{c}b"));
        }
        for text in [
            "\u{1b}[31mred\u{1b}[2J",
            "\u{1b}]0;title\u{7}x\u{1b}]8;;http://x\u{1b}\\y",
            "\u{9b}31mx\u{9d}0;t\u{9c}",
            "\u{1b}P+q\u{1b}\\\u{1b}_x\u{1b}\\\u{1b}^x\u{1b}\\",
            "a\u{202e}b\u{2069}\u{200f}c",
            "x\r\u{8}\u{8}y",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_can_be_sent_reaches_the_terminal_raw(text in any::<String>()) {
            check(&text);
        }
    }
}
