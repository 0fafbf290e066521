//! What is said, what a room is about, and what is searched for. Pure.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NameError, Take, read::readable, text_type};
use crate::protocol::{Limits, sanitize};

/// The text of a message: cleaned, not blank, at most [`Limits::MESSAGE`] bytes, line breaks as
/// `\n`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);
text_type!(Body);

impl Body {
    /// Returns the message that `text` says, cleaned; blank lines round it go.
    ///
    /// # Errors
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past
    /// [`Limits::MESSAGE`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let cleaned = sanitize::lines(text);
        checked(cleaned.trim_start_matches('\n').trim_end(), Limits::MESSAGE).map(Self)
    }

    /// Returns the message that `text` says, cleaned, whatever the rules were where it was made:
    /// cut where it is too long, and some words of ours where there is nothing to see.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::MESSAGE, sanitize::lines, Self::UNREADABLE))
    }

    /// Stands where a message was that cannot be shown.
    pub(crate) const UNREADABLE: &str = "(this message cannot be shown)";

    /// Returns what stands in the place of a message that cannot be shown.
    pub(crate) fn unreadable() -> Self {
        Self(Self::UNREADABLE.into())
    }
}

/// What a room is about: one line, at most [`Limits::TOPIC`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic(Arc<str>);
text_type!(Topic);

impl Topic {
    /// Returns the topic that `text` spells, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past
    /// [`Limits::TOPIC`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::TOPIC).map(Self)
    }

    /// Returns the topic that `text` spells, whatever the rules were where it was made. See
    /// [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::TOPIC, |text| sanitize::line(text).into(), "(this topic cannot be shown)"))
    }

    /// Returns the topic as the text of the message that set it.
    #[must_use]
    pub fn into_body(self) -> Body {
        Body(self.0)
    }
}

/// What somebody who is away says of it: one line, at most [`Limits::AWAY`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwayText(Arc<str>);
text_type!(AwayText);

impl AwayText {
    /// Stands where nothing more is said of it.
    const PLAIN: &str = "away";

    /// Returns what `text` says of it, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past
    /// [`Limits::AWAY`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::AWAY).map(Self)
    }

    /// Returns what `text` says of it, whatever the rules were where it was made. See
    /// [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::AWAY, |text| sanitize::line(text).into(), Self::PLAIN))
    }

    /// Returns that somebody is away, and nothing more.
    #[must_use]
    pub fn plain() -> Self {
        Self(Self::PLAIN.into())
    }

    /// Returns the words `away`, or `away: at lunch`.
    #[must_use]
    pub fn words(&self) -> String {
        if self.as_str() == Self::PLAIN { Self::PLAIN.to_owned() } else { format!("away: {self}") }
    }
}

/// What somebody searches for: one line, at most [`Limits::QUERY`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query(Arc<str>);
text_type!(Query);

impl Query {
    /// Returns the search that `text` spells, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past
    /// [`Limits::QUERY`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::QUERY).map(Self)
    }

    /// Returns the search that `text` spells, whatever the rules were where it was made. See
    /// [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::QUERY, |text| sanitize::line(text).into(), "(this search cannot be shown)"))
    }
}

fn checked(text: &str, limit: usize) -> Result<Arc<str>, NameError> {
    match text.len() {
        is if is > limit => Err(NameError::TooLong { is, limit }),
        _ if text.chars().all(sanitize::is_blank) => Err(NameError::Empty),
        _ => Ok(text.into()),
    }
}
