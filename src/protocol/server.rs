//! The messages of a server. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::{
    AwayText, Body, Epoch, IdempotencyKey, Message, MessageId, Nick, Nonce, PersonId, Query, RoomName, Run,
    SessionToken, Timestamp, Topic,
    names::{read, read_key},
    sanitize,
};

/// A topic, and the nick of the person who set it, if known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicBy {
    /// The topic.
    pub topic: Topic,
    /// The nick of the person who set it.
    pub by: Option<Nick>,
}

/// A room, as shown to a person who joins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomView {
    /// The name of the room.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// Its topic.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The nick of the person who set it, if known.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic_by: Option<Nick>,
    /// The number of people in it, the reader included.
    pub people: usize,
    /// The nicks in it, in alphabetical order, at most [`Limits::NAMES`](super::Limits::NAMES).
    #[serde(deserialize_with = "read")]
    pub names: Vec<Nick>,
    /// The people among [`Self::names`] who are away. Only in an answer to `names`.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Nick>,
}

/// The answer to `whois`. All times are from the server's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whois {
    /// The person's nick.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// The rooms that both are in, in alphabetical order.
    #[serde(deserialize_with = "read")]
    pub rooms: Vec<RoomName>,
    /// The time of the request.
    pub at: Timestamp,
    /// The time at which the person arrived.
    pub since: Timestamp,
    /// The time at which the person last sent a message, or arrived.
    pub active: Timestamp,
    /// The away text of the person. Absent if they are not away.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub away: Option<AwayText>,
}

/// The answer to a [`ClientHello`](super::ClientHello).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The nick of this client.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// The secret that makes another connection the same person. Absent in the text dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// The epoch of the server's history.
    pub epoch: Epoch,
    /// The current run of the server. Absent from a server that does not send it. A client stores
    /// it with its cursor, like the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The last id up to which the history that the client knows equals this one; 0 if no common
    /// part is known. Absent if everything that the client may have seen is in this history. A
    /// cursor greater than this id belongs to another history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<MessageId>,
    /// Whether this connection has replaced an earlier connection of the same person in this room.
    #[serde(default)]
    pub resumed: bool,
    /// The room that the client is in.
    #[serde(flatten)]
    pub view: RoomView,
}

/// A room in the list of rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEntry {
    /// Its name.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// The number of people in it.
    pub people: usize,
    /// Its topic.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The nick of the person who set it, if known.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic_by: Option<Nick>,
}

impl RoomEntry {
    /// Returns an upper bound of its size in a JSON event, in bytes. JSON at most doubles a topic
    /// and a nick.
    #[must_use]
    pub fn size(&self) -> usize {
        let topic = self.topic.as_ref().map_or(0, |topic| topic.as_str().len());
        144 + 2 * (topic + self.topic_by.as_ref().map_or(0, |nick| nick.as_str().len()))
    }
}

/// One change of nick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The old nick.
    #[serde(deserialize_with = "read")]
    pub from: Nick,
    /// The new nick.
    #[serde(deserialize_with = "read")]
    pub to: Nick,
}

/// The joins, leaves and changes of nick in one room during a short time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The room.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// The nicks that joined, at most [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Nick>,
    /// The number of further joins.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_joined: usize,
    /// The nicks that returned after a restart of the server, at most
    /// [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES). Only programs need them: to
    /// people, these persons were never away.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Nick>,
    /// The number of further returns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_returned: usize,
    /// The nicks that left, at most [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Nick>,
    /// The number of further leaves.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_left: usize,
    /// The changes of nick, at most [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Rename>,
    /// The number of further changes of nick.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_renamed: usize,
    /// The number of people in the room now.
    pub people: usize,
}

/// What happened to a person, according to a [`Presence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate<'a> {
    /// The person left.
    Left,
    /// The person now has this nick.
    Renamed(&'a Nick),
}

impl Presence {
    /// Returns what happened to the person who had `nick` before, if this event contains it.
    /// Another person may have this nick now.
    #[must_use]
    pub fn fate(&self, nick: &Nick) -> Option<Fate<'_>> {
        let renamed = self.renamed.iter().find(|rename| rename.from == *nick).map(|rename| Fate::Renamed(&rename.to));
        renamed.or_else(|| self.left.contains(nick).then_some(Fate::Left))
    }

    /// Returns whether a person with `nick` has joined or returned.
    #[must_use]
    pub fn comes(&self, nick: &Nick) -> bool {
        self.joined.contains(nick) || self.returned.contains(nick)
    }
}

#[cfg(test)]
impl Presence {
    /// Returns a presence event without changes, for a room with `people` people. Tests add the
    /// changes.
    pub(crate) const fn unmoved(room: RoomName, people: usize) -> Self {
        Self {
            room,
            joined: Vec::new(),
            more_joined: 0,
            returned: Vec::new(),
            more_returned: 0,
            left: Vec::new(),
            more_left: 0,
            renamed: Vec::new(),
            more_renamed: 0,
            people,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A message to one person alone. It is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The other person: the sender, or in the sender's copy the recipient. Absent from an earlier
    /// version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PersonId>,
    /// The number of the message: the same in all its copies, and unique in this history. Absent
    /// from an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The nick of the sender.
    #[serde(deserialize_with = "read")]
    pub from: Nick,
    /// The nick of the recipient.
    #[serde(deserialize_with = "read")]
    pub to: Nick,
    /// The time at which the server accepted it.
    pub at: Timestamp,
    /// The text.
    #[serde(deserialize_with = "read")]
    pub text: Body,
    /// The key that it was sent with. Only in the sender's copy.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

/// The kind of an `error`, for programs. [`Failure::message`] is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame was not a message of the protocol.
    BadMessage,
    /// The server does not know this type. It may be of a later version.
    UnknownType,
    /// The slash command does not exist.
    UnknownCommand,
    /// The first message was not `hello`, or a second `hello` arrived.
    UnexpectedHello,
    /// The nick belongs to another person, or looks like the nick of another person.
    NickTaken,
    /// No person with this nick is here.
    NoSuchNick,
    /// A private message was not delivered, or not for certain. The recipient's connections are
    /// lost or accept no data, the recipient left before receiving it, or too many private messages
    /// of this sender are still undelivered.
    Unreachable,
    /// The person is already in the maximum number of rooms.
    TooManyRooms,
    /// This history has not assigned the id: it belongs to another history.
    OtherHistory,
    /// The store failed to write the message. Nobody has seen it.
    NotStored,
    /// The server cannot answer the request at the moment.
    Unavailable,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

/// The reason why a request of a client failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error code, for programs.
    pub code: ErrorCode,
    /// The reason in words, for people: lower case, no final period.
    #[serde(deserialize_with = "sanitize::deserialize_line")]
    pub message: String,
    /// The key of the message that failed.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// A free nick. Only with [`ErrorCode::NickTaken`].
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub free: Option<Nick>,
}

impl Failure {
    /// Returns a failure that is not about a particular message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), key: None, free: None }
    }

    /// Returns this failure with the key of the message that it is about.
    #[must_use]
    pub fn about(self, key: Option<IdempotencyKey>) -> Self {
        Self { key, ..self }
    }
}

/// A message of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first message of a connection (JSON only).
    Hello {
        /// Name and version of the server.
        #[serde(deserialize_with = "sanitize::deserialize_line")]
        server: String,
        /// A random value, for a later proof of the client's identity.
        nonce: Nonce,
    },
    /// The client is admitted.
    Welcome(Welcome),
    /// The client has moved to another room.
    Joined(RoomView),
    /// A message of the store.
    Message(Arc<Message>),
    /// All requested messages have been sent. What follows is new.
    Live {
        /// The room.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The cursor: everything up to it has been sent, or was not requested. A client that has
        /// not seen a later message presents this cursor when it comes back.
        cursor: MessageId,
    },
    /// Messages between the cursor and the next message have been deleted from the store and cannot
    /// be sent.
    Gap {
        /// The room.
        #[serde(deserialize_with = "read")]
        room: RoomName,
    },
    /// Older messages, oldest first, as many as fit in one event.
    History {
        /// The room.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The messages.
        messages: Vec<Arc<Message>>,
        /// Whether another event of the same page follows.
        more: bool,
    },
    /// The results of a search, newest first.
    Found {
        /// The room.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The query.
        #[serde(deserialize_with = "read")]
        query: Query,
        /// The messages.
        messages: Vec<Arc<Message>>,
        /// Whether another event of the same search follows.
        more: bool,
        /// Whether the search was cut short, so that there may be more results. Only in the last
        /// event.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        incomplete: bool,
        /// Whether all rooms of the person were searched.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        /// The total number of matches, if they were counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Whether there may be more matches than `total`: counting has a limit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_more: bool,
    },
    /// A message to one person alone, for that person and as the sender's echo.
    Private(Private),
    /// The joins, leaves and changes of nick in a room.
    Presence(Presence),
    /// The people in the room.
    Names(RoomView),
    /// The rooms that have people in them, the fullest first, at most
    /// [`Limits::ROOMS`](super::Limits::ROOMS).
    Rooms {
        /// The rooms.
        rooms: Vec<RoomEntry>,
        /// The number of rooms in all.
        total: usize,
        /// Whether another event of the same list follows.
        #[serde(default)]
        more: bool,
    },
    /// The topic, as the answer to a request.
    Topic {
        /// The room.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The topic, if there is one.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        topic: Option<Topic>,
        /// The nick of the person who set it, if known.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        topic_by: Option<Nick>,
    },
    /// The answer to a question about one person.
    Whois(Whois),
    /// A person is away, or is back: the client's own person, or the recipient of the private
    /// message that the client has just sent.
    Away {
        /// The nick of the person. Absent if it is the client's own person.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        nick: Option<Nick>,
        /// The away text. Absent if the person is back.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        text: Option<AwayText>,
    },
    /// The client has another nick. It was requested here, or on another connection of the same
    /// person.
    Nick {
        /// The new nick.
        #[serde(deserialize_with = "read")]
        nick: Nick,
    },
    /// The client sends messages too fast. The server keeps this message and handles it later. The
    /// client should send its next message after that.
    Slow {
        /// The time to wait, in milliseconds.
        retry_after_ms: u64,
    },
    /// A request of the client failed.
    Error(Failure),
}
