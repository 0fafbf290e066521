//! What the terminal is told beside the picture: operating system commands (ECMA-48 section
//! 8.3.89). Pure.
//!
//! Terminals read the words of some of these as commands: `9;4;3;50` is a bar of progress, and
//! others are a program to start. A peer may choose the words. So a payload begins with words of
//! ours, and has no control character in it and no separator.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    client::picture::{LinkSpan, uri},
    protocol::sanitize,
};

/// What every notification begins with.
const OURS: &str = "broadcast-chat: ";

/// The characters of a notification that are shown: more than a desktop has room for.
const LONGEST: usize = 200;

/// Returns what sets the title of the window; `words` begin with the name of a room or a count.
#[must_use]
pub fn title(words: &str) -> String {
    command(2, words)
}

/// Returns what lets the desktop show `words`, which may be a peer's (OSC 9).
#[must_use]
pub fn notification(words: &str) -> String {
    command(9, &format!("{OURS}{words}"))
}

/// Returns what puts `text` into the clipboard, where the terminal lets programs do that (OSC 52).
#[must_use]
pub fn copy(text: &str) -> String {
    format!("\u{1b}]52;c;{}\u{7}", BASE64_STANDARD.encode(text))
}

/// Returns what makes a link of the characters written from now on, or none without one (OSC 8).
/// The terminal shows the parts that have one id as one.
pub(super) fn link(span: Option<&LinkSpan>) -> String {
    match span.and_then(|span| Some((span.id, uri(&span.text)?))) {
        Some(((entry, number), uri)) => format!("\u{1b}]8;id={entry}-{number};{uri}\u{1b}\\"),
        None => "\u{1b}]8;;\u{1b}\\".to_owned(),
    }
}

fn command(number: u8, words: &str) -> String {
    // Some terminals divide the words at each semicolon, and show none of them.
    let payload: String = sanitize::line(words).replace(';', ",").chars().take(LONGEST).collect();
    format!("\u{1b}]{number};{payload}\u{7}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the payload, without what every command begins and ends with.
    fn payload(command: &str) -> &str {
        command.strip_prefix("\u{1b}]9;").and_then(|rest| rest.strip_suffix('\u{7}')).unwrap()
    }

    #[test]
    fn what_looks_like_a_command_is_shown_as_words() {
        for nick in ["4;3;50", "7;calc", "2;x", "1;1000", "9;\"C:\\\""] {
            let command = notification(nick);
            assert!(payload(&command).starts_with("broadcast-chat: "), "{command:?}");
            assert!(!payload(&command).contains(';'), "{command:?}");
        }
        assert_eq!(title("(2!) #lobby - chat"), "\u{1b}]2;(2!) #lobby - chat\u{7}");
    }

    #[test]
    fn what_is_copied_cannot_end_the_command() {
        assert_eq!(copy("https://a/\u{7}x"), "\u{1b}]52;c;aHR0cHM6Ly9hLwd4\u{7}");
    }

    proptest! {
        #[test]
        fn words_of_a_peer_never_end_or_begin_a_command(
            words in "([;0-9]{0,3}|[\u{0}-\u{20}\u{7f}-\u{9f}]|\u{1b}[\\\\\\]c]|\u{9c}|\u{2028}|[a-zé学👩]{0,4}){0,12}",
        ) {
            let command = notification(&words);
            let payload = payload(&command);
            prop_assert!(payload.starts_with(OURS), "{:?}", command);
            prop_assert!(!payload.contains(|c: char| c.is_control() || c == ';'), "{:?}", command);
        }
    }
}
