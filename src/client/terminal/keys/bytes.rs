//! Bytes of a terminal into keys of one character each: what they are together,
//! [`Keys`](super::Keys) finds out. Pure.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// Turns bytes into keys, wherever a read has cut them.
#[derive(Debug, Default)]
pub struct Bytes {
    /// The beginning of a character whose rest was not read yet.
    cut: Vec<u8>,
}

impl Bytes {
    /// Returns a key for each character of `bytes`. What is not UTF-8 becomes U+FFFD, and takes
    /// nothing else with it.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.cut.extend_from_slice(bytes);
        let mut characters: Vec<char> = Vec::new();
        let mut rest = 0;
        for chunk in self.cut.utf8_chunks() {
            characters.extend(chunk.valid().chars());
            rest += chunk.valid().len() + chunk.invalid().len();
            if chunk.invalid().is_empty() {
                continue;
            }
            let is_cut = std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if is_cut && rest == self.cut.len() {
                rest -= chunk.invalid().len();
                break;
            }
            characters.push(char::REPLACEMENT_CHARACTER);
        }
        self.cut.drain(..rest);
        characters.into_iter().map(|c| Event::Key(key(c))).collect()
    }
}

/// Returns the key that a terminal sends as `c` alone.
pub(super) fn key(c: char) -> KeyEvent {
    let control = |first: char, from: char| {
        let letter = u32::from(c) - u32::from(first) + u32::from(from);
        KeyEvent::new(KeyCode::Char(char::from_u32(letter).unwrap_or(from)), KeyModifiers::CONTROL)
    };
    match c {
        '\u{1b}' => KeyCode::Esc.into(),
        '\r' => KeyCode::Enter.into(),
        '\t' => KeyCode::Tab.into(),
        '\u{7f}' => KeyCode::Backspace.into(),
        '\0' => KeyEvent::new(KeyCode::Char(' '), KeyModifiers::CONTROL),
        '\u{1}'..='\u{1a}' => control('\u{1}', 'a'),
        '\u{1c}'..='\u{1f}' => control('\u{1c}', '4'),
        c if c.is_uppercase() => KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT),
        c => KeyCode::Char(c).into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], at: usize) -> Vec<Event> {
        let mut reader = Bytes::default();
        let (first, second) = bytes.split_at(at);
        [reader.feed(first), reader.feed(second)].concat()
    }

    fn keys(text: &str) -> Vec<Event> {
        text.chars().map(|c| Event::Key(key(c))).collect()
    }

    #[test]
    fn a_byte_that_is_no_text_takes_no_key_with_it() {
        for (bytes, text) in [
            (&b"caf\xe9 ole"[..], "caf\u{fffd} ole"),
            (b"abc\xc3\r", "abc\u{fffd}\r"),
            (b"\xe2\x82\x1b[200~", "\u{fffd}\u{1b}[200~"),
            (b"\xff\x80x", "\u{fffd}\u{fffd}x"),
        ] {
            for at in 0..bytes.len() {
                assert_eq!(read(bytes, at), keys(text), "{text:?} cut at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_character_is_one_wherever_it_is_cut(text in ".{0,8}", at in any::<prop::sample::Index>()) {
            prop_assert_eq!(read(text.as_bytes(), at.index(text.len() + 1)), keys(&text));
        }
    }
}
