//! What a search means: which words a text is made of, and whether a query finds it. Pure.
//!
//! Every log searches by these rules, whether it looks at each text or at an index made of
//! [`indexed`] texts, so that they find the same. Case and diacritics do not count, and `ß` is
//! `ss`. Scripts that put no space between words are taken character by character, and so are
//! emoji. Other signs part words; where a query has some that are part of a name, such as `C++`,
//! `C#` and `.env`, it is found by its words first, and then by a look at the text. Why it is so is
//! told in `docs/decisions/0001-signs-in-searches.md`.

use sha2::{Digest as _, Sha256};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::protocol::RoomName;

/// Characters of a word that count; what is longer is an address or a blob, and its beginning tells
/// it apart.
const WORD: usize = 64;

/// Words of a query that count; nobody remembers more of what they look for, and each costs the
/// server a look at an index.
const QUERY: usize = 16;

/// Characters of a [`room_mark`]. The index for beginnings of words is made for so many and one,
/// two and three more.
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
    /// What stands there sign by sign, folded, where signs belong to it.
    literal: Option<Literal>,
}

/// Words with the signs before and behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Literal {
    text: String,
    /// Whether letters may follow.
    open: bool,
}

impl Query {
    /// Returns what `text` asks for, or nothing if there is no word in it: words that texts may go
    /// on with, and phrases in double quotes that they may not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut terms: Vec<Term> = Vec::new();
        let mut room = QUERY;
        let mut add = |part: &str, open: bool| {
            let mut words = words(part);
            words.truncate(room);
            let literal = Literal::of(part, open);
            // Behind a sign, a word is at its end.
            let open = open && literal.as_ref().is_none_or(|literal| literal.open);
            let term = Term { words, open, literal };
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
        self.terms.iter().all(|term| term.is_in(&words)) && self.finds_literals(text)
    }

    /// Returns whether there is something to be looked for in the text itself, which an index of
    /// words does not know.
    pub(super) fn has_literals(&self) -> bool {
        self.terms.iter().any(|term| term.literal.is_some())
    }

    /// Returns whether that is in `text`.
    pub(super) fn finds_literals(&self, text: &str) -> bool {
        if !self.has_literals() {
            return true;
        }
        let text: String = folded(text).collect();
        self.terms.iter().filter_map(|term| term.literal.as_ref()).all(|literal| literal.is_in(&text))
    }

    /// Returns the terms as an FTS5 expression for what is said in any of `rooms`. Words are
    /// letters, digits and emoji, so that nothing in them needs an escape.
    pub(super) fn expression(&self, rooms: &[RoomName]) -> String {
        let in_room = |room: &RoomName| {
            let mark = room_mark(room.as_str());
            let term = |term: &Term| format!("\"{}\"{}", marked(&mark, &term.words), if term.open { " *" } else { "" });
            self.terms.iter().map(term).collect::<Vec<_>>().join(" AND ")
        };
        match rooms {
            [room] => in_room(room),
            rooms => rooms.iter().map(|room| format!("({})", in_room(room))).collect::<Vec<_>>().join(" OR "),
        }
    }
}

impl Term {
    /// Returns whether it is one word that may go on.
    fn is_beginning(&self) -> bool {
        self.open && self.words.len() == 1 && self.literal.is_none()
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

impl Literal {
    /// Signs that belong to the word behind them, such as in `.env`, `#rust`, `$HOME` and `+1`.
    const BEFORE: [char; 4] = ['.', '#', '$', '+'];
    /// Signs that belong to the word before them, such as in `C++`, `C#` and `50%`. A full stop
    /// ends a sentence.
    const BEHIND: [char; 3] = ['+', '#', '%'];

    /// Returns what is to be looked for in texts, if `part` of a query begins or ends with such a
    /// sign.
    fn of(part: &str, open: bool) -> Option<Self> {
        let part: String = folded(part).collect();
        let part = part.trim_start_matches(|c: char| !c.is_alphanumeric() && !Self::BEFORE.contains(&c));
        let part = part.trim_end_matches(|c: char| !c.is_alphanumeric() && !Self::BEHIND.contains(&c));
        if !part.contains(char::is_alphanumeric) {
            return None;
        }
        let is_closed = part.ends_with(Self::BEHIND);
        let text = part.chars().take(WORD).collect();
        (is_closed || part.starts_with(Self::BEFORE)).then_some(Self { text, open: open && !is_closed })
    }

    /// Returns whether it stands in `text`, which is folded, where no word goes on.
    fn is_in(&self, text: &str) -> bool {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        text.match_indices(&self.text).any(|(at, found)| {
            let begins = !is_letter(found.chars().next()) || !is_letter(text[..at].chars().next_back());
            let ends = self.open
                || !is_letter(found.chars().next_back())
                || !is_letter(text[at + found.len()..].chars().next());
            begins && ends
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

/// Returns the words of `text`, said in `room`, as an index has them: folded, each with the mark of
/// the room before it, and one space between them. So those of one room are side by side in the
/// index, and how many others have words like them costs nothing.
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

/// Returns what the words of a room begin with in an index. Rooms that share one, which somebody
/// may have looked for, are searched together, so what is found must be looked at for its room.
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
    split(folded(text))
}

/// Returns the characters of `text` as they are compared.
fn folded(text: &str) -> impl Iterator<Item = char> {
    // Compatibility forms count as what they stand for: full-width letters, ligatures.
    let letters = text.nfkd().filter(|c| !is_diacritic(*c)).flat_map(char::to_lowercase);
    letters.flat_map(|c| {
        let (first, second) = match c {
            'ς' => ('σ', None),
            'ß' => ('s', Some('s')),
            c => (c, None),
        };
        std::iter::once(first).chain(second)
    })
}

fn split(chars: impl Iterator<Item = char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut length = 0;
    for c in chars {
        let stands = is_pictograph(c) || c.is_alphanumeric() || is_combining_mark(c) && !is_of_emoji(c);
        let alone = is_pictograph(c) || stands && is_written_without_spaces(c);
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

/// Returns whether `c` is a mark that people leave out when they search: Latin, Greek, Cyrillic,
/// Hebrew and Arabic ones. The vowel signs of other scripts make other words.
fn is_diacritic(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}')
        && is_combining_mark(c)
}

/// Returns whether `c` is an emoji, or another picture that stands for a word. Skin tones only
/// change the one before, so they do not count; of a family or a flag, each part does.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{2bff}' | '\u{1f000}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}')
}

/// Returns whether `c` is a mark that says how the character before is drawn: an emoji, a key.
fn is_of_emoji(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{20e3}')
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
            ("strasse", "Straße"),
            ("STRASSE", "die Straße"),
            ("straß", "Strasse"),
            ("\"große straße\"", "GROSSE STRASSE"),
            ("STRAẞE", "strasse"),
        ] {
            assert!(finds(query, text), "{query} in {text}");
        }
    }

    #[test]
    fn signs_that_belong_to_a_word_count() {
        for (query, text) in [
            ("C++", "I write C++."),
            ("c++", "C++20 and more"),
            ("(C++)", "C++ is not C"),
            ("\"C++\"", "not C++, but"),
            ("C#", "C# or F#"),
            (".env", "in .env, not env"),
            (".env", "my.env.local"),
            (".en", ".env"),
            ("#rust", "see #rust-lang"),
            ("+1", "+1 from me"),
            ("50%", "some 50% of it"),
            ("C++ fast", "fast C++"),
            ("c c++", "c++"),
        ] {
            assert!(finds(query, text), "{query} in {text}");
        }
        for (query, text) in [
            ("C++", "C, and C+ at most"),
            ("C++", "abc++"),
            ("C#", "a C sharp"),
            (".env", "env. is it"),
            (".env", "the env"),
            ("\".en\"", ".env"),
            ("#rust", "rust"),
        ] {
            assert!(!finds(query, text), "{query} in {text}");
        }
        assert!(finds("fox, etc.", "the fox etc and more"), "signs of a sentence do not count");
    }

    #[test]
    fn emoji_are_words() {
        for (query, text) in [
            ("🎉", "done🎉🎉"),
            ("👍", "👍🏽 yes"),
            ("👍🏽", "👍"),
            ("❤", "I ❤\u{fe0f} it"),
            ("❤\u{fe0f}", "I ❤ it"),
            ("🇩🇪", "from 🇩🇪"),
            ("👨‍👩‍👧", "a 👨‍👩‍👧 here"),
            ("👩", "a 👨‍👩‍👧 here"),
            ("tea 🎉", "🎉 for tea"),
            ("1\u{fe0f}\u{20e3}", "1 is enough"),
        ] {
            assert!(finds(query, text), "{query} in {text}");
        }
        assert!(!finds("🎉", "done 🎈") && !finds("🇩🇪", "🇪🇸") && !finds("👨‍👩‍👧", "👨 👩"));
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
        let expression = query.expression(std::slice::from_ref(&room)).replace(&room_mark(room.as_str()), "");
        assert_eq!(expression, r#""foo" * AND "or room x near a b" AND "c""#);
    }

    #[test]
    fn a_word_that_another_implies_is_not_looked_for() {
        let room = RoomName::lobby();
        let expression = |query: &str| {
            Query::parse(query).unwrap().expression(std::slice::from_ref(&room)).replace(&room_mark(room.as_str()), "")
        };
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
