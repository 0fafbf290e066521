//! One JSON object per line: every event of the server, and the client's own events. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use super::Block;
use crate::{
    client::chat::ViewEvent,
    protocol::{Dialect, ServerMessage, json, sanitize},
};

/// The view for programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

/// An event of the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Own<'a> {
    Connected { dialect: &'static str },
    Disconnected { reason: &'a str },
    Line { text: &'a str },
    Waiting { text: &'a str },
    Unreachable { reason: &'a str },
    Back { missed: usize, text: &'a str },
    Notice { text: &'a str },
    Refused { text: &'a str },
}

impl Json {
    /// Returns the line of `shown`.
    #[must_use]
    pub fn render(self, shown: &ViewEvent) -> Block {
        let encoded = match shown {
            ViewEvent::Event { event, .. } | ViewEvent::Answer { event, .. } => event_line(event),
            ViewEvent::Text(text) => own(&Own::Line { text }),
            ViewEvent::Connected(Dialect::Json) => own(&Own::Connected { dialect: "json" }),
            ViewEvent::Connected(Dialect::Text) => own(&Own::Connected { dialect: "text" }),
            ViewEvent::Disconnected { reason } => own(&Own::Disconnected { reason }),
            ViewEvent::Waiting { words } => own(&Own::Waiting { text: words }),
            ViewEvent::Unreachable { reason } => own(&Own::Unreachable { reason }),
            ViewEvent::Back { words, missed } => own(&Own::Back { missed: *missed, text: words }),
            ViewEvent::Notice(text) => own(&Own::Notice { text }),
            ViewEvent::Refusal(text) | ViewEvent::Undelivered { words: text, .. } => own(&Own::Refused { text }),
        };
        Block { text: escaped(encoded) + "\n", aside: false }
    }
}

fn event_line(event: &ServerMessage) -> String {
    let mut out = Vec::new();
    match event {
        // The session token is a secret: anybody who has it can act as this user.
        ServerMessage::Welcome(welcome) => {
            let mut welcome = welcome.clone();
            welcome.session = None;
            json::encode(&ServerMessage::Welcome(welcome), &mut out);
        }
        event => json::encode(event, &mut out),
    }
    String::from_utf8(out).unwrap_or_default()
}

fn own(own: &Own<'_>) -> String {
    serde_json::to_string(own).unwrap_or_default()
}

/// Returns `json` with every character escaped that a terminal might interpret. A program reads the
/// same value.
fn escaped(json: String) -> String {
    // The fold does not stop early, so that the compiler can process many bytes at a time.
    if json.bytes().fold(true, |is_printable, byte| is_printable & matches!(byte, b' '..=b'~')) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if sanitize::is_printable(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Cannot fail: a `String` accepts everything.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ErrorCode, Failure, Hex, Nick, RoomName, RoomView, SessionToken, Welcome};

    fn event(event: ServerMessage) -> String {
        Json.render(&ViewEvent::Event { event, quiet: true }).text
    }

    #[test]
    fn the_session_token_is_never_printed() {
        let view =
            RoomView { room: RoomName::lobby(), topic: None, topic_by: None, people: 1, names: vec![], away: vec![] };
        let welcome = Welcome {
            nick: Nick::new("ada").unwrap(),
            session: Some(SessionToken(Hex([0xab; 16]))),
            epoch: Hex([1; 8]),
            run: None,
            shared: None,
            resumed: false,
            view,
        };
        let line = event(ServerMessage::Welcome(welcome));
        assert!(line.contains("\"nick\":\"ada\"") && !line.contains("abab") && !line.contains("session"), "{line}");
    }

    #[test]
    fn nothing_but_printable_text_comes_out_and_nothing_is_lost() {
        let message = "a\u{1b}[31m\u{7f}\u{9b}31m\u{202e}b\u{200b}\u{e0001}\n";
        let line = event(ServerMessage::Error(Failure::new(ErrorCode::Other, message)));
        assert!(line.trim_end_matches('\n').chars().all(sanitize::is_printable), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["message"], message);
    }

    #[test]
    fn what_happens_on_our_side_is_an_event_too() {
        let line = |shown| Json.render(&shown).text;
        assert_eq!(line(ViewEvent::Connected(Dialect::Json)), "{\"type\":\"connected\",\"dialect\":\"json\"}\n");
        assert_eq!(line(ViewEvent::Text("hi".to_owned())), "{\"type\":\"line\",\"text\":\"hi\"}\n");
        assert_eq!(
            line(ViewEvent::Disconnected { reason: "gone".to_owned() }),
            "{\"type\":\"disconnected\",\"reason\":\"gone\"}\n"
        );
    }
}
