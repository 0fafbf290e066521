//! What a client says. Pure.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::{
    AwayText, Body, Epoch, IdempotencyKey, MessageId, Nick, PersonId, Query, RoomName, Run, SessionToken, Timestamp,
    Topic,
};

/// The first thing a JSON client says, in answer to the server's `hello`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The nick wanted; without one the server gives a guest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<Nick>,
    /// The room wanted, in place of the URL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The token of an earlier `welcome`, or 128 random bits of one's own: whose connection this
    /// is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
    /// The epoch that [`Self::after`] belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The run of the `welcome` under which [`Self::after`] was seen; without it, only a cursor
    /// that is past the end is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The cursor: everything after this id is wanted. Counts only as far as it is of the server's
    /// own history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
    /// Without a cursor: the messages of the last so many seconds are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Without these: how many of the latest messages are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Who it is and where it wants to go on.
    Hello(ClientHello),
    /// Says `text` in the room.
    Say {
        /// Comes back in the echo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// What is said.
        text: Body,
    },
    /// Says `* nick text` in the room.
    Me {
        /// Comes back in the echo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// What is done.
        text: Body,
    },
    /// Tells one person alone.
    Msg {
        /// Comes back in the echo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// To whom.
        to: Nick,
        /// Which person, whatever their nick is by now; an earlier version looks for `to`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<PersonId>,
        /// What.
        text: Body,
    },
    /// Goes to another room.
    Join {
        /// Which.
        room: RoomName,
        /// How many of its latest messages are wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<u32>,
    },
    /// Asks which rooms have people in them.
    Rooms,
    /// Asks who is in the room.
    Names,
    /// Asks about one person.
    Whois {
        /// Whom.
        nick: Nick,
    },
    /// Says that one is away, or is back.
    Away {
        /// What to tell those who ask; without it, who is away is back, and who is not is away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<AwayText>,
    },
    /// Takes another nick.
    Nick {
        /// Which.
        nick: Nick,
    },
    /// Asks for the topic.
    Topic,
    /// Sets the topic, or clears it.
    SetTopic {
        /// Comes back in the echo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
        /// The new topic; none clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Topic>,
    },
    /// Asks for a page of messages.
    History {
        /// The page begins after this id; without it, it is the last one before `before`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        /// The page ends before this id; without it, at the latest message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<MessageId>,
        /// The page begins with what was said then or later, in place of `after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// How many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Searches the room.
    Search {
        /// Words, each of which begins a word of the message; in double quotes a phrase that stands
        /// in it. Filters say who said it and when (`search`).
        query: Query,
        /// How many messages are wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// Only messages before this id: the next page after the one that ends with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<MessageId>,
        /// Whether all rooms that the person is in are searched, and not only this one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        /// What `after:` in the query means where the user is; without it, a day begins as in UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// What `before:` means.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Leaves for good: the nick is free at once.
    Quit,
}

impl ClientMessage {
    /// Returns the key of what is a text.
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
