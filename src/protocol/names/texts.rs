//! Message texts, topics, away texts and search queries. Pure.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NameError, Take, read::readable, text_type};
use crate::protocol::{Limits, sanitize};

/// The text of a message: cleaned, not blank, at most [`Limits::MESSAGE`] bytes. Its line breaks
/// are `\n`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);
text_type!(Body);

impl Body {
    /// Returns the message `text`, cleaned. Blank lines at the beginning and white space at the end
    /// are removed.
    ///
    /// # Errors
    /// [`NameError::Empty`] if no visible character is left, [`NameError::TooLong`] above
    /// [`Limits::MESSAGE`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let cleaned = sanitize::lines(text);
        checked(cleaned.trim_start_matches('\n').trim_end(), Limits::MESSAGE).map(Self)
    }

    /// Returns the message `text`, cleaned, whatever the rules were when it was made. A text that
    /// is too long is cut. A text without visible characters is replaced.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::MESSAGE, sanitize::lines, Self::UNREADABLE))
    }

    /// The replacement for a message that cannot be shown.
    pub(crate) const UNREADABLE: &str = "(this message cannot be shown)";

    /// Returns the replacement for a message that cannot be shown.
    pub(crate) fn unreadable() -> Self {
        Self(Self::UNREADABLE.into())
    }
}

/// The topic of a room: one line, at most [`Limits::TOPIC`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic(Arc<str>);
text_type!(Topic);

impl Topic {
    /// Returns the topic `text`, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] if no visible character is left, [`NameError::TooLong`] above
    /// [`Limits::TOPIC`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::TOPIC).map(Self)
    }

    /// Returns the topic `text`, whatever the rules were when it was made. See [`Body::read`].
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

/// The text of a person who is away: one line, at most [`Limits::AWAY`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwayText(Arc<str>);
text_type!(AwayText);

impl AwayText {
    /// The text of a person who gave none.
    const PLAIN: &str = "away";

    /// Returns the away text `text`, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] if no visible character is left, [`NameError::TooLong`] above
    /// [`Limits::AWAY`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::AWAY).map(Self)
    }

    /// Returns the away text `text`, whatever the rules were when it was made. See [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::AWAY, |text| sanitize::line(text).into(), Self::PLAIN))
    }

    /// Returns the text of a person who gave none.
    #[must_use]
    pub fn plain() -> Self {
        Self(Self::PLAIN.into())
    }

    /// Returns `away`, or for example `away: at lunch`.
    #[must_use]
    pub fn words(&self) -> String {
        if self.as_str() == Self::PLAIN { Self::PLAIN.to_owned() } else { format!("away: {self}") }
    }
}

/// A search query: one line, at most [`Limits::QUERY`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query(Arc<str>);
text_type!(Query);

impl Query {
    /// Returns the query `text`, cleaned and on one line.
    ///
    /// # Errors
    /// [`NameError::Empty`] if no visible character is left, [`NameError::TooLong`] above
    /// [`Limits::QUERY`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(sanitize::line(text).trim(), Limits::QUERY).map(Self)
    }

    /// Returns the query `text`, whatever the rules were when it was made. See [`Body::read`].
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
