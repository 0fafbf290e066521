//! What a server says. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::{
    AwayText, Body, Epoch, IdempotencyKey, Message, MessageId, Nick, Nonce, PersonId, Query, RoomName, Run,
    SessionToken, Timestamp, Topic,
    names::{read, read_key},
    sanitize,
};

/// A topic, and who set it, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicBy {
    /// The topic.
    pub topic: Topic,
    /// Who set it.
    pub by: Option<Nick>,
}

/// A room as somebody finds it who comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomView {
    /// Which room.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// Its topic.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Who set it, where that is known.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic_by: Option<Nick>,
    /// How many are in it, oneself included.
    pub people: usize,
    /// Who is in it, in alphabetical order, up to [`Limits::NAMES`](super::Limits::NAMES).
    #[serde(deserialize_with = "read")]
    pub names: Vec<Nick>,
    /// Which of these are away; only where the names were asked for.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Nick>,
}

/// What is told of one person to somebody who asks. Times are those of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whois {
    /// The person's nick.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// The rooms that both are in, in alphabetical order.
    #[serde(deserialize_with = "read")]
    pub rooms: Vec<RoomName>,
    /// When it was asked.
    pub at: Timestamp,
    /// Since when the person has been here.
    pub since: Timestamp,
    /// When the person last said something, or came.
    pub active: Timestamp,
    /// What the person says of being away; absent where they are not.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub away: Option<AwayText>,
}

/// The answer to a [`ClientHello`](super::ClientHello).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The nick one has.
    #[serde(deserialize_with = "read")]
    pub nick: Nick,
    /// The secret with which another connection is the same person; none in the text dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// Which history this is.
    pub epoch: Epoch,
    /// Which run of the server this is; none of a server that does not tell. Belongs to the cursor,
    /// as the epoch does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Up to which id the history that the client knows is this one, 0 where they have nothing in
    /// common that is known. Absent where all that the client may have seen is of this history; a
    /// cursor greater than it is of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<MessageId>,
    /// Whether an earlier connection of the same person in this room has lost its place to this
    /// one.
    #[serde(default)]
    pub resumed: bool,
    /// Where one is.
    #[serde(flatten)]
    pub view: RoomView,
}

/// A room in the list of rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEntry {
    /// Its name.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// How many are in it.
    pub people: usize,
    /// Its topic.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Who set it, where that is known.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub topic_by: Option<Nick>,
}

impl RoomEntry {
    /// Returns the most bytes that it takes in an event of JSON, which at worst doubles a topic and
    /// a nick.
    #[must_use]
    pub fn size(&self) -> usize {
        let topic = self.topic.as_ref().map_or(0, |topic| topic.as_str().len());
        144 + 2 * (topic + self.topic_by.as_ref().map_or(0, |nick| nick.as_str().len()))
    }
}

/// One change of nick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The nick before.
    #[serde(deserialize_with = "read")]
    pub from: Nick,
    /// The nick now.
    #[serde(deserialize_with = "read")]
    pub to: Nick,
}

/// Who came, went and changed their nick in one room in one short while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Where.
    #[serde(deserialize_with = "read")]
    pub room: RoomName,
    /// Who came, up to [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Nick>,
    /// Who came and is not spelled out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_joined: usize,
    /// Who came back after the server was restarted, up to
    /// [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES). Only programs care: for people
    /// they were never away.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Nick>,
    /// Who came back and is not spelled out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_returned: usize,
    /// Who went, up to [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Nick>,
    /// Who went and is not spelled out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_left: usize,
    /// Who changed their nick, up to [`Limits::PRESENCE_NAMES`](super::Limits::PRESENCE_NAMES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Rename>,
    /// Who changed their nick and is not spelled out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_renamed: usize,
    /// How many are in the room now.
    pub people: usize,
}

/// What became of somebody, as a [`Presence`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate<'a> {
    /// They went.
    Left,
    /// They have this nick now.
    Renamed(&'a Nick),
}

impl Presence {
    /// Returns what became of whoever was called `nick` before, if anything is told. Somebody else
    /// may be called so now.
    #[must_use]
    pub fn fate(&self, nick: &Nick) -> Option<Fate<'_>> {
        let renamed = self.renamed.iter().find(|rename| rename.from == *nick).map(|rename| Fate::Renamed(&rename.to));
        renamed.or_else(|| self.left.contains(nick).then_some(Fate::Left))
    }

    /// Returns whether somebody has come who is called `nick`.
    #[must_use]
    pub fn comes(&self, nick: &Nick) -> bool {
        self.joined.contains(nick) || self.returned.contains(nick)
    }
}

#[cfg(test)]
impl Presence {
    /// Returns that nobody has moved in `room`, where there are so many `people`: tests add who
    /// has.
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

/// A message to one person alone; it is not kept in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The other person as the reader sees it: who said it, or in the sender's copy to whom. An
    /// earlier version does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PersonId>,
    /// The same in every copy of it, and no other's in this history. An earlier version does not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Who said it.
    #[serde(deserialize_with = "read")]
    pub from: Nick,
    /// To whom.
    #[serde(deserialize_with = "read")]
    pub to: Nick,
    /// When the server took it.
    pub at: Timestamp,
    /// What was said.
    #[serde(deserialize_with = "read")]
    pub text: Body,
    /// In the sender's copy, the key it was sent with.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

/// What an `error` is about, for programs; the words beside it are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame was not a message of the protocol.
    BadMessage,
    /// A type this server does not know, perhaps of a later version.
    UnknownType,
    /// A slash command that does not exist.
    UnknownCommand,
    /// Something else than `hello` came first, or `hello` came again.
    UnexpectedHello,
    /// The nick is somebody's, or looks like somebody's.
    NickTaken,
    /// Nobody of that nick is here.
    NoSuchNick,
    /// A private message was not delivered, or not for certain: the person's connections are lost
    /// or take nothing, they have gone before they had it, or too much that its sender told others
    /// has not arrived yet.
    Unreachable,
    /// One is in as many rooms as one person may be in.
    TooManyRooms,
    /// The id is none that this history has given: it is of another.
    OtherHistory,
    /// The log could not take the message: nobody has seen it.
    NotStored,
    /// The server cannot do it at the moment.
    Unavailable,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

/// What went wrong with something that a client said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For programs.
    pub code: ErrorCode,
    /// For people: lower case, no final period.
    #[serde(deserialize_with = "sanitize::deserialize_line")]
    pub message: String,
    /// The key of the message that failed.
    #[serde(default, deserialize_with = "read_key", skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// With [`ErrorCode::NickTaken`]: a nick that is free.
    #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub free: Option<Nick>,
}

impl Failure {
    /// Returns a failure that is about nothing in particular that was sent.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), key: None, free: None }
    }

    /// Returns this failure, about the message sent with `key`.
    #[must_use]
    pub fn about(self, key: Option<IdempotencyKey>) -> Self {
        Self { key, ..self }
    }
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The server speaks first (JSON only).
    Hello {
        /// Name and version of the server.
        #[serde(deserialize_with = "sanitize::deserialize_line")]
        server: String,
        /// For a later proof of who the client is.
        nonce: Nonce,
    },
    /// One is in.
    Welcome(Welcome),
    /// One has gone to another room.
    Joined(RoomView),
    /// An entry of the log.
    Message(Arc<Message>),
    /// What was asked for has been sent; what follows is new.
    Live {
        /// Where.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// Everything up to here has been sent, or was not asked for: come back with this until a
        /// later message has been seen.
        cursor: MessageId,
    },
    /// Messages between the cursor and the next message have been deleted from the log and cannot
    /// be sent.
    Gap {
        /// Where.
        #[serde(deserialize_with = "read")]
        room: RoomName,
    },
    /// Older messages, oldest first, as many as fit one event.
    History {
        /// Where.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The messages.
        messages: Vec<Arc<Message>>,
        /// Whether another event of the same page follows.
        more: bool,
    },
    /// What a search found, newest first.
    Found {
        /// Where.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// What was searched for.
        #[serde(deserialize_with = "read")]
        query: Query,
        /// The messages.
        messages: Vec<Arc<Message>>,
        /// Whether another event of the same search follows.
        more: bool,
        /// Whether the search was cut short, so that there may be more to find. Only in the last
        /// event.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        incomplete: bool,
        /// Whether all rooms that the person is in were searched.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        /// How many messages there are to find, where they were counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Whether there are perhaps more than that: counting has its limits.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_more: bool,
    },
    /// A message to one person alone, for that person and as the sender's echo.
    Private(Private),
    /// Who came and went.
    Presence(Presence),
    /// Who is in the room.
    Names(RoomView),
    /// Which rooms have people in them, the fullest first, up to
    /// [`Limits::ROOMS`](super::Limits::ROOMS).
    Rooms {
        /// The rooms.
        rooms: Vec<RoomEntry>,
        /// How many there are in all.
        total: usize,
        /// Whether another event of the same list follows.
        #[serde(default)]
        more: bool,
    },
    /// The topic, when it was asked for.
    Topic {
        /// Where.
        #[serde(deserialize_with = "read")]
        room: RoomName,
        /// The topic, where there is one.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        topic: Option<Topic>,
        /// Who set it, where that is known.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        topic_by: Option<Nick>,
    },
    /// Who somebody is.
    Whois(Whois),
    /// Somebody is away, or is not any more: oneself, or to whom one has just written.
    Away {
        /// Who; absent where it is oneself.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        nick: Option<Nick>,
        /// What they say of it; absent where they are back.
        #[serde(default, deserialize_with = "read", skip_serializing_if = "Option::is_none")]
        text: Option<AwayText>,
    },
    /// One has another nick: it was asked for here, or on another connection of the same person.
    Nick {
        /// The nick one has now.
        #[serde(deserialize_with = "read")]
        nick: Nick,
    },
    /// One's messages come too fast: this one is kept and taken at its turn; send the next after
    /// that.
    Slow {
        /// How long to wait, in milliseconds.
        retry_after_ms: u64,
    },
    /// Something that was said could not be done.
    Error(Failure),
}
