//! Whatever a server sends: decoding never panics, every name in it can be shown, and what is shown
//! of it is printable.
#![no_main]

use broadcast_chat::protocol::{Nick, RoomName, json, text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|frame: &str| {
    match json::decode_server(frame) {
        Ok(Some(event)) => {
            let mut encoded = Vec::new();
            json::encode(&event, &mut encoded);
            let encoded = String::from_utf8(encoded).expect("JSON is UTF-8");
            assert_eq!(json::decode_server(&encoded), Ok(Some(event.clone())));
            names_can_be_shown("", &serde_json::from_str(&encoded).expect("what is encoded is JSON"));
            printable(&text::encode(&event).unwrap_or_default());
        }
        Ok(None) => {}
        Err(unreadable) => printable(&unreadable.reason),
    }
});

/// Checks everything that stands where a name stands in an event.
fn names_can_be_shown(key: &str, value: &Value) {
    match value {
        Value::String(name) => match key {
            "nick" | "from" | "to" | "free" | "names" | "joined" | "returned" | "left" => {
                assert_eq!(Nick::read(name).as_str(), name);
            }
            "room" => assert_eq!(RoomName::read(name).as_str(), name),
            _ => {}
        },
        Value::Array(values) => values.iter().for_each(|value| names_can_be_shown(key, value)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| names_can_be_shown(key, value)),
        _ => {}
    }
}

/// Tabs may stand in what somebody says.
fn printable(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
}
