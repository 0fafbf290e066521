//! The unit of fan-out. A batch is what was committed together for one room. It is encoded once a
//! dialect into one buffer of whole WebSocket frames. All sessions share that buffer and write it
//! as it is.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::{
    protocol::{Dialect, Message, MessageId, ServerMessage, json, text},
    rooms::{MemberId, Notice},
};

/// The approximate number of bytes in a frame besides the text of its message. With this estimate a
/// buffer seldom has to grow.
const FRAME_OVERHEAD: usize = 160;

/// Something that a whole room receives.
#[derive(Debug)]
pub(crate) struct Batch {
    content: Content,
    text: OnceLock<Encoded>,
    json: OnceLock<Encoded>,
}

#[derive(Debug)]
enum Content {
    /// The messages, and the total length of their texts in bytes.
    Messages(Vec<Arc<Message>>, usize),
    Event(ServerMessage, Option<MemberId>),
}

/// Whole frames, and the offset at which the frame of each message begins.
#[derive(Debug)]
struct Encoded {
    bytes: Bytes,
    starts: Vec<usize>,
}

impl Batch {
    /// Returns a batch of messages of one room, in the order of their ids.
    pub(crate) fn messages(messages: Vec<Arc<Message>>) -> Self {
        let length = messages.iter().map(|message| message.text_len()).sum();
        Self::new(Content::Messages(messages, length))
    }

    /// Returns a batch of one event that is not in the store.
    pub(crate) fn notice(notice: Notice) -> Self {
        Self::new(Content::Event(ServerMessage::Presence(notice.presence), notice.about))
    }

    fn new(content: Content) -> Self {
        Self { content, text: OnceLock::new(), json: OnceLock::new() }
    }

    /// Returns the frames that the reader `member` has not seen yet. The reader has seen every
    /// message up to `cursor`.
    pub(crate) fn unseen(&self, dialect: Dialect, member: MemberId, cursor: MessageId) -> Bytes {
        let bytes = |from: usize| {
            let encoded = self.encoded(dialect);
            encoded.starts.get(from).map_or(Bytes::new(), |start| encoded.bytes.slice(start..))
        };
        match &self.content {
            Content::Messages(messages, _) => bytes(messages.partition_point(|message| message.id <= cursor)),
            Content::Event(_, about) if *about == Some(member) => Bytes::new(),
            Content::Event(..) => bytes(0),
        }
    }

    /// Returns the id of its last message, or `None` for an event.
    pub(crate) fn last(&self) -> Option<MessageId> {
        match &self.content {
            Content::Messages(messages, _) => messages.last().map(|message| message.id),
            Content::Event(..) => None,
        }
    }

    fn encoded(&self, dialect: Dialect) -> &Encoded {
        let cell = match dialect {
            Dialect::Text => &self.text,
            Dialect::Json => &self.json,
        };
        cell.get_or_init(|| match &self.content {
            Content::Messages(messages, length) => {
                let mut out = Vec::with_capacity(length + FRAME_OVERHEAD * messages.len());
                let mut starts = Vec::with_capacity(messages.len());
                for message in messages {
                    starts.push(out.len());
                    push_frame(dialect, &ServerMessage::Message(Arc::clone(message)), &mut out);
                }
                Encoded { bytes: out.into(), starts }
            }
            Content::Event(event, _) => {
                let mut out = Vec::new();
                push_frame(dialect, event, &mut out);
                Encoded { bytes: out.into(), starts: vec![0] }
            }
        })
    }
}

/// Appends `event` to `out` as one unmasked text frame (RFC 6455 section 5.2). Appends nothing if
/// the dialect cannot express the event.
pub(crate) fn push_frame(dialect: Dialect, event: &ServerMessage, out: &mut Vec<u8>) {
    match dialect {
        Dialect::Json => push_payload(out, |out| json::encode(event, out)),
        Dialect::Text => {
            if let ServerMessage::Message(message) = event {
                return push_payload(out, |out| text::encode_message(message, out));
            }
            if let Some(lines) = text::encode(event) {
                push_lines(&lines, out);
            }
        }
    }
}

/// Appends lines for people to `out` as one unmasked text frame.
pub(crate) fn push_lines(lines: &str, out: &mut Vec<u8>) {
    push_payload(out, |out| out.extend_from_slice(lines.as_bytes()));
}

fn push_payload(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    /// FIN, and the opcode of text.
    const TEXT: u8 = 0x81;
    /// Most payloads have a length in this range. The header is laid out for such a payload, so
    /// that the payload can be encoded in place.
    const USUAL: std::ops::RangeInclusive<usize> = 126..=0xffff;
    let start = out.len();
    out.extend([TEXT, 126, 0, 0]);
    payload(out);
    let length = out.len() - start - 4;
    if USUAL.contains(&length) {
        out[start + 2..start + 4].copy_from_slice(&u16::try_from(length).unwrap_or_default().to_be_bytes());
    } else if let Ok(short) = u8::try_from(length) {
        out[start + 1] = short;
        out.drain(start + 2..start + 4);
    } else {
        out[start + 1] = 127;
        out.splice(start + 2..start + 4, (length as u64).to_be_bytes());
    }
}

#[cfg(test)]
pub(in crate::server) mod tests {
    use super::*;
    use crate::protocol::{Body, ErrorCode, Failure, Kind, Nick, RoomName, Timestamp};

    pub(in crate::server) fn message(id: u64, text: &str) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId(id),
            room: RoomName::lobby(),
            at: Timestamp(0),
            nick: Nick::new("ada").unwrap(),
            kind: Kind::Say,
            text: Some(Body::new(text).unwrap()),
            key: None,
        })
    }

    #[test]
    fn a_reader_gets_what_is_after_its_cursor() {
        let batch = Batch::messages(vec![message(3, "a"), message(5, "b"), message(8, "c")]);
        let unseen = |cursor| batch.unseen(Dialect::Text, MemberId::nobodys(), MessageId(cursor));
        assert_eq!(&unseen(2)[..], b"\x81\x06ada: a\x81\x06ada: b\x81\x06ada: c");
        assert_eq!(&unseen(3)[..], b"\x81\x06ada: b\x81\x06ada: c");
        assert_eq!(&unseen(7)[..], b"\x81\x06ada: c");
        assert!(unseen(8).is_empty());
        assert_eq!(batch.last(), Some(MessageId(8)));
    }

    #[test]
    fn a_batch_is_encoded_once_a_dialect_and_shared() {
        let batch = Batch::messages(vec![message(1, "a")]);
        let first = batch.unseen(Dialect::Json, MemberId::nobodys(), MessageId(0));
        let second = batch.unseen(Dialect::Json, MemberId::nobodys(), MessageId(0));
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert!(batch.text.get().is_none(), "nobody asked for lines");
    }

    #[test]
    fn every_length_has_its_header() {
        for (length, header) in [
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xffff, vec![0x81, 126, 0xff, 0xff]),
            (0x10000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = vec![7];
            let failure = Failure::new(ErrorCode::Other, "x".repeat(length - 2));
            push_frame(Dialect::Text, &ServerMessage::Error(failure), &mut out);
            assert_eq!(out.len(), 1 + header.len() + length);
            assert_eq!(&out[1..=header.len()], header);
            assert!(out.ends_with(b"xx"));
        }
    }

    #[test]
    fn what_lines_have_no_words_for_is_no_frame() {
        let mut out = vec![7];
        push_frame(Dialect::Text, &ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(0) }, &mut out);
        assert_eq!(out, [7]);
    }
}
