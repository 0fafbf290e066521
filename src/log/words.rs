//! What a search means: which words a text is made of, and whether a query finds it. Pure.
//!
//! Every log searches by these rules, whether it looks at each text or at an index made of [`indexed`] texts, so that they find
//! the same. Case and diacritics do not count. Scripts that put no space between words are taken character by character.

use sha2::{Digest as _, Sha256};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::wire::RoomName;

/// Characters of a word that count; what is longer is an address or a blob, and its beginning tells it apart.
const WORD: usize = 64;

/// Words of a query that count; nobody remembers more of what they look for, and each costs the server a look at an index.
const QUERY: usize = 16;

/// Characters of a [`room_mark`]. The index for beginnings of words is made for so many and one, two and three more.
const ROOM_MARK: usize = 8;

/// What is looked for: a text is found if all terms are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    terms: Vec<Term>,
}

/// Words that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    words: Vec<String>,
    /// Whether the last of them may go on.
    open: bool,
}

impl Query {
    /// Returns what `text` asks for, or nothing if there is no word in it: words that texts may go on with, and phrases in double
    /// quotes that they may not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut terms: Vec<Term> = Vec::new();
        let mut room = QUERY;
        let mut add = |part: &str, open: bool| {
            let mut words = words(part);
            words.truncate(room);
            let term = Term { words, open };
            // One that is there already is found with it.
            if !term.words.is_empty() && !terms.iter().any(|other| term.is_implied_by(other)) {
                terms.retain(|other| !other.is_implied_by(&term));
                terms.push(term);
                room = QUERY.saturating_sub(terms.iter().map(|term| term.words.len()).sum());
            }
        };
        for (index, part) in text.split('"').enumerate() {
            if index % 2 == 1 {
                add(part, false);
            } else {
                part.split_whitespace().for_each(|word| add(word, true));
            }
        }
        (!terms.is_empty()).then_some(Self { terms })
    }

    /// Returns whether `text` is found.
    pub(super) fn finds(&self, text: &str) -> bool {
        // Most texts are ASCII, and in most of them something is missing.
        if text.is_ascii() && !self.terms.iter().flat_map(|term| &term.words).all(|word| begins_in(text, word)) {
            return false;
        }
        // Then all is said, unless something stands word for word.
        if text.is_ascii() && self.terms.iter().all(Term::is_beginning) {
            return true;
        }
        let words = words(text);
        self.terms.iter().all(|term| term.is_in(&words))
    }

    /// Returns the terms as an FTS5 expression for what is said in `room`. Words are letters and digits, so that nothing in them needs
    /// an escape.
    pub(super) fn expression(&self, room: &RoomName) -> String {
        let mark = room_mark(room.as_str());
        let term = |term: &Term| format!("\"{}\"{}", marked(&mark, &term.words), if term.open { " *" } else { "" });
        self.terms.iter().map(term).collect::<Vec<_>>().join(" AND ")
    }
}

impl Term {
    /// Returns whether it is one word that may go on.
    fn is_beginning(&self) -> bool {
        self.open && self.words.len() == 1
    }

    /// Returns whether every text in which `other` is has this in it too.
    fn is_implied_by(&self, other: &Self) -> bool {
        self == other
            || self.is_beginning()
                && self.words.first().is_some_and(|word| other.words.iter().any(|other| other.starts_with(word)))
    }

    fn is_in(&self, words: &[String]) -> bool {
        let Some((last, first)) = self.words.split_last() else { return true };
        words.windows(self.words.len()).any(|window| {
            let Some((end, begin)) = window.split_last() else { return false };
            begin == first && if self.open { end.starts_with(last) } else { end == last }
        })
    }
}

/// Returns whether a word of a text in ASCII begins with `word`, which is folded.
fn begins_in(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some(first) = word.first() else { return true };
    let is_there = |at: usize| text[at..].get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let mut inside = false;
    for (at, byte) in text.iter().enumerate() {
        if !inside && byte.eq_ignore_ascii_case(first) && is_there(at) {
            return true;
        }
        inside = byte.is_ascii_alphanumeric();
    }
    false
}

/// Returns the words of `text`, said in `room`, as an index has them: folded, each with the mark of the room before it, and one space
/// between them. So those of one room are side by side in the index, and how many others have words like them costs nothing.
pub(super) fn indexed(room: &str, text: &str) -> String {
    marked(&room_mark(room), &words(text))
}

fn marked(mark: &str, words: &[String]) -> String {
    let mut marked = String::with_capacity(words.iter().map(|word| ROOM_MARK + word.len() + 1).sum());
    for word in words {
        if !marked.is_empty() {
            marked.push(' ');
        }
        marked.push_str(mark);
        marked.push_str(word);
    }
    marked
}

/// Returns what the words of a room begin with in an index. Rooms that share one, which somebody may have looked for, are searched
/// together, so what is found must be looked at for its room.
fn room_mark(room: &str) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    Sha256::digest(room.as_bytes())
        .iter()
        .take(ROOM_MARK)
        .map(|byte| char::from(DIGITS[usize::from(byte % 32)]))
        .collect()
}

/// Returns the words of `text` in their order, folded.
fn words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        // The same by a look at the bytes, because most texts are such.
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        return words.map(|word| word[..word.len().min(WORD)].to_ascii_lowercase()).collect();
    }
    fold(text)
}

fn fold(text: &str) -> Vec<String> {
    // Compatibility forms count as what they stand for: full-width letters, ligatures.
    split(
        text.nfkd().filter(|c| !is_diacritic(*c)).flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }),
    )
}

fn split(chars: impl Iterator<Item = char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut length = 0;
    for c in chars {
        let stands = c.is_alphanumeric() || is_combining_mark(c);
        let alone = stands && is_written_without_spaces(c);
        if (alone || !stands) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
            length = 0;
        }
        if alone {
            words.push(c.to_string());
        } else if stands && length < WORD {
            word.push(c);
            length += 1;
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Returns whether `c` is a mark that people leave out when they search: Latin, Greek, Cyrillic, Hebrew and Arabic ones. The vowel
/// signs of other scripts make other words.
fn is_diacritic(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}')
        && is_combining_mark(c)
}

/// Returns whether `c` is of Thai, Lao, Burmese, Khmer, Japanese or Chinese writing.
fn is_written_without_spaces(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        Query::parse(query).is_some_and(|query| query.finds(text))
    }

    #[test]
    fn words_match_by_their_beginning_in_any_order() {
        assert!(finds("brow qui", "The quick, brown fox"));
        assert!(!finds("rown", "The quick, brown fox"));
        assert!(!finds("quick dog", "The quick, brown fox"));
    }

    #[test]
    fn a_phrase_matches_whole_words_in_their_order() {
        assert!(finds("\"quick brown\"", "The quick, brown fox"));
        assert!(!finds("\"brown quick\"", "The quick, brown fox"));
        assert!(!finds("\"quick brow\"", "The quick, brown fox"));
        assert!(finds("\"quick brown\" fo", "The quick, brown fox"));
        assert!(finds("foo-ba", "see foo-bar"), "what is not a letter parts words, and they stay together");
        assert!(!finds("foo-bar", "see foo and bar"));
    }

    #[test]
    fn case_and_diacritics_do_not_count() {
        for (query, text) in [
            ("MÜNCHEN", "munchen"),
            ("munchen", "Mu\u{308}nchen"),
            ("ｗｉｄｅ", "wide"),
            ("ΟΔΟΣ", "οδος"),
            ("istanbul", "İstanbul"),
            ("файл", "ФАИЛ"),
        ] {
            assert!(finds(query, text), "{query} in {text}");
        }
    }

    #[test]
    fn text_without_spaces_is_found_in_the_middle() {
        assert!(finds("学生", "私は学生です"));
        assert!(!finds("生学", "私は学生です"));
        assert!(finds("하", "한국어"), "Hangul goes on with what is typed");
        assert!(finds("हिन्", "हिन्दी"));
        assert!(!finds("हान", "हिन"), "another vowel is another word");
    }

    #[test]
    fn nothing_to_look_for_finds_nothing() {
        for query in ["", "  ", "\"\"", "\" - \"", "*", ":-)"] {
            assert_eq!(Query::parse(query), None, "{query:?}");
        }
    }

    #[test]
    fn an_expression_has_nothing_of_the_query_but_words() {
        let query = Query::parse("foo\" OR room:x* NEAR(a) -b \"a b\" ^c '").unwrap();
        let room = RoomName::lobby();
        let expression = query.expression(&room).replace(&room_mark(room.as_str()), "");
        assert_eq!(expression, r#""foo" * AND "or room x near a b" AND "c""#);
    }

    #[test]
    fn a_word_that_another_implies_is_not_looked_for() {
        let room = RoomName::lobby();
        let expression =
            |query: &str| Query::parse(query).unwrap().expression(&room).replace(&room_mark(room.as_str()), "");
        assert_eq!(expression("aaaa aaaa AAAA áaaa"), r#""aaaa" *"#);
        assert_eq!(expression("a aa b aaa aa"), r#""b" * AND "aaa" *"#);
        assert_eq!(expression("\"aa\" a"), r#""aa""#);
        assert_eq!(expression("a \"aa b\" \"aa b\" b"), r#""aa b""#);
        assert_eq!(expression("\"a\" aa \"aa\""), r#""a" AND "aa""#, "a whole word is not implied by a longer one");
        let many: Vec<_> = (10..90).map(|number| number.to_string()).collect();
        assert_eq!(Query::parse(&many.join(" ")).unwrap().terms.len(), QUERY);
        assert_eq!(Query::parse(&format!("\"{}\"", many.join(" "))).unwrap().terms[0].words.len(), QUERY);
    }

    #[test]
    fn words_of_one_room_do_not_begin_like_those_of_another() {
        let marks: std::collections::BTreeSet<_> = (0..1000).map(|number| room_mark(&number.to_string())).collect();
        assert_eq!(marks.len(), 1000);
        assert!(marks.iter().all(|mark| mark.len() == ROOM_MARK));
        assert_eq!(indexed("lobby", "Tea, té").replace(&room_mark("lobby"), "+"), "+tea +te");
    }

    proptest! {
        #[test]
        fn a_look_at_the_bytes_finds_the_same_words(text in "([ -~\\t\\n]{0,40}|[a-zA-Z0-9]{0,100}){0,3}") {
            prop_assert_eq!(words(&text), fold(&text));
        }

        #[test]
        fn a_text_is_found_by_what_stands_where_a_word_begins(text in "[ -~]{0,80}", word in "[a-c]{1,2}") {
            let expected = fold(&text).iter().any(|other| other.starts_with(&word));
            prop_assert_eq!(finds(&word, &text), expected);
        }

        #[test]
        fn every_text_is_found_by_its_own_words(text in any::<String>()) {
            let words = words(&text);
            for word in words.iter().take(QUERY) {
                prop_assert!(finds(word, &text), "{word:?}");
                prop_assert!(word.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric()));
            }
            prop_assert!(indexed("a", &text).replace(&room_mark("a"), "").split_terminator(' ').eq(words.clone()) || words.iter().any(|word| word.contains(&room_mark("a"))));
        }
    }
}
