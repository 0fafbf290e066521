//! The names and texts of the protocol, each with one constructor that checks it: past it, code may assume. Pure.

use std::{fmt, sync::Arc};

use precis_core::profile::PrecisFastInvocation as _;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::{Limits, clean, skeleton::skeleton};

/// Why a name or text was refused; its words go to whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a [`Nick`].
    #[error(
        "a nick has 1 to {} visible characters, none of them a space or one of : * / # @ , < > \"",
        Limits::NICK_CHARS
    )]
    Nick,
    /// Not a [`RoomName`].
    #[error(
        "a room name has 1 to {} characters a-z, 0-9, - and _, and begins with a letter or digit",
        Limits::ROOM_CHARS
    )]
    Room,
    /// A text with nothing to see in it.
    #[error("a message needs something to say")]
    Empty,
    /// A text longer than its limit, in bytes.
    #[error("too long: {is} bytes, and {limit} are the most")]
    TooLong {
        /// How long the cleaned text is.
        is: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not an [`IdempotencyKey`].
    #[error("a key has 1 to {} printable ASCII characters and no space", Limits::KEY)]
    Key,
}

/// Reads a text where it stands: what it becomes is the only copy.
struct Read<T>(fn(&str) -> Result<T, NameError>);

impl<T> Visitor<'_> for Read<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}

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
                deserializer.deserialize_str(Read(Self::new))
            }
        }
    };
}

/// What a person is called: unique on a server, in the form of RFC 8266 (PRECIS Nickname) and narrower.
///
/// No spaces and none of the characters that our lines and commands give a meaning, so that no nick can forge a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nick(Arc<str>);
text_type!(Nick);

impl Nick {
    /// Returns the nick that `text` spells.
    ///
    /// # Errors
    /// [`NameError::Nick`] when it is empty or too long or has a character that a nick may not have.
    pub fn new(text: &str) -> Result<Self, NameError> {
        // Four bytes a character are the most that UTF-8 takes; what is longer need not be looked at.
        if text.len() > 4 * Limits::NICK_CHARS {
            return Err(NameError::Nick);
        }
        if is_simple(text) {
            return Ok(Self(text.into()));
        }
        Self::by_precis(text)
    }

    fn by_precis(text: &str) -> Result<Self, NameError> {
        let nick = precis_profiles::Nickname::enforce(text).map_err(|_| NameError::Nick)?;
        let may_stand = |c: char| {
            !(c.is_whitespace()
                || c.is_control()
                || clean::is_invisible(c)
                || matches!(c, '\u{200c}'..='\u{200f}' | '\u{61c}')
                || matches!(c, ':' | '*' | '/' | '#' | '@' | ',' | '<' | '>' | '"'))
        };
        let visible = nick.chars().any(char::is_alphanumeric) || !nick.chars().all(|c| c.is_ascii_punctuation());
        if nick.chars().count() > Limits::NICK_CHARS
            || !visible
            || !nick.chars().all(may_stand)
            || clean::lines(&nick) != nick
        {
            return Err(NameError::Nick);
        }
        Ok(Self(nick.into()))
    }

    /// Returns this nick with `-number` behind it, shortened to fit: the one that is tried when this one is taken.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Self {
        let suffix = format!("-{number}");
        let keep = Limits::NICK_CHARS.saturating_sub(suffix.len());
        let base: String = self.0.chars().take(keep).collect();
        Self(format!("{base}{suffix}").into())
    }

    /// Returns the name given to the `number`th who came without one.
    #[must_use]
    pub fn guest(number: u64) -> Self {
        Self(format!("guest-{number}").into())
    }

    /// Returns two keys; nicks that share one of them look alike and count as the same nick.
    ///
    /// They are the UTS 39 section 4 skeletons of the nick as it is seen and of its lower case, because `Ivan` is both the
    /// `ivan` of RFC 8266 section 2.4 and, to the eye, `lvan`.
    #[must_use]
    pub fn look_alikes(&self) -> [String; 2] {
        let (seen, lower) = (skeleton(&self.0), self.0.to_lowercase());
        // Most nicks are in lower case.
        let same = lower == *self.0;
        [seen.clone(), if same { seen } else { skeleton(&lower) }]
    }
}

/// Returns whether `text` is a nick as it stands, by a look at its bytes: it is what most nicks are, and PRECIS takes many
/// times as long.
fn is_simple(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= Limits::NICK_CHARS
        && text.bytes().all(may_stand)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// The name of a room, and the path of its URL: `[a-z0-9][a-z0-9_-]{0,31}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);
text_type!(RoomName);

impl RoomName {
    /// Returns the room that `text` names; one leading `#` and capitals are understood.
    ///
    /// # Errors
    /// [`NameError::Room`] when it is not of that form.
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

    /// Returns the room of the path `/`.
    #[must_use]
    pub fn lobby() -> Self {
        Self("lobby".into())
    }
}

/// The text of a message: cleaned, not blank, at most [`Limits::MESSAGE`] bytes, line breaks as `\n`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);
text_type!(Body);

impl Body {
    /// Returns the message that `text` says, cleaned; blank lines round it go.
    ///
    /// # Errors
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past [`Limits::MESSAGE`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let cleaned = clean::lines(text);
        checked(cleaned.trim_start_matches('\n').trim_end(), Limits::MESSAGE).map(Self)
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
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past [`Limits::TOPIC`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(clean::line(text).trim(), Limits::TOPIC).map(Self)
    }

    /// Returns the topic as the text of the message that set it.
    #[must_use]
    pub fn into_body(self) -> Body {
        Body(self.0)
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
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past [`Limits::QUERY`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(clean::line(text).trim(), Limits::QUERY).map(Self)
    }
}

fn checked(text: &str, limit: usize) -> Result<Arc<str>, NameError> {
    match text.len() {
        is if is > limit => Err(NameError::TooLong { is, limit }),
        _ if text.trim().is_empty() => Err(NameError::Empty),
        _ => Ok(text.into()),
    }
}

/// What makes a message sent twice count once: chosen by the client, unique within its session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);
text_type!(IdempotencyKey);

impl IdempotencyKey {
    /// Returns the key that `text` spells.
    ///
    /// # Errors
    /// [`NameError::Key`] when it is empty, longer than [`Limits::KEY`] or has other than printable ASCII in it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fits = (1..=Limits::KEY).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) { Ok(Self(text.into())) } else { Err(NameError::Key) }
    }
}

/// The place of a message in the server's one order: strictly increasing, not gapless within a room. 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// A moment, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike(a: &str, b: &str) -> bool {
        let (a, b) = (Nick::new(a).unwrap().look_alikes(), Nick::new(b).unwrap().look_alikes());
        a.iter().any(|key| b.contains(key))
    }

    #[test]
    fn nicks_of_many_scripts_are_nicks() {
        for nick in ["ada", "Ada_Lovelace", "münchen", "学生", "أدا", "guest-7", "x", "☃"] {
            assert_eq!(Nick::new(nick).unwrap().as_str(), nick);
        }
    }

    #[test]
    fn what_is_no_nick_is_refused() {
        let long = "x".repeat(33);
        for nick in [
            "",
            " ",
            "a b",
            "a\u{200b}b",
            "a\u{202e}b",
            "a\nb",
            "a\u{1b}[0m",
            "a:",
            "*",
            "/x",
            "#x",
            "@x",
            "a\u{200d}b",
            "--",
            &long,
        ] {
            assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
        }
    }

    #[test]
    fn a_nick_takes_its_normal_form() {
        assert_eq!(Nick::new(" ada ").unwrap().as_str(), "ada");
        assert_eq!(Nick::new("ａｄａ").unwrap().as_str(), "ada");
    }

    #[test]
    fn a_look_at_the_bytes_says_what_precis_says() {
        for first in 0..0x80_u8 {
            for text in [vec![first], vec![first, b'a'], vec![b'A', first], vec![b'-', first, b'9']] {
                let text = String::from_utf8(text).unwrap();
                assert_eq!(Nick::new(&text), Nick::by_precis(&text), "{text:?}");
            }
        }
        for text in ["x".repeat(32), "x".repeat(33), "-".repeat(32)] {
            assert_eq!(Nick::new(&text), Nick::by_precis(&text), "{text:?}");
        }
    }

    #[test]
    fn nicks_that_look_alike_are_the_same_nick() {
        assert!(alike("ada", "ADA"));
        assert!(alike("ada", "аdа"), "Cyrillic а");
        assert!(alike("Ivan", "lvan"), "capital I and small L");
        assert!(alike("Ivan", "ivan"));
        assert!(alike("rnary", "mary"));
        assert!(!alike("ada", "bob"));
        assert!(!alike("ivan", "lvan"));
    }

    #[test]
    fn a_numbered_nick_fits() {
        assert_eq!(Nick::new("ada").unwrap().numbered(2).as_str(), "ada-2");
        assert_eq!(Nick::new(&"学".repeat(32)).unwrap().numbered(17).as_str(), format!("{}-17", "学".repeat(29)));
    }

    #[test]
    fn rooms_take_their_normal_form_or_are_refused() {
        assert_eq!(RoomName::new("#Rust").unwrap().as_str(), "rust");
        let long = "x".repeat(33);
        for room in ["", "#", "##a", "-a", "_a", "a b", "a/b", "ä", &long] {
            assert_eq!(RoomName::new(room), Err(NameError::Room), "{room:?}");
        }
    }

    #[test]
    fn a_body_is_cleaned_and_bounded() {
        assert_eq!(Body::new("\n  hi\u{7} \r\n").unwrap().as_str(), "  hi");
        assert_eq!(Body::new(" \u{200b} "), Err(NameError::Empty));
        assert!(Body::new(&"x".repeat(Limits::MESSAGE)).is_ok());
        assert_eq!(Body::new(&"x".repeat(Limits::MESSAGE + 1)), Err(NameError::TooLong { is: 16_385, limit: 16_384 }));
    }

    #[test]
    fn a_topic_is_one_line() {
        assert_eq!(Topic::new("a\nb").unwrap().as_str(), "a b");
        assert!(Topic::new(&"x".repeat(Limits::TOPIC + 1)).is_err());
    }

    proptest! {
        #[test]
        fn constructors_never_panic_and_are_idempotent(text in any::<String>()) {
            if let Ok(nick) = Nick::new(&text) {
                prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick.clone()));
                prop_assert_eq!(Nick::new(nick.numbered(2).as_str()), Ok(nick.numbered(2)));
            }
            if let Ok(body) = Body::new(&text) {
                prop_assert_eq!(Body::new(body.as_str()), Ok(body.clone()));
            }
            if let Ok(topic) = Topic::new(&text) {
                prop_assert_eq!(Topic::new(topic.as_str()), Ok(topic.clone()));
            }
            drop((RoomName::new(&text), IdempotencyKey::new(&text)));
        }
    }
}
