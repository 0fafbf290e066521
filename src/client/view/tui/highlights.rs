//! The nicks and words that call for the reader, and the search for them in a text. Pure.
//!
//! Two spellings match if their canonical caseless forms are equal (Unicode 16, section 3.13,
//! D145): `ADA` matches `ada`, `STRASSE` matches `straße`, and a precomposed accent matches a
//! combining one.

use std::{fmt, ops::Range, sync::Arc};

use caseless::Caseless as _;
use memchr::memchr2_iter;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::protocol::{Nick, sanitize};

/// The maximum length of a word in bytes.
const LENGTH: usize = 64;

/// A word that calls for the reader as their nick does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Word {
    text: String,
    folded: String,
}

/// Why a text cannot be a highlight word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// It is empty or too long, or it has a character that nobody can type or see.
    #[error("a word to highlight has 1 to {LENGTH} bytes that can be seen")]
    Length,
    /// It begins with `-`, which marks a word to remove.
    #[error("a word to highlight does not begin with `-`; /highlight -WORD takes WORD out")]
    Dash,
}

impl Word {
    /// Returns `text` as a word, without the blanks at its ends.
    ///
    /// # Errors
    /// Returns a [`WordError`] if `text` is not a valid word.
    pub fn new(text: &str) -> Result<Self, WordError> {
        let text = text.trim();
        if text.is_empty() || text.len() > LENGTH || sanitize::line(text) != text {
            return Err(WordError::Length);
        }
        if text.starts_with('-') {
            return Err(WordError::Dash);
        }
        Ok(Self { text: text.to_owned(), folded: fold(text) })
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Word {}

impl TryFrom<String> for Word {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        Self::new(&text)
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.text
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The reader's highlight words: those of the settings file, and the changes by `/highlight`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The words of the settings file.
    pub settled: Vec<Word>,
    /// The words added since then.
    pub added: Vec<Word>,
    /// The words of the settings file that were removed since then.
    pub removed: Vec<Word>,
}

impl Words {
    /// The maximum number of words. Nobody needs more, and it keeps the cost of matching each text
    /// low.
    pub const MOST: usize = 50;

    /// Returns the words in effect.
    pub fn iter(&self) -> impl Iterator<Item = &Word> {
        let settled = self.settled.iter().filter(|word| !self.removed.contains(word));
        settled.chain(self.added.iter().filter(|word| !self.settled.contains(word))).take(Self::MOST)
    }

    /// Adds a word. Returns `false` if there are [`Self::MOST`] words already.
    pub(super) fn add(&mut self, word: Word) -> bool {
        if self.iter().any(|other| *other == word) {
            return true;
        }
        if self.iter().count() >= Self::MOST {
            return false;
        }
        self.removed.retain(|other| *other != word);
        if !self.settled.contains(&word) {
            self.added.push(word);
        }
        true
    }

    /// Removes a word. Returns whether it was in effect.
    pub(super) fn remove(&mut self, word: &Word) -> bool {
        let was = self.iter().any(|other| other == word);
        self.added.retain(|other| other != word);
        if self.settled.contains(word) && !self.removed.contains(word) {
            self.removed.push(word.clone());
        }
        was
    }
}

/// The nicks and words that call for the reader, folded for comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Highlights {
    folded: Vec<String>,
}

impl Highlights {
    /// Creates the list from the reader's nicks and words.
    pub(super) fn new<'a>(nicks: impl IntoIterator<Item = &'a Nick>, words: &Words) -> Arc<Self> {
        let nicks = nicks.into_iter().map(|nick| fold(nick.as_str()));
        let mut folded: Vec<_> = nicks.chain(words.iter().map(|word| word.folded.clone())).collect();
        folded.dedup();
        Arc::new(Self { folded })
    }

    /// Returns the ranges of `text` that match as whole words, in order and without overlaps. An
    /// `@` directly before a match is part of it.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if text.is_ascii() {
            for name in &self.folded {
                found.extend(ascii(text, name).filter(|range| stands_alone(text, range)));
            }
        } else if !self.folded.is_empty() {
            let folded = FoldedText::new(text);
            for name in &self.folded {
                found.extend(folded.find(name).filter(|range| stands_alone(text, range)));
            }
        }
        for range in &mut found {
            range.start -= usize::from(text[..range.start].ends_with('@'));
        }
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|range| {
            range.start >= end && {
                end = range.end;
                true
            }
        });
        found
    }
}

fn fold(text: &str) -> String {
    text.chars().nfd().default_case_fold().nfd().collect()
}

/// Returns the ranges at which `text` has the lower-case `name`. `text` is ASCII; a `name` that is
/// not ASCII has no match.
fn ascii<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let (bytes, wanted) = (text.as_bytes(), name.as_bytes());
    let first = wanted.first().copied().filter(|_| name.is_ascii()).unwrap_or(0xff);
    memchr2_iter(first, first.to_ascii_uppercase(), bytes)
        .map(move |at| at..at + wanted.len())
        .filter(move |range| bytes.get(range.clone()).is_some_and(|part| part.eq_ignore_ascii_case(wanted)))
}

/// A folded text. Matches begin and end at the edges of grapheme clusters.
struct FoldedText {
    folded: String,
    /// The offsets at which each cluster begins: in `folded`, and in the text. The last entry has
    /// the end of both.
    edges: Vec<(usize, usize)>,
}

impl FoldedText {
    fn new(text: &str) -> Self {
        let (mut folded, mut edges) = (String::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        for (at, cluster) in text.grapheme_indices(true) {
            edges.push((folded.len(), at));
            match cluster.as_bytes() {
                [byte] => folded.push(char::from(byte.to_ascii_lowercase())),
                _ => folded.extend(cluster.chars().nfd().default_case_fold().nfd()),
            }
        }
        edges.push((folded.len(), text.len()));
        Self { folded, edges }
    }

    fn find<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let edge = |at: usize| Some(self.edges[self.edges.binary_search_by_key(&at, |edge| edge.0).ok()?].1);
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let at = from + self.folded.get(from..)?.find(name)?;
                from = at + self.folded[at..].chars().next().map_or(1, char::len_utf8);
                if let (Some(start), Some(end)) = (edge(at), edge(at + name.len())) {
                    return Some(start..end);
                }
            }
        })
    }
}

/// Returns whether `range` is a word of its own in `text`. It is not if it is a part of a longer
/// word, of a name such as `ada-2` or `x_ada`, or of an address such as `x@ada`.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let mut before = text[..range.start].chars().rev().skip_while(|c| is_combining_mark(*c));
    let mut after = text[range.end..].chars();
    let said = &text[range.clone()];
    let (last, next) = (before.next(), after.next());
    let joins =
        |c: char, beyond: Option<char>| matches!(c, '-' | '_' | '@') && beyond.is_some_and(char::is_alphanumeric);
    let apart_before =
        last.is_none_or(|c| !joins(c, before.next()) && said.chars().next().is_none_or(|first| !is_one_word(c, first)));
    let apart_after = next.is_none_or(|c| {
        let last = said.chars().rev().find(|c| !is_combining_mark(*c));
        !joins(c, after.next())
            && !is_combining_mark(c)
            && (last.is_none_or(|last| !is_one_word(last, c)) || begins_with_particle(&text[range.end..]))
    });
    apart_before && apart_after
}

/// Returns whether two adjacent characters belong to one word (UAX 29). In scripts without blanks,
/// adjacent characters often belong to two words.
fn is_one_word(a: char, b: char) -> bool {
    a.is_alphanumeric()
        && b.is_alphanumeric()
        && (a.is_ascii() && b.is_ascii() || {
            let pair = String::from_iter([a, b]);
            pair.split_word_bounds().nth(1).is_none()
        })
}

/// What Korean appends to a name: a form of address, and then a particle that gives the name its
/// role in the sentence.
const ADDRESSES: [&str; 10] = ["님", "씨", "군", "양", "형", "누나", "언니", "오빠", "선배", "선배님"];
const PARTICLES: [&str; 50] = [
    "아",
    "야",
    "이야",
    "이",
    "가",
    "이가",
    "은",
    "는",
    "이는",
    "을",
    "를",
    "이를",
    "의",
    "이의",
    "에",
    "에게",
    "이에게",
    "에게서",
    "께",
    "께서",
    "께서는",
    "한테",
    "이한테",
    "한테서",
    "하고",
    "이하고",
    "와",
    "과",
    "이와",
    "랑",
    "이랑",
    "도",
    "이도",
    "만",
    "이만",
    "요",
    "이요",
    "나",
    "이나",
    "네",
    "이네",
    "보다",
    "처럼",
    "까지",
    "부터",
    "로",
    "으로",
    "라고",
    "이라고",
    "에는",
];

fn begins_with_particle(text: &str) -> bool {
    let is_hangul = |c: char| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}');
    let end = text.find(|c| !is_hangul(c)).unwrap_or(text.len());
    // A letter of another script directly after the ending makes it a longer word.
    if end > 64 || text[end..].chars().next().is_some_and(|c| c.is_alphanumeric() || is_combining_mark(c)) {
        return false;
    }
    let ending: String = text[..end].nfc().collect();
    let is_particle = |rest: &str| PARTICLES.contains(&rest);
    is_particle(&ending)
        || ADDRESSES
            .iter()
            .filter_map(|address| ending.strip_prefix(address))
            .any(|rest| rest.is_empty() || is_particle(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
        let nick = Nick::new(name).unwrap();
        Highlights::new([&nick], &Words::default()).find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn a_nick_counts_as_people_write_it() {
        for (nick, text, said) in [
            ("ada", "ada's", "ada"),
            ("ada", "ada’s tea", "ada"),
            ("ada", "ada:hi", "ada"),
            ("ada", "ada.thanks", "ada"),
            ("ada", "_ada_", "_ada_".trim_matches('_')),
            ("ada", "**ADA**", "ADA"),
            ("ada", "(@ada)", "@ada"),
            ("ada", "bob/ada", "ada"),
            ("ada", "d’ada", "ada"),
            ("ada", "ada님, 안녕", "ada"),
            ("ada", "ada你好", "ada"),
            ("ada", "adaさん", "ada"),
            ("민수", "민수야", "민수"),
            ("민수", "민수씨가 왔다", "민수"),
            (
                "민수",
                "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}\u{110b}\u{1163} 안녕",
                "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}",
            ),
            ("straße", "die STRASSE!", "STRASSE"),
            ("strasse", "die Straße!", "Straße"),
            ("münchen", "MU\u{308}NCHEN", "MU\u{308}NCHEN"),
            ("学生", "我是学生吗", "学生"),
            ("guest-7", "Guest-7, hi", "Guest-7"),
        ] {
            assert_eq!(found(nick, text), [said], "{text}");
        }
    }

    #[test]
    fn another_word_does_not_count() {
        for (nick, text) in [
            ("ada", "adam"),
            ("ada", "nomada"),
            ("oma", "nomad"),
            ("ada", "ada2"),
            ("ada", "ada_x"),
            ("ada", "x_ada"),
            ("ada", "ada-2: hi"),
            ("ada", "x-ada"),
            ("ada", "x@ada"),
            ("ada", "ada@example.org"),
            ("ada", "adá"),
            ("ada", "ada\u{301}"),
            ("ada", "é adam é"),
            ("민수", "민수봉"),
            ("민수", "민수야말로x"),
            ("guest-7", "guest-77, hi"),
            ("アダ", "アダム"),
        ] {
            assert_eq!(found(nick, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn words_of_ones_own_count_too() {
        let mut words = Words { settled: vec![Word::new("deploy").unwrap()], ..Words::default() };
        assert!(words.add(Word::new("on-call").unwrap()) && words.add(Word::new("DEPLOY").unwrap()));
        let said = |words: &Words, text: &str| Highlights::new([], words).find(text).len();
        assert_eq!(said(&words, "Deploy! who is on-call? redeploy, on-caller"), 2);
        assert!(words.remove(&Word::new("Deploy").unwrap()) && !words.remove(&Word::new("tea").unwrap()));
        assert_eq!(words.iter().map(ToString::to_string).collect::<Vec<_>>(), ["on-call"]);
        assert!(words.add(Word::new("deploy").unwrap()), "it comes back");
        assert_eq!((words.iter().count(), words.added.len(), words.removed.len()), (2, 1, 0));
        for number in 2..Words::MOST {
            assert!(words.add(Word::new(&format!("w{number}")).unwrap()));
        }
        assert!(!words.add(Word::new("more").unwrap()));
        for text in ["", " ", "-x", "a\u{1b}b", "a\u{202e}b", &"x".repeat(65)] {
            assert!(Word::new(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_part_of_the_text(text in "([a@'_. -]|ada|ADA|ß|ss|é|e\u{301}|민수|야|学){0,24}") {
            let nicks = ["ada", "straße", "민수"].map(|nick| Nick::new(nick).unwrap());
            let mut end = 0;
            for range in Highlights::new(&nicks, &Words::default()).find(&text) {
                prop_assert!(range.start >= end && text.get(range.clone()).is_some_and(|said| !said.is_empty()));
                end = range.end;
            }
        }
    }
}
