//! Whatever a server says fits [`Limits::PAYLOAD`]: each event at its largest, in both dialects.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use strum::VariantNames as _;

use super::{
    AwayText, Body, ErrorCode, Failure, Hex, IdempotencyKey, Kind, Limits, Message, MessageId, Nick, PersonId,
    Presence, Private, Query, Rename, RoomEntry, RoomName, RoomView, ServerMessage, SessionToken, Timestamp, Topic,
    Welcome, Whois, json, text,
};

/// Nicks: as many bytes as characters can have, and as many escapes.
fn nicks() -> [Nick; 2] {
    ["\u{10428}".repeat(Limits::NICK_CHARS), format!("a{}", "\\".repeat(Limits::NICK_CHARS - 1))]
        .map(|nick| Nick::new(&nick).unwrap())
}

/// Texts of so many bytes: plain, full of escapes, of short lines, of empty ones, of wide
/// characters.
fn texts(length: usize) -> Vec<String> {
    ["x", "\"", "\t\\", "\na", "\n\n\n\n\n\n\na", "\u{10ffff}\u{1f33b}"]
        .into_iter()
        .map(|piece| format!("x{}x", piece.repeat((length - 2) / piece.len())))
        .collect()
}

fn room() -> RoomName {
    RoomName::new(&"r".repeat(Limits::ROOM_CHARS)).unwrap()
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new(&"\"".repeat(Limits::KEY)).unwrap()
}

fn failure(nick: &Nick, words: &str) -> Failure {
    let words: String = words.chars().take(1000).collect();
    Failure { key: Some(key()), free: Some(nick.clone()), ..Failure::new(ErrorCode::UnexpectedHello, words) }
}

/// Returns every event that has this nick and this text in it, which is cut where it must be
/// shorter.
fn events(nick: &Nick, words: &str) -> Vec<ServerMessage> {
    let body = Body::new(words).unwrap();
    let topic = Topic::read(words);
    let message = |kind| {
        let (id, at) = (MessageId(u64::MAX), Timestamp(u64::MAX));
        let (nick, text) = (nick.clone(), Some(body.clone()));
        Arc::new(Message { id, room: room(), at, nick, kind, text, key: Some(key()) })
    };
    let view = RoomView {
        room: room(),
        topic: Some(topic.clone()),
        topic_by: Some(nick.clone()),
        people: usize::MAX,
        names: vec![nick.clone(); Limits::NAMES],
        away: vec![nick.clone(); Limits::NAMES],
    };
    let some = vec![nick.clone(); Limits::PRESENCE_NAMES];
    let rename = Rename { from: nick.clone(), to: nick.clone() };
    // As many as a list has before it is begun anew.
    let listed = vec![message(Kind::Topic); (Limits::LIST_PAYLOAD / message(Kind::Topic).size()).max(1)];
    let entry =
        RoomEntry { room: room(), people: usize::MAX, topic: Some(topic.clone()), topic_by: Some(nick.clone()) };
    let failure = failure(nick, words);
    vec![
        ServerMessage::Hello { server: "broadcast-chat/999.999.999".to_owned(), nonce: Hex([255; 16]) },
        ServerMessage::Welcome(Welcome {
            nick: nick.clone(),
            session: Some(SessionToken(Hex([255; 16]))),
            epoch: Hex([255; 8]),
            run: Some(Hex([255; 8])),
            shared: Some(MessageId(u64::MAX)),
            resumed: false,
            view: view.clone(),
        }),
        ServerMessage::Joined(view.clone()),
        ServerMessage::Message(message(Kind::Say)),
        ServerMessage::Message(message(Kind::Topic)),
        ServerMessage::Live { room: room(), cursor: MessageId(u64::MAX) },
        ServerMessage::Gap { room: room() },
        ServerMessage::History { room: room(), messages: listed.clone(), more: false },
        ServerMessage::Found {
            room: room(),
            query: Query::read(words),
            messages: listed,
            more: false,
            incomplete: true,
            all: true,
            total: Some(u64::MAX),
            or_more: true,
        },
        ServerMessage::Private(Private {
            peer: Some(PersonId(u64::MAX)),
            id: Some(u64::MAX),
            from: nick.clone(),
            to: nick.clone(),
            at: Timestamp(u64::MAX),
            text: body,
            key: Some(key()),
        }),
        ServerMessage::Presence(Presence {
            room: room(),
            joined: some.clone(),
            more_joined: usize::MAX,
            returned: some.clone(),
            more_returned: usize::MAX,
            left: some,
            more_left: usize::MAX,
            renamed: vec![rename; Limits::PRESENCE_NAMES],
            more_renamed: usize::MAX,
            people: usize::MAX,
        }),
        ServerMessage::Names(view),
        ServerMessage::Rooms {
            rooms: vec![entry.clone(); (Limits::LIST_PAYLOAD / entry.size()).min(Limits::ROOMS)],
            total: usize::MAX,
            more: false,
        },
        ServerMessage::Topic { room: room(), topic: Some(topic), topic_by: Some(nick.clone()) },
        ServerMessage::Whois(Whois {
            nick: nick.clone(),
            rooms: vec![room(); Limits::SEATS],
            at: Timestamp(u64::MAX),
            since: Timestamp(u64::MAX),
            active: Timestamp(0),
            away: Some(AwayText::read(words)),
        }),
        ServerMessage::Away { nick: Some(nick.clone()), text: Some(AwayText::read(words)) },
        ServerMessage::Nick { nick: nick.clone() },
        ServerMessage::Slow { retry_after_ms: u64::MAX },
        ServerMessage::Error(failure),
    ]
}

#[test]
fn every_type_of_event_is_tried() {
    #[derive(Deserialize)]
    struct Envelope {
        r#type: String,
    }
    let kind = |event: &ServerMessage| {
        let mut frame = Vec::new();
        json::encode(event, &mut frame);
        serde_json::from_slice::<Envelope>(&frame).unwrap().r#type
    };
    let tried: BTreeSet<_> = events(&nicks()[0], "x").iter().map(kind).collect();
    assert_eq!(tried, ServerMessage::VARIANTS.iter().map(ToString::to_string).collect());
}

#[test]
fn every_event_fits_a_frame() {
    for nick in nicks() {
        for words in texts(Limits::MESSAGE) {
            for mut event in events(&nick, &words) {
                let kind = format!("{event:?}").chars().take(300).collect::<String>();
                let mut frame = Vec::new();
                json::encode(&event, &mut frame);
                assert!(frame.len() <= Limits::PAYLOAD, "{} bytes of JSON: {kind}", frame.len());
                // People are told of all rooms at once.
                if let ServerMessage::Rooms { rooms, .. } = &mut event {
                    *rooms = vec![rooms[0].clone(); Limits::ROOMS];
                }
                let lines = text::encode(&event).unwrap_or_default();
                assert!(lines.len() <= Limits::PAYLOAD, "{} bytes of text: {kind}", lines.len());
            }
        }
    }
}

#[test]
fn a_message_takes_no_more_than_is_reckoned() {
    for (nick, words) in
        nicks().into_iter().flat_map(|nick| texts(2000).into_iter().map(move |text| (nick.clone(), text)))
    {
        for event in events(&nick, &words) {
            let ServerMessage::Message(message) = &event else { continue };
            let mut frame = Vec::new();
            json::encode(&event, &mut frame);
            let lines = text::encode(&event).unwrap_or_default();
            assert!(frame.len().max(lines.len()) <= message.size(), "{message:?}");
        }
    }
}
