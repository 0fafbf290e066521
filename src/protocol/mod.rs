//! What both ends say. Pure: no tokio, no clock, no I/O.
//!
//! A line of a peer becomes a [`ClientMessage`] (by [`json::decode_client`] or [`command::parse`]),
//! an event of the server is a [`ServerMessage`] and leaves as [`json::encode`] or
//! [`text::encode`]. `docs/protocol.md` is the normative text.

mod client;
pub mod command;
mod confusables;
pub mod handshake;
mod hex;
pub mod host;
pub mod json;
#[cfg(test)]
mod largest;
mod limits;
mod names;
mod person;
pub mod sanitize;
pub mod search;
mod server;
pub mod text;
pub mod when;

use serde::{Deserialize, Serialize};

pub(crate) use self::names::read;
use self::names::read_key;

pub use self::{
    client::{ClientHello, ClientMessage},
    hex::{Author, Epoch, Hex, HexError, Nonce, Run, SessionToken},
    limits::Limits,
    names::{AwayText, Body, IdempotencyKey, MessageId, NameError, Nick, Query, RoomName, Timestamp, Topic},
    person::{PersonError, PersonId},
    server::{
        ErrorCode, Failure, Fate, Presence, Private, Rename, RoomEntry, RoomView, ServerMessage, TopicBy, Welcome,
        Whois,
    },
};

/// The close code of a connection whose place in the room a newer connection of the same person
/// has. The client must not connect again by itself (RFC 6455 section 7.4.2: 4000 to 4999 are for
/// private use).
pub const CLOSE_TAKEN_OVER: u16 = 4000;

/// The subprotocol (RFC 6455 section 1.9) that selects [`Dialect::Json`].
pub const SUBPROTOCOL: &str = "broadcast-chat.v1";

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Lines for people: no subprotocol was offered.
    Text,
    /// One JSON object a frame: [`SUBPROTOCOL`].
    Json,
}

/// How a message was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `* ada waves`
    Me,
    /// The text is the new topic of the room; none clears it, which is told by [`Message::text`]
    /// being absent.
    Topic,
    /// `ada: hello`; and what a later version has another word for.
    #[default]
    #[serde(other)]
    Say,
}

impl Kind {
    /// Returns whether this is the kind that need not be spelled out.
    #[must_use]
    pub fn is_say(&self) -> bool {
        *self == Self::Say
    }
}

/// One entry of the log: it has an id, so it is stored, and everyone in the room sees it once, in
/// the order of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the server's one order.
    pub id: MessageId,
    /// Where it was said.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// When the server took it.
    pub at: Timestamp,
    /// Who said it.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// How it was said.
    #[serde(default, skip_serializing_if = "Kind::is_say")]
    pub kind: Kind,
    /// What was said; absent only where a topic was cleared.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub text: Option<Body>,
    /// The key its sender gave it: for the sender, this is the acknowledgement.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

impl Message {
    /// Returns how many bytes its text has.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.as_str().len())
    }

    /// Returns the most bytes that it takes in an event, in either dialect.
    #[must_use]
    pub fn size(&self) -> usize {
        /// What surrounds the text.
        const FRAME_OVERHEAD: usize = 512;
        let text = self.text.as_ref().map_or(&[][..], |text| text.as_str().as_bytes());
        let escaped = |byte: &u8| match byte {
            b'\n' => 4,
            b'"' | b'\\' | b'\t' => 1,
            _ => 0,
        };
        FRAME_OVERHEAD + text.len() + text.iter().map(escaped).sum::<usize>()
    }
}
