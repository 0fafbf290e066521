//! The names and texts of the protocol. Pure.
//!
//! Each has two constructors. `new` is for what is *made*: it checks, and past it code may assume. `read` is for what was made elsewhere
//! and is read back, from our disk or from a server: it never fails, since no rule that is tightened later may make it unreadable,
//! and it returns nothing that would do harm on a screen.

use std::{borrow::Cow, fmt, sync::Arc};

use precis_core::profile::PrecisFastInvocation as _;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use unicode_normalization::char::is_combining_mark;

use super::{
    Limits, clean,
    skeleton::{has_refused_punctuation, skeleton},
};

/// Stands where something was that would do harm.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The end of a text that was too long.
const CUT: &str = " […]";

/// Why a name or text was refused; its words go to whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a [`Nick`].
    #[error(
        "a nick has 1 to {} visible characters, letters or digits among them, and no space nor what looks like one of : * / # @ , < > \" ! ? $ % & + ~",
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

/// Takes a text where it stands: what it becomes is the only copy.
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

/// What has a constructor `read`.
pub(super) trait ReadBack: Sized {
    fn read_back(text: &str) -> Self;
}

/// A name or text, or several, that [`read`] reads back.
pub(crate) trait ReadAll: Sized {
    fn read_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads with `read` what is deserialized otherwise with `new`: for `deserialize_with`, wherever a server speaks.
pub(crate) fn read<'de, T: ReadAll, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read_all(deserializer)
}

/// Reads a key; one that is none is as good as none.
pub(super) fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IdempotencyKey>, D::Error> {
    let key = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(key.and_then(|key| IdempotencyKey::new(&key).ok()))
}

struct Lenient<T>(T);

impl<'de, T: ReadBack> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Take(|text| Ok(Self(T::read_back(text)))))
    }
}

impl<T: ReadBack> ReadAll for Option<T> {
    fn read_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Lenient<T>>::deserialize(deserializer)?.map(|read| read.0))
    }
}

impl<T: ReadBack> ReadAll for Vec<T> {
    fn read_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Lenient<T>>::deserialize(deserializer)?.into_iter().map(|read| read.0).collect())
    }
}

macro_rules! read_back {
    ($($name:ident),*) => {$(
        impl ReadBack for $name {
            fn read_back(text: &str) -> Self {
                Self::read(text)
            }
        }
        impl ReadAll for $name {
            fn read_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Lenient::deserialize(deserializer)?.0)
            }
        }
    )*};
}
read_back!(Nick, RoomName, Body, Topic, Query);

/// Returns the first `most` characters of a name that breaks our rules, as they are where they do no harm: nothing that cannot be
/// seen, and nothing that our lines and commands give a meaning.
fn harmless(name: &str, most: usize) -> Arc<str> {
    // None may stand at the beginning: it would be drawn over what is before the name.
    let mut marks = Limits::COMBINING_MARKS;
    let show = |c| {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks <= Limits::COMBINING_MARKS && !clean::is_blank(c) && !":*/#@,<>\"".contains(c) {
            return c;
        }
        marks = 0;
        REPLACEMENT
    };
    let shown: String = name.chars().take(most).map(show).collect();
    if shown.is_empty() { REPLACEMENT.to_string().into() } else { shown.into() }
}

/// Returns what of `text` can be shown: all of it, its beginning where it is longer than `limit`, or `instead` where there is nothing
/// to see.
fn readable(text: &str, limit: usize, clean: impl FnOnce(&str) -> Cow<'_, str>, instead: &str) -> Arc<str> {
    // What was stored once was clean and no longer than the limit. A text that is longer is not looked at to its end.
    let cleaned = clean(&text[..text.floor_char_boundary(2 * limit)]);
    if cleaned.chars().all(clean::is_blank) {
        instead.into()
    } else if cleaned.len() > limit {
        let kept = &cleaned[..cleaned.floor_char_boundary(limit - CUT.len())];
        [kept, CUT].concat().into()
    } else {
        cleaned.into()
    }
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
        // The replacement characters of Unicode are no letters, and show that something is missing.
        let is_seen = |c| !clean::is_blank(c) && !matches!(c, '\u{fffc}' | REPLACEMENT);
        let is_nick = nick.chars().count() <= Limits::NICK_CHARS
            && nick.chars().any(char::is_alphanumeric)
            && nick.chars().all(is_seen)
            && nick.chars().next().is_some_and(|first| !is_combining_mark(first))
            && !has_refused_punctuation(&nick)
            && clean::lines(&nick) == nick;
        if is_nick { Ok(Self(nick.into())) } else { Err(NameError::Nick) }
    }

    /// Returns the nick that `text` spells, whatever the rules were where it was made. It is as it was, but for U+FFFD in the place of
    /// what would do harm on a screen.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(if is_simple(text) { text.into() } else { harmless(text, Limits::NICK_CHARS) })
    }

    /// Returns whether a nick that was read back is as it was where it was made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.0.contains(REPLACEMENT)
    }

    /// Returns whether to make a nick of it, such as [`Self::numbered`], takes no more than a look at its bytes.
    pub(crate) fn is_cheap(&self) -> bool {
        is_simple(&self.0)
    }

    /// Returns a login name as a nick, without what a nick may not have, or none where nothing of it is one.
    #[must_use]
    pub fn of_login(name: &str) -> Option<Self> {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fitting = || name.chars().filter(kept).take(Limits::NICK_CHARS).collect::<String>();
        Self::new(name).or_else(|_| Self::new(&fitting())).ok()
    }

    /// Returns another nick: this one with `-number` behind it, shortened to fit. It is tried when this one is taken.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Self {
        let suffix = format!("-{number}");
        let length = self.0.chars().count();
        let keep = length.min(Limits::NICK_CHARS.saturating_sub(suffix.len()));
        // Some characters may only stand beside certain others (RFC 5892 appendix A), so that a nick may not end anywhere; where the
        // next places are not good either, it is not worth the search.
        let shorter = [0, 1, 2, 4, 8, 16].into_iter().filter_map(|cut| keep.checked_sub(cut)).filter(|keep| *keep > 0);
        let candidates = shorter.map(|keep| self.0.chars().take(keep).chain(suffix.chars()).collect::<String>());
        let numbered = candidates.filter_map(|nick| Self::new(&nick).ok()).find(|nick| nick != self);
        numbered.unwrap_or_else(|| Self::guest(number))
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

    /// Returns the room that `text` names, whatever the rules were where it was made. See [`Nick::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::new(text).unwrap_or_else(|_| Self(harmless(text, Limits::ROOM_CHARS)))
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

impl Body {
    /// Returns the message that `text` says, cleaned, whatever the rules were where it was made: cut where it is too long, and some
    /// words of ours where there is nothing to see.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::MESSAGE, clean::lines, Self::UNREADABLE))
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
    /// [`NameError::Empty`] when nothing visible is left, [`NameError::TooLong`] past [`Limits::TOPIC`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        checked(clean::line(text).trim(), Limits::TOPIC).map(Self)
    }

    /// Returns the topic that `text` spells, whatever the rules were where it was made. See [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::TOPIC, |text| clean::line(text).into(), "(this topic cannot be shown)"))
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

    /// Returns the search that `text` spells, whatever the rules were where it was made. See [`Body::read`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(readable(text, Limits::QUERY, |text| clean::line(text).into(), "(this search cannot be shown)"))
    }
}

fn checked(text: &str, limit: usize) -> Result<Arc<str>, NameError> {
    match text.len() {
        is if is > limit => Err(NameError::TooLong { is, limit }),
        _ if text.chars().all(clean::is_blank) => Err(NameError::Empty),
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
        for nick in [
            "ada",
            "Ada_Lovelace",
            "münchen",
            "O'Brien",
            "[ada]",
            "ada🌻",
            "学生",
            "أدا",
            "مُحَمَّد",
            "שָׁלוֹם",
            "צ׳רלי",
            "अर्जुन",
            "रामः",
            "ประภัสสร",
            "김연아",
            "木ノ下",
            "ノゾミ",
            "ア・ラ",
            "Ἀθηνᾶ",
            "Иван",
            "ᏣᎳᎨᎯ",
            "col·lega",
            "guest-7",
            "x",
            "7",
        ] {
            assert_eq!(Nick::new(nick).as_ref().map(Nick::as_str), Ok(nick), "{nick}");
        }
    }

    #[test]
    fn what_is_no_nick_is_refused() {
        let long = "x".repeat(33);
        for nick in ["", "a b", "a\u{200b}b", "a\u{202e}b", "a\nb", "a\u{1b}[0m", "a\u{200d}b", "--", &long] {
            assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
        }
        // A nick has a letter or a digit, and does not begin with what is drawn over something else.
        for nick in ["_", "☃", "'", "🌻", "\u{301}", "\u{301}ada", "ा", "·", "・"] {
            assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
        }
        // What cannot be seen, or looks like a space.
        for c in " \u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\u{180b}\u{180e}\u{2000}\u{200e}\u{2028}\u{202f}\u{2062}\u{2800}\
                  \u{3000}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fffc}\u{fffd}\u{13441}\u{1d159}\u{1d173}\u{e0041}\u{e0100}\u{e000}\u{10ffff}"
            .chars()
        {
            let nick = format!("a{c}b");
            assert_eq!(Nick::new(&nick), Err(NameError::Nick), "{nick:?}");
        }
        // What our lines or those of other chat protocols give a meaning, and what looks like it.
        for c in ":*/#@,<>\"!?$%&+~：＊／＃＠，＜＞＂！？＄％＆＋～꞉∶ː∗⁎٭⁄∕╱‚،‹›“”″ǃʔ؟﹖﹗﹟﹠﹡﹢٪∼〜ꓽः،、ノ«✱".chars()
        {
            let nick = format!("a{c}b");
            assert_eq!(Nick::new(&nick), Err(NameError::Nick), "{nick:?}");
        }
        for nick in ["ः", "ノ", "ノノ", "adaノ", "ǃkung", "ꓮꓓꓮꓽ", "∗⠀bob⠀joined", "ada꞉"] {
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
    fn what_is_read_back_is_as_it_was_or_harmless() {
        let long = "x".repeat(40);
        for (stored, shown) in [
            ("ada", "ada"),
            // Valid once.
            ("☃", "☃"),
            ("ada!", "ada!"),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2"),
            // Never.
            ("", "\u{fffd}"),
            ("a b", "a\u{fffd}b"),
            ("\u{1b}[31m* bob\n", "\u{fffd}[31m\u{fffd}\u{fffd}bob\u{fffd}"),
            ("\u{301}a\u{202e}\u{2800}", "\u{fffd}a\u{fffd}\u{fffd}"),
            (&long, &long[..32]),
        ] {
            assert_eq!(Nick::read(stored).as_str(), shown);
        }
        assert_eq!(RoomName::read("#Rust").as_str(), "rust");
        assert_eq!(RoomName::read("rust.dev").as_str(), "rust.dev");
        assert_eq!(RoomName::read("a/b c").as_str(), "a\u{fffd}b\u{fffd}c");
        assert_eq!(Body::read(" a\u{7}\r\nb ").as_str(), " a\nb ");
        assert_eq!(Body::read("\u{200b}").as_str(), "(this message cannot be shown)");
        assert_eq!(Topic::read("a\nb").as_str(), "a b");
        let cut = Topic::read(&"ü".repeat(Limits::TOPIC));
        assert!(cut.as_str().ends_with("ü […]") && cut.as_str().len() <= Limits::TOPIC);
    }

    #[test]
    fn a_numbered_nick_fits() {
        assert_eq!(Nick::new("ada").unwrap().numbered(2).as_str(), "ada-2");
        assert_eq!(Nick::new(&"学".repeat(32)).unwrap().numbered(17).as_str(), format!("{}-17", "学".repeat(29)));
        // Each of these would end, or begin, where it may not.
        for (nick, numbered) in [
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·lx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxl-2"),
            ("・・・・・・・・・・・・・・・・・・・・・・・・・・・・・・・ア", "guest-2"),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-2", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx-2"),
        ] {
            assert_eq!(Nick::new(nick).unwrap().numbered(2).as_str(), numbered);
        }
        assert_eq!(Nick::guest(u64::MAX), Nick::new(Nick::guest(u64::MAX).as_str()).unwrap());
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
        for blank in
            [" \u{200b} ", "\u{2800}", "\u{200d}", "\u{fe0f}", "\u{3164}", "\u{200e}", "\u{115f}\n\u{1160}\t\u{e0041}"]
        {
            assert_eq!(Body::new(blank), Err(NameError::Empty), "{blank:?}");
            assert_eq!(Topic::new(blank), Err(NameError::Empty), "{blank:?}");
            assert_eq!(Query::new(blank), Err(NameError::Empty), "{blank:?}");
        }
        assert!(Body::new(&"x".repeat(Limits::MESSAGE)).is_ok());
        assert_eq!(Body::new(&"x".repeat(Limits::MESSAGE + 1)), Err(NameError::TooLong { is: 16_385, limit: 16_384 }));
    }

    #[test]
    fn a_topic_is_one_line() {
        assert_eq!(Topic::new("a\nb").unwrap().as_str(), "a b");
        assert!(Topic::new(&"x".repeat(Limits::TOPIC + 1)).is_err());
    }

    /// Characters that depend on those beside them, one by one and in pieces that are valid, with plain ones between. Of any
    /// characters, hardly any make a nick.
    fn delicate() -> impl Strategy<Value = String> {
        let pieces = [
            "a",
            "l",
            "l·l",
            "·",
            "\u{200c}",
            "क\u{94d}\u{200d}ष",
            "\u{200d}",
            "・",
            "ア",
            "ノ",
            "木",
            "͵",
            "͵α",
            "α",
            "׳",
            "ג׳",
            "״",
            "ש״ס",
            "ש",
            "٣",
            "۳",
            "ه",
            "\u{301}",
            "e\u{301}",
            "\u{94d}",
            "रामः",
            "ः",
            "\u{64b}",
            "김",
            "ᄀ",
            "\u{3164}",
            "-",
            "_",
            ".",
            "-2",
            "7",
            "İ",
            "ǅ",
            "ﬁ",
            "ａ",
            "꞉",
            "\u{2800}",
            "🌻",
            " ",
            "\u{fffd}",
            "x",
            "xx",
            "xxxxxxxx",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 1..34)
            .prop_map(|pieces| pieces.concat().chars().take(Limits::NICK_CHARS).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_nick_stays_a_nick_whatever_is_done_to_it(text in delicate(), number in prop_oneof![2..60_u64, any::<u64>()]) {
            if let Ok(nick) = Nick::new(&text) {
                prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick.clone()));
                prop_assert_eq!(Nick::read(nick.as_str()), nick.clone());
                let numbered = nick.numbered(number);
                prop_assert_eq!(Nick::new(numbered.as_str()), Ok(numbered.clone()));
                prop_assert!(numbered.as_str().chars().count() <= Limits::NICK_CHARS);
                prop_assert_ne!(numbered, nick);
            }
            if let Some(nick) = Nick::of_login(&text) {
                prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick));
            }
        }

        #[test]
        fn what_is_read_back_can_be_shown(text in prop_oneof![any::<String>(), delicate()]) {
            let nick = Nick::read(&text);
            prop_assert_eq!(Nick::read(nick.as_str()), nick.clone());
            for name in [nick.as_str(), RoomName::read(&text).as_str()] {
                prop_assert!((1..=Limits::NICK_CHARS).contains(&name.chars().count()));
                prop_assert!(!name.chars().any(|c| clean::is_blank(c) || ":*/#@,<>\"".contains(c)), "{:?}", name);
                prop_assert!(!name.starts_with(is_combining_mark), "{:?}", name);
            }
            let (body, topic, query) = (Body::read(&text), Topic::read(&text), Query::read(&text));
            for text in [body.as_str(), topic.as_str(), query.as_str()] {
                prop_assert!(!text.chars().all(clean::is_blank));
                prop_assert_eq!(clean::lines(text), text);
            }
        }
    }

    #[test]
    fn a_login_name_is_a_nick_as_far_as_it_can_be() {
        let long = "x".repeat(40);
        for (login, nick) in [
            ("ada", Some("ada")),
            ("Ada Lovelace", Some("AdaLovelace")),
            ("CORP\\ada$", Some("CORPada")),
            ("ａｄａ！", Some("ada")),
            (&long, Some(&long[..32])),
            ("", None),
            ("__", None),
            ("\u{3164}", None),
            ("\u{301}\u{1b}", None),
        ] {
            assert_eq!(Nick::of_login(login).as_ref().map(Nick::as_str), nick, "{login:?}");
        }
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
