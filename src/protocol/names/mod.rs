//! The names and texts of the protocol. Pure.
//!
//! Each type has two constructors. `new` checks new input, and other code may rely on its result.
//! `read` reads back what was made elsewhere, from our disk or from a server. It never fails,
//! because a rule that is tightened later must not make old data unreadable. Its result is always
//! safe to show on a screen.

mod nick;
mod read;
#[cfg(test)]
mod tests;
mod texts;

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use self::read::harmless;
pub(crate) use self::read::read;
pub(super) use self::read::read_key;
pub use self::{
    nick::Nick,
    texts::{AwayText, Body, Query, Topic},
};
use super::Limits;

/// The reason why a name or text was refused. Its words are for the author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a [`Nick`].
    #[error(
        "a nick has 1 to {} visible characters, letters or digits among them, is not `you`, and has no space, arrow or line nor what looks like one of : * / # @ , < > \" ! ? $ % & + ~",
        Limits::NICK_CHARS
    )]
    Nick,
    /// Not a [`RoomName`].
    #[error(
        "a room name has 1 to {} characters a-z, 0-9, - and _, and begins with a letter or digit",
        Limits::ROOM_CHARS
    )]
    Room,
    /// A text without visible characters.
    #[error("a message needs something to say")]
    Empty,
    /// A text longer than its limit, in bytes.
    #[error("too long: {is} bytes; the maximum is {limit}")]
    TooLong {
        /// The length of the cleaned text.
        is: usize,
        /// The maximum length.
        limit: usize,
    },
    /// Not an [`IdempotencyKey`].
    #[error("a key has 1 to {} printable ASCII characters and no space", Limits::KEY)]
    Key,
}

/// Reads a string in place, so that the result is the only copy.
struct Take<T>(fn(&str) -> Result<T, NameError>);

impl<T> Visitor<'_> for Take<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}

/// Implements what all of these types have in common.
macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Take(Self::new))
            }
        }
    };
}

use text_type;

/// The name of a room, and the path of its URL: `[a-z0-9][a-z0-9_-]{0,31}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);
text_type!(RoomName);

impl RoomName {
    /// Returns the room that `text` names. One leading `#` and capital letters are accepted.
    ///
    /// # Errors
    /// [`NameError::Room`] if it does not have that form.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let name = text.strip_prefix('#').unwrap_or(text);
        let fits = (1..=Limits::ROOM_CHARS).contains(&name.len());
        let may_stand = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !fits || !name.bytes().all(may_stand) || name.starts_with(['-', '_']) {
            return Err(NameError::Room);
        }
        let has_capitals = name.bytes().any(|b| b.is_ascii_uppercase());
        Ok(Self(if has_capitals { name.to_ascii_lowercase().into() } else { name.into() }))
    }

    /// Returns the room that `text` names, whatever the rules were when it was made. See
    /// [`Nick::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::new(text).unwrap_or_else(|_| {
            let shown = harmless(text, Limits::ROOM_CHARS);
            Self::new(&shown).unwrap_or(Self(shown))
        })
    }

    /// Returns the room of the path `/`.
    #[must_use]
    pub fn lobby() -> Self {
        Self("lobby".into())
    }
}

/// A key that makes a message count once if it is sent twice. The client chooses it. It is unique
/// within a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);
text_type!(IdempotencyKey);

impl IdempotencyKey {
    /// Returns the key that `text` spells.
    ///
    /// # Errors
    /// [`NameError::Key`] if it is empty, is longer than [`Limits::KEY`], or has a character that
    /// is not printable ASCII.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fits = (1..=Limits::KEY).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) { Ok(Self(text.into())) } else { Err(NameError::Key) }
    }
}

/// The place of a message in the order of all messages of the server. Ids strictly increase. Within
/// a room they may have gaps. 0 is before the first message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// A time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);
