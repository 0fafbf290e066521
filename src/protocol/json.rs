//! The subprotocol `broadcast-chat.v1`: one JSON object a text frame. Pure.
//!
//! Unknown fields are ignored and an unknown type is an error that names it, so that versions can
//! differ.

use serde::{Deserialize, de::DeserializeOwned};
use strum::VariantNames as _;

use super::{Body, ClientMessage, ErrorCode, Failure, IdempotencyKey, ServerMessage};

/// How most frames of a client begin, ours and those that `JSON.stringify` made.
const SAY: &str = r#"{"type":"say","#;

/// How most frames of a server begin.
const MESSAGE: &str = r#"{"type":"message","#;

/// Returns what the frame of a client says.
///
/// # Errors
/// The failure to answer with, with the frame's key where it has one.
pub fn decode_client(frame: &str) -> Result<ClientMessage, Failure> {
    #[derive(Deserialize)]
    struct Say {
        #[serde(default)]
        key: Option<IdempotencyKey>,
        text: Body,
    }
    if let Some(Say { key, text }) = at_once(frame, SAY) {
        return Ok(ClientMessage::Say { key, text });
    }
    serde_json::from_str(frame).map_err(|error| explain(frame, &error))
}

/// Returns what `frame` says if it begins as `beginning`, which says what it is. serde keeps every
/// field of a frame in memory before it looks at its type; most frames are of one type, and for
/// them that would be most of the work.
///
/// Whatever is wrong with a frame is left for the long way to find; a second `type` is an unknown
/// field.
fn at_once<T: DeserializeOwned>(frame: &str, beginning: &str) -> Option<T> {
    if frame.starts_with(beginning) { serde_json::from_str(frame).ok() } else { None }
}

/// Says what is wrong with a frame that could not be read; off the path of whatever can.
fn explain(frame: &str, error: &serde_json::Error) -> Failure {
    #[derive(Deserialize)]
    struct Envelope {
        r#type: String,
        #[serde(default)]
        key: Option<serde_json::Value>,
    }
    let Ok(envelope) = serde_json::from_str::<Envelope>(frame) else {
        let message = if frame.trim_start().starts_with('{') {
            format!("not a message: {}", reason(error))
        } else {
            "not a message: expected a JSON object with a type".to_owned()
        };
        return Failure::new(ErrorCode::BadMessage, message);
    };
    let key = envelope.key.as_ref().and_then(|key| IdempotencyKey::new(key.as_str()?).ok());
    let failure = if ClientMessage::VARIANTS.contains(&envelope.r#type.as_str()) {
        Failure::new(ErrorCode::BadMessage, format!("{}: {}", envelope.r#type, reason(error)))
    } else {
        let name: String = envelope.r#type.chars().take(32).collect();
        Failure::new(ErrorCode::UnknownType, format!("unknown type {name:?}"))
    };
    failure.about(key)
}

/// Returns serde's words without the place, which means nothing to whoever cannot see the frame,
/// and without the peer's own text at any length.
fn reason(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    super::sanitize::line(words).chars().take(200).collect()
}

/// What can be told of a frame of a server that is no event of the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// What it says of itself that it is.
    pub kind: String,
    /// The key of what it is about.
    pub key: Option<IdempotencyKey>,
    /// What is wrong with it.
    pub reason: String,
}

/// Returns what the frame of a server says, or `None` for a type of a later version.
///
/// # Errors
/// What can be told of it, when it is not an event of the protocol.
pub fn decode_server(frame: &str) -> Result<Option<ServerMessage>, Unreadable> {
    #[derive(Default, Deserialize)]
    struct Envelope {
        r#type: String,
        #[serde(default)]
        key: Option<serde_json::Value>,
    }
    if let Some(message) = at_once(frame, MESSAGE) {
        return Ok(Some(ServerMessage::Message(message)));
    }
    serde_json::from_str(frame).map(Some).or_else(|error| match serde_json::from_str::<Envelope>(frame) {
        Ok(envelope) if !ServerMessage::VARIANTS.contains(&envelope.r#type.as_str()) => Ok(None),
        envelope => {
            let Envelope { r#type: kind, key } = envelope.unwrap_or_default();
            let key = key.as_ref().and_then(|key| IdempotencyKey::new(key.as_str()?).ok());
            Err(Unreadable { kind, key, reason: reason(&error) })
        }
    })
}

/// Appends `event` as one JSON object to `out`.
pub fn encode(event: &ServerMessage, out: &mut Vec<u8>) {
    write(event, out);
}

/// Returns the frame in which a client says `message`.
#[must_use]
pub fn encode_client(message: &ClientMessage) -> String {
    let mut out = Vec::new();
    write(message, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn write(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // Cannot fail: a Vec takes everything, and no type of ours has a key that is not a string.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{ClientHello, Kind, Message, MessageId, Nick, RoomName, Timestamp};

    fn encoded(event: &ServerMessage) -> String {
        let mut out = Vec::new();
        encode(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_is_one_flat_object() {
        let message = Message {
            id: MessageId(7),
            room: RoomName::lobby(),
            at: Timestamp(1),
            nick: Nick::new("ada").unwrap(),
            kind: Kind::Say,
            text: Some(Body::new("hi").unwrap()),
            key: Some(IdempotencyKey::new("k1").unwrap()),
        };
        assert_eq!(
            encoded(&ServerMessage::Message(Arc::new(message))),
            r#"{"type":"message","id":7,"room":"lobby","at":1,"nick":"ada","text":"hi","key":"k1"}"#
        );
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let hello = decode_client(r#"{"type":"hello","nick":"ada","wings":2}"#).unwrap();
        assert_eq!(
            hello,
            ClientMessage::Hello(ClientHello { nick: Some(Nick::new("ada").unwrap()), ..Default::default() })
        );
    }

    /// Returns the types that serde knows, as it lists them for an unknown one.
    fn known<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let words = serde_json::from_str::<T>(r#"{"type":"fly"}"#).unwrap_err().to_string();
        let (_, list) = words.split_once("expected one of ").unwrap();
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_known_types_are_those_that_can_be_read() {
        assert_eq!(known::<ClientMessage>(), ClientMessage::VARIANTS);
        assert_eq!(known::<ServerMessage>(), ServerMessage::VARIANTS);
        assert_eq!(decode_client(r#"{"type":"fly"}"#).unwrap_err().code, ErrorCode::UnknownType);
        assert_eq!(decode_client(r#"{"type":"search"}"#).unwrap_err().code, ErrorCode::BadMessage);
        assert_eq!(decode_server(r#"{"type":"fly"}"#), Ok(None));
    }

    #[test]
    fn a_failure_says_what_and_bears_the_key() {
        let failure = decode_client(r#"{"type":"say","key":"k1","text":" "}"#).unwrap_err();
        assert_eq!(failure.message, "say: a message needs something to say");
        assert_eq!(failure.key.unwrap().as_str(), "k1");
        assert_eq!(decode_client("hello").unwrap_err().message, "not a message: expected a JSON object with a type");
    }

    #[test]
    fn what_is_read_at_once_is_what_the_long_way_reads() {
        for rest in [
            r#""text":"hi"}"#,
            r#""key":null,"text":"hi"}"#,
            r#""key":"k","text":"a\nb\u001b[31mc","x":{"y":[1]}}"#,
            r#""text":"hi"} "#,
            r#""text":"hi"}}"#,
            r#""text":"a","text":"b"}"#,
            r#""text":["hi"]}"#,
            r#""key":"k"}"#,
            r#""id":7,"room":"Lobby","at":1,"nick":"a\u0064a","kind":"topic","later":1}"#,
            r#""text":"hi","key":"k","nick":"ada","at":1,"room":"lobby","id":7}"#,
            r#""id":-7,"room":"lobby","at":1,"nick":"ada","text":"hi"}"#,
            r#""id":7,"id":8,"room":"lobby","at":1,"nick":"ada","text":"hi"}"#,
            r#""id":7,"room":"lobby","at":1,"nick":"a a","text":"hi"}"#,
            r#""id":7,"room":"lobby","at":1,"nick":"ada","kind":"sing","text":"hi"}"#,
        ] {
            let frame = format!("{SAY}{rest}");
            assert_eq!(decode_client(&frame).ok(), serde_json::from_str(&frame).ok(), "{frame}");
            let frame = format!("{MESSAGE}{rest}");
            assert_eq!(decode_server(&frame).ok().flatten(), serde_json::from_str(&frame).ok(), "{frame}");
        }
    }

    #[test]
    fn free_words_of_a_peer_are_cleaned() {
        let frame = r#"{"type":"error","code":"other","message":"\u001b[31mred\nand \u202eblue"}"#;
        let Ok(Some(ServerMessage::Error(failure))) = decode_server(frame) else { panic!("no error") };
        assert_eq!(failure.message, "red and blue");
    }

    /// Every name and text of a client, where each breaks its rules.
    const REFUSED: [&str; 17] = [
        r#"{"type":"hello","nick":"a b"}"#,
        r#"{"type":"hello","nick":"☃"}"#,
        r#"{"type":"hello","room":"a b"}"#,
        r#"{"type":"say","text":"\u200b"}"#,
        r#"{"type":"say","key":"a b","text":"hi"}"#,
        r#"{"type":"me","text":"\u200b"}"#,
        r#"{"type":"me","key":"a b","text":"hi"}"#,
        r#"{"type":"msg","to":"a b","text":"hi"}"#,
        r#"{"type":"msg","to":"ada","text":"\u200b"}"#,
        r#"{"type":"msg","key":"a b","to":"ada","text":"hi"}"#,
        r#"{"type":"join","room":"a b"}"#,
        r#"{"type":"nick","nick":"a b"}"#,
        r#"{"type":"whois","nick":"a b"}"#,
        r#"{"type":"away","text":"\u200b"}"#,
        r#"{"type":"set_topic","text":"\u200b"}"#,
        r#"{"type":"set_topic","key":"a b","text":"hi"}"#,
        r#"{"type":"search","query":"\u200b"}"#,
    ];

    #[test]
    fn a_client_is_read_strictly() {
        for frame in REFUSED {
            assert_eq!(decode_client(frame).err().map(|failure| failure.code), Some(ErrorCode::BadMessage), "{frame}");
        }
    }

    /// Every event with names and texts in it, where each stands for any.
    const EVENTS: [&str; 16] = [
        r#"{"type":"welcome","nick":@,"session":"00000000000000000000000000000001","epoch":"0101010101010101","room":@,"topic":@,"people":2,"names":[@,@]}"#,
        r#"{"type":"joined","room":@,"topic":@,"people":1,"names":[@]}"#,
        r#"{"type":"message","id":1,"room":@,"at":1,"nick":@,"kind":@,"text":@,"key":@}"#,
        r#"{"type":"live","room":@,"cursor":1}"#,
        r#"{"type":"gap","room":@}"#,
        r#"{"type":"history","room":@,"messages":[{"id":1,"room":@,"at":1,"nick":@,"kind":@,"text":@,"key":@}],"more":false}"#,
        r#"{"type":"found","room":@,"query":@,"messages":[],"more":false}"#,
        r#"{"type":"private","from":@,"to":@,"at":1,"text":@,"key":@}"#,
        r#"{"type":"presence","room":@,"joined":[@],"returned":[@],"left":[@],"renamed":[{"from":@,"to":@}],"people":1}"#,
        r#"{"type":"rooms","rooms":[{"room":@,"people":1,"topic":@}],"total":1}"#,
        r#"{"type":"topic","room":@,"topic":@}"#,
        r#"{"type":"names","room":@,"people":2,"names":[@,@],"away":[@]}"#,
        r#"{"type":"whois","nick":@,"rooms":[@],"at":3,"since":1,"active":2,"away":@}"#,
        r#"{"type":"away","nick":@,"text":@}"#,
        r#"{"type":"nick","nick":@}"#,
        r#"{"type":"error","code":@,"message":@,"key":@,"free":@}"#,
    ];

    /// Returns the types of `frames`, and of those `without` names and texts, in alphabetical order.
    fn types(frames: &[&'static str], without: &[&'static str]) -> BTreeSet<&'static str> {
        let kind = |frame: &&'static str| frame.split('"').nth(3).unwrap();
        frames.iter().map(kind).chain(without.iter().copied()).collect()
    }

    #[test]
    fn every_type_is_tried() {
        let without = ["rooms", "names", "topic", "history", "quit"];
        assert_eq!(types(&REFUSED, &without), ClientMessage::VARIANTS.iter().copied().collect());
        assert_eq!(types(&EVENTS, &["hello", "slow"]), ServerMessage::VARIANTS.iter().copied().collect());
    }

    #[test]
    fn an_event_of_a_later_version_is_no_error() {
        assert_eq!(decode_server(r#"{"type":"weather"}"#), Ok(None));
        assert!(decode_server(r#"{"type":"message"}"#).is_err());
        assert!(decode_server("[]").is_err());
    }

    proptest! {
        #[test]
        fn decoding_never_panics(frame in any::<String>()) {
            drop((decode_client(&frame), decode_server(&frame)));
        }

        #[test]
        fn no_name_or_text_of_a_server_makes_an_event_unreadable(text in any::<String>()) {
            for event in EVENTS {
                let frame = event.replace('@', &serde_json::to_string(&text).unwrap());
                prop_assert!(matches!(decode_server(&frame), Ok(Some(_))), "{}", frame);
            }
        }

        #[test]
        fn what_is_said_round_trips(text in any::<String>(), key in "[!-~]{1,64}", id in any::<u64>(), at in any::<u64>()) {
            let Ok(body) = Body::new(&text) else { return Ok(()) };
            let key = Some(IdempotencyKey::new(&key).unwrap());
            let said = ClientMessage::Say { key: key.clone(), text: body.clone() };
            prop_assert_eq!(decode_client(&encode_client(&said)), Ok(said));
            let event = ServerMessage::Message(Arc::new(Message {
                id: MessageId(id), room: RoomName::lobby(), at: Timestamp(at), nick: Nick::guest(id), kind: Kind::Me,
                text: Some(body), key,
            }));
            prop_assert_eq!(decode_server(&encoded(&event)), Ok(Some(event)));
        }
    }
}
