//! Nothing from the network reaches the screen raw, and nobody can forge a line.

use proptest::prelude::*;

use super::*;
use crate::protocol::{Dialect, ErrorCode, Failure, Query, Rename, RoomEntry, Topic, sanitize};

/// Returns everything that can be shown, with `text` in every field that takes it.
fn everything(text: &str) -> Vec<ViewEvent> {
    let room = RoomName::new(text).unwrap_or_else(|_| RoomName::lobby());
    let who = Nick::new(text).unwrap_or_else(|_| nick("bob"));
    let topic = Topic::new(text).ok();
    let view = RoomView {
        room: room.clone(),
        topic: topic.clone(),
        topic_by: None,
        people: 9,
        names: vec![who.clone()],
        away: vec![],
    };
    let names = vec![who.clone()];
    let renamed = vec![Rename { from: who.clone(), to: who.clone() }];
    let presence = Presence { joined: names.clone(), left: names, renamed, more_joined: 3, ..nobody_moved() };
    let rooms = vec![RoomEntry { room: room.clone(), people: 1, topic: topic.clone(), topic_by: None }];
    let mut events = vec![
        ServerMessage::Hello { server: text.to_owned(), nonce: Hex([0; 16]) },
        ServerMessage::Joined(view.clone()),
        ServerMessage::Names(view),
        ServerMessage::Gap { room: room.clone() },
        ServerMessage::Rooms { rooms, total: 1, more: false },
        ServerMessage::Topic { room: room.clone(), topic, topic_by: None },
        ServerMessage::Nick { nick: who.clone() },
        ServerMessage::Slow { retry_after_ms: 1 },
        ServerMessage::Error(Failure::new(ErrorCode::Other, text)),
    ];
    if let Ok(body) = Body::new(text) {
        for (id, kind) in [(MessageId(10), Kind::Say), (MessageId(11), Kind::Me), (MessageId(12), Kind::Topic)] {
            let (at, nick, text) = (Timestamp(u64::MAX), who.clone(), Some(body.clone()));
            events.push(ServerMessage::Message(Arc::new(Message {
                id,
                room: room.clone(),
                at,
                nick,
                kind,
                text,
                key: None,
            })));
        }
        let private = |from: &Nick, to: &Nick| {
            ServerMessage::Private(Private {
                peer: None,
                id: None,
                from: from.clone(),
                to: to.clone(),
                at: Timestamp(0),
                text: body.clone(),
                key: None,
            })
        };
        events.extend([private(&who, &nick("ada")), private(&nick("ada"), &who)]);
    }
    // After the messages, so that who comes and goes has spoken.
    events.push(ServerMessage::Presence(presence));
    let mut shown: Vec<_> = events.into_iter().map(|event| ViewEvent::Event { event, quiet: false }).collect();
    shown.extend([
        ViewEvent::Connected(Dialect::Text),
        ViewEvent::Text(text.to_owned()),
        ViewEvent::Disconnected { reason: text.to_owned() },
        ViewEvent::Notice(text.to_owned()),
        ViewEvent::Refusal(text.to_owned()),
    ]);
    shown
}

/// Checks every cell of screens with `text` in every place.
fn check(text: &str) {
    let mut reader = Reader::new(70, 60);
    for shown in everything(text) {
        reader.take(&shown);
    }
    reader.pending = vec![Pending { kind: Kind::Say, to: None, text: Body::new(text).ok() }];
    for (width, height) in [(70, 60), (24, 60), (3, 9), (1, 1)] {
        reader.resize(width, height);
        printable(&mut reader, text);
    }
    let Ok(query) = Query::new(text) else { return };
    let messages = Body::new(text)
        .map_or(vec![], |body| vec![Arc::new(Message { text: Some(body), ..(*message(1, 1, "bob", "x")).clone() })]);
    reader.event(ServerMessage::Found {
        room: RoomName::lobby(),
        query,
        messages,
        more: false,
        incomplete: false,
        all: false,
        total: None,
        or_more: false,
    });
    for (width, height) in [(70, 8), (24, 8), (3, 2), (1, 1)] {
        reader.resize(width, height);
        printable(&mut reader, text);
    }
}

fn printable(reader: &mut Reader, text: &str) {
    for cell in &reader.cells().content {
        let foreign = cell.symbol().chars().find(|&c| !sanitize::is_printable(c));
        assert_eq!(foreign, None, "of {text:?} in {:?}", cell.symbol());
    }
}

#[test]
fn no_sequence_of_a_peer_reaches_a_cell() {
    for code in (0..0x20).chain(0x7f..0xa0).chain([0x200b, 0x2028, 0x2029, 0x202e, 0x2066, 0x2069, 0xfeff, 0xe0001]) {
        let c = char::from_u32(code).unwrap();
        check(&format!("{c}"));
        check(&format!("a{c}b `{c}` https://x{c}y ada{c}"));
    }
    for text in [
        "\u{1b}[31mred\u{1b}[2J",
        "\u{1b}]0;title\u{7}x\u{1b}]8;;http://x\u{1b}\\y",
        "\u{1b}]52;c;AAAA\u{7}\u{1b}]9;note\u{7}",
        "\u{9b}31mx\u{9d}0;t\u{9c}",
        "\u{1b}P+q\u{1b}\\\u{1b}_x\u{1b}\\\u{1b}^x\u{1b}\\",
        "a\u{202e}b\u{2069}\u{200f}c\u{200e}",
        "x\r\u{8}\u{8}y\tz",
        "\u{301}\u{301}leading \u{200d}marks",
    ] {
        check(text);
    }
}

#[test]
fn what_goes_on_stands_where_no_line_begins() {
    for (width, first) in [(80, 17), (200, 21), (40, 2), (20, 2), (9, 2)] {
        let mut reader = Reader::new(width, 30);
        reader.hear(
            1,
            0,
            "bob",
            "hi\n12:35 eve: I owe you 5\n── new ──\n! refused\n[bob -> you] x\n\n* you are root now",
        );
        let rows = reader.rows();
        let begin = rows.iter().position(|row| row.contains("bob: hi")).unwrap();
        for row in &rows[begin + 1..] {
            assert!(row.is_empty() || row.starts_with(&" ".repeat(first)), "{row:?} at {width}");
        }
    }
}

#[test]
fn nothing_of_a_text_goes_unseen() {
    let link = format!("https://example.org/{}", "0123456789".repeat(30));
    for width in [12, 30, 49, 50, 80, 133] {
        let mut reader = Reader::new(width, 60);
        reader.hear(1, 0, "bob", &format!("see {link} there"));
        let rows = reader.rows().join("\n").replace(['\n', ' '], "");
        assert!(rows.contains(&format!("see{link}there")), "at {width}: {rows}");
    }
}

#[test]
fn a_cluster_that_no_terminal_draws_is_replaced() {
    let mut reader = Reader::new(60, 4);
    reader.hear(1, 0, "bob", &format!("a {} b a{} c", "\u{1100}".repeat(300), "\u{ff9e}".repeat(300)));
    assert!(reader.rows()[3].ends_with("bob: a \u{fffd} b \u{fffd} c"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_that_can_be_sent_reaches_a_cell_raw(text in any::<String>()) {
        check(&text);
    }
}
