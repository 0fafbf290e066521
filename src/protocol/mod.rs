//! The messages of the server and the client. Pure: no tokio, no clock, no I/O.
//!
//! A line from a client becomes a [`ClientMessage`] (by [`json::decode_client`] or
//! [`command::parse`]). An event of the server is a [`ServerMessage`], written by [`json::encode`]
//! or [`text::encode`]. `docs/protocol.md` is the normative text.

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

/// The close code for a connection that a newer connection of the same person has replaced in the
/// room. The client must not reconnect by itself. (RFC 6455 section 7.4.2: 4000 to 4999 are for
/// private use.)
pub const CLOSE_TAKEN_OVER: u16 = 4000;

/// The subprotocol (RFC 6455 section 1.9) that selects [`Dialect::Json`].
pub const SUBPROTOCOL: &str = "broadcast-chat.v1";

/// The format of the messages on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Lines for people: the client offered no subprotocol.
    Text,
    /// One JSON object per frame: [`SUBPROTOCOL`].
    Json,
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `* ada waves`
    Me,
    /// The text is the new topic of the room. If [`Message::text`] is absent, the topic is cleared.
    Topic,
    /// `ada: hello`. A kind of a later version is also read as this.
    #[default]
    #[serde(other)]
    Say,
}

impl Kind {
    /// Returns whether this is the default kind, which is omitted in JSON.
    #[must_use]
    pub fn is_say(&self) -> bool {
        *self == Self::Say
    }
}

/// One message of the store. It has an id, so it is stored, and everyone in the room receives it
/// once, in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the order of all messages of the server.
    pub id: MessageId,
    /// The room that it was sent to.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// The time at which the server accepted it.
    pub at: Timestamp,
    /// The nick of the sender.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// The kind of the message.
    #[serde(default, skip_serializing_if = "Kind::is_say")]
    pub kind: Kind,
    /// The text. It is absent only if a topic was cleared.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub text: Option<Body>,
    /// The key that the sender gave it. The sender takes it as the acknowledgement.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

impl Message {
    /// Returns the length of its text, in bytes.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.as_str().len())
    }

    /// Returns an upper bound of its size in an event, in bytes, in either dialect.
    #[must_use]
    pub fn size(&self) -> usize {
        /// An upper bound of everything around the text.
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
