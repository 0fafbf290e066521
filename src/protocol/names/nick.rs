//! What people are called, and which characters that may have. Pure.

use std::{fmt, sync::Arc};

use precis_core::profile::PrecisFastInvocation as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::char::is_combining_mark;

use super::{
    NameError, Take,
    read::{REPLACEMENT, harmless},
    text_type,
};
use crate::protocol::{
    Limits,
    confusables::{has_refused_punctuation, is_drawn_by_screens, is_the_reader, may_begin, skeleton},
    sanitize,
};

/// What a person is called: unique on a server, in the form of RFC 8266 (PRECIS Nickname) and
/// narrower.
///
/// No spaces and none of the characters that our lines and commands give a meaning, so that no nick
/// can forge a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nick(Arc<str>);
text_type!(Nick);

impl Nick {
    /// Returns the nick that `text` spells.
    ///
    /// # Errors
    /// [`NameError::Nick`] when it is empty or too long or has a character that a nick may not
    /// have.
    pub fn new(text: &str) -> Result<Self, NameError> {
        // Four bytes a character are the most that UTF-8 takes; what is longer need not be looked
        // at.
        if text.len() > 4 * Limits::NICK_CHARS {
            return Err(NameError::Nick);
        }
        if is_simple(text) {
            return Ok(Self(text.into()));
        }
        Self::by_precis(text)
    }

    pub(super) fn by_precis(text: &str) -> Result<Self, NameError> {
        let nick = precis_profiles::Nickname::enforce(text).map_err(|_| NameError::Nick)?;
        // The replacement characters of Unicode are no letters, and show that something is missing.
        let is_seen = |c| !sanitize::is_blank(c) && !matches!(c, '\u{fffc}' | REPLACEMENT);
        let is_nick = nick.chars().count() <= Limits::NICK_CHARS
            && nick.chars().any(char::is_alphanumeric)
            && nick.chars().all(is_seen)
            && nick.chars().next().is_some_and(|first| may_begin(first) && !is_combining_mark(first))
            && !nick.chars().any(is_drawn_by_screens)
            && !has_refused_punctuation(&nick)
            && !is_the_reader(&nick)
            && sanitize::lines(&nick) == nick;
        if is_nick { Ok(Self(nick.into())) } else { Err(NameError::Nick) }
    }

    /// Returns the nick that `text` spells, whatever the rules were where it was made. It is as it
    /// was, but for U+FFFD in the place of what would do harm on a screen.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(if is_simple(text) { text.into() } else { harmless(text, Limits::NICK_CHARS) })
    }

    /// Returns whether a nick that was read back is as it was where it was made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.0.contains(REPLACEMENT)
    }

    /// Returns whether to make a nick of it, such as [`Self::numbered`], takes no more than a look
    /// at its bytes.
    pub(crate) fn is_cheap(&self) -> bool {
        is_simple(&self.0)
    }

    /// Returns a login name as a nick, without what a nick may not have, or none where nothing of
    /// it is one.
    #[must_use]
    pub fn of_login(name: &str) -> Option<Self> {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fitting = || name.chars().filter(kept).take(Limits::NICK_CHARS).collect::<String>();
        Self::new(name).or_else(|_| Self::new(&fitting())).ok()
    }

    /// Returns another nick: this one with `-number` behind it, shortened to fit. It is tried when
    /// this one is taken.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Self {
        let suffix = format!("-{number}");
        let length = self.0.chars().count();
        let keep = length.min(Limits::NICK_CHARS.saturating_sub(suffix.len()));
        // Some characters may only stand beside certain others (RFC 5892 appendix A), so that a
        // nick may not end anywhere; where the next places are not good either, it is not worth the
        // search.
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
    /// They are the UTS 39 section 4 skeletons of the nick as it is seen and of its lower case,
    /// because `Ivan` is both the `ivan` of RFC 8266 section 2.4 and, to the eye, `lvan`.
    #[must_use]
    pub fn look_alikes(&self) -> [String; 2] {
        let (seen, lower) = (skeleton(&self.0), self.0.to_lowercase());
        // Most nicks are in lower case.
        let same = lower == *self.0;
        [seen.clone(), if same { seen } else { skeleton(&lower) }]
    }
}

/// Returns whether `text` is a nick as it stands, by a look at its bytes: it is what most nicks
/// are, and PRECIS takes many times as long.
fn is_simple(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= Limits::NICK_CHARS
        && text.bytes().all(may_stand)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        // No character but one of ASCII looks like several.
        && !(text.len() == "you".len() && is_the_reader(text))
}
