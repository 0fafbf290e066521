//! Reads back what was made elsewhere, by whatever rules. It never fails. Pure.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer};
use unicode_normalization::char::is_combining_mark;

use super::{AwayText, Body, IdempotencyKey, Nick, Query, RoomName, Take, Topic};
use crate::protocol::{Limits, sanitize};

/// Stands where something was that would do harm.
pub(super) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The end of a text that was too long.
const CUT: &str = " […]";

/// Returns the first `most` characters of a name that breaks our rules, as they are where they do
/// no harm: nothing that cannot be seen, and nothing that our lines and commands give a meaning.
pub(super) fn harmless(name: &str, most: usize) -> Arc<str> {
    // None may stand at the beginning: it would be drawn over what is before the name.
    let mut marks = Limits::COMBINING_MARKS;
    let show = |c| {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks <= Limits::COMBINING_MARKS && !sanitize::is_blank(c) && !":*/#@,<>\"".contains(c) {
            return c;
        }
        marks = 0;
        REPLACEMENT
    };
    let shown: String = name.chars().take(most).map(show).collect();
    if shown.is_empty() { REPLACEMENT.to_string().into() } else { shown.into() }
}

/// Returns what of `text` can be shown: all of it, its beginning where it is longer than `limit`,
/// or `instead` where there is nothing to see.
pub(super) fn readable(text: &str, limit: usize, clean: impl FnOnce(&str) -> Cow<'_, str>, instead: &str) -> Arc<str> {
    // What was stored once was clean and no longer than the limit. A text that is longer is not
    // looked at to its end.
    let cleaned = clean(&text[..text.floor_char_boundary(2 * limit)]);
    if cleaned.chars().all(sanitize::is_blank) {
        instead.into()
    } else if cleaned.len() > limit {
        let kept = &cleaned[..cleaned.floor_char_boundary(limit - CUT.len())];
        [kept, CUT].concat().into()
    } else {
        cleaned.into()
    }
}

/// What has a constructor `read`.
trait ReadBack: Sized {
    fn read_back(text: &str) -> Self;
}

/// A name or text, or several, that [`read`] reads back.
pub(crate) trait ReadAll: Sized {
    fn read_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads with `read` what is deserialized otherwise with `new`: for `deserialize_with`, wherever a
/// server speaks.
pub(crate) fn read<'de, T: ReadAll, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read_all(deserializer)
}

/// Reads a key; one that is none is as good as none.
pub(crate) fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IdempotencyKey>, D::Error> {
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
read_back!(Nick, RoomName, Body, Topic, AwayText, Query);
