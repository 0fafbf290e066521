//! The messages of a client. Pure.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::{
    AwayText, Body, Epoch, IdempotencyKey, MessageId, Nick, PersonId, Query, RoomName, Run, SessionToken, Timestamp,
    Topic,
};

/// The first message of a JSON client, in answer to the server's `hello`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The requested nick. Without it, the server assigns a guest nick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<Nick>,
    /// The requested room. It overrides the room of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The token that identifies the person: from an earlier `welcome`, or 128 random bits of the
    /// client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// The epoch of [`Self::after`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The run in the `welcome` of the connection that saw [`Self::after`]. Without it, the server
    /// only recognises a cursor that is past the end of its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The cursor: the client requests everything after this id. It only counts as far as it
    /// belongs to the server's own history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
    /// Requests the messages of this many last seconds. Only used without a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Requests this many of the latest messages. Only used without `after` and `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Identifies the client and its position in the history.
    Hello(ClientHello),
    /// Sends `text` to the room.
    Say {
        /// The key that the echo repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// The text.
        text: Body,
    },
    /// Sends `* nick text` to the room.
    Me {
        /// The key that the echo repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// The action.
        text: Body,
    },
    /// Sends a private message to one person.
    Msg {
        /// The key that the echo repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// The nick of the recipient.
        to: Nick,
        /// The recipient, whatever their nick is now. An earlier version ignores it and uses `to`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<PersonId>,
        /// The text.
        text: Body,
    },
    /// Moves to another room.
    Join {
        /// The room.
        room: RoomName,
        /// The number of its latest messages that the client requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<u32>,
    },
    /// Requests the rooms that have people in them.
    Rooms,
    /// Requests the names of the people in the room.
    Names,
    /// Requests information about one person.
    Whois {
        /// The nick of that person.
        nick: Nick,
    },
    /// Marks the person as away or as back.
    Away {
        /// The away text that others can read. Without it, the state is toggled: from away to back,
        /// or from here to away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<AwayText>,
    },
    /// Requests another nick.
    Nick {
        /// The new nick.
        nick: Nick,
    },
    /// Requests the topic.
    Topic,
    /// Sets the topic, or clears it.
    SetTopic {
        /// The key that the echo repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// The new topic. Without it, the topic is cleared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Topic>,
    },
    /// Requests a page of messages.
    History {
        /// The page begins after this id. Without it, the page is the last one before `before`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        /// The page ends before this id. Without it, the page ends at the latest message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<MessageId>,
        /// The page begins with the first message at or after this time. It replaces `after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// The maximum number of messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Searches the room.
    Search {
        /// The words and filters of the query. Each word must begin a word of the message. A phrase
        /// in double quotes must occur in the message. Filters restrict the sender and the time
        /// (`search`).
        query: Query,
        /// The maximum number of messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// Only messages before this id match. A client sends the last id of a page to request the
        /// next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<MessageId>,
        /// Whether to search all rooms of the person, and not only this one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        /// The time of `after:` in the query, in the user's time zone. Without it, the server uses
        /// UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// The time of `before:` in the query, likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Leaves for good. The nick is free at once.
    Quit,
}

impl ClientMessage {
    /// Returns the key of a message that carries a text.
    #[must_use]
    pub fn key(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Say { key, .. } | Self::Me { key, .. } | Self::Msg { key, .. } | Self::SetTopic { key, .. } => {
                key.as_ref()
            }
            Self::Hello(_)
            | Self::Join { .. }
            | Self::Rooms
            | Self::Names
            | Self::Whois { .. }
            | Self::Away { .. }
            | Self::Nick { .. }
            | Self::Topic
            | Self::History { .. }
            | Self::Search { .. }
            | Self::Quit => None,
        }
    }
}
