//! Whatever a client sends: decoding never panics, and what gets through is what it would be if it
//! were sent again.
#![no_main]

use broadcast_chat::protocol::{Body, IdempotencyKey, Limits, Nick, RoomName, Topic, command, json, sanitize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match json::decode_client(text) {
        Ok(message) => assert_eq!(json::decode_client(&json::encode_client(&message)), Ok(message)),
        Err(failure) => printable(&failure.message),
    }
    if let Err(error) = command::parse(text) {
        printable(&error.to_string());
    }
    printable(&sanitize::lines(text));
    if let Ok(nick) = Nick::new(text) {
        printable(nick.as_str());
        assert!(nick.as_str().chars().count() <= Limits::NICK_CHARS);
        assert_eq!(Nick::new(nick.as_str()), Ok(nick.clone()));
        assert_eq!(Nick::new(nick.numbered(2).as_str()), Ok(nick.numbered(2)));
        let _keys = nick.look_alikes();
    }
    if let Ok(room) = RoomName::new(text) {
        assert_eq!(RoomName::new(room.as_str()), Ok(room));
    }
    if let Ok(body) = Body::new(text) {
        assert!(body.as_str().len() <= Limits::MESSAGE);
        assert_eq!(Body::new(body.as_str()), Ok(body));
    }
    if let Ok(topic) = Topic::new(text) {
        assert!(!topic.as_str().contains(['\n', '\t']));
        assert_eq!(Topic::new(topic.as_str()), Ok(topic));
    }
    if let Ok(key) = IdempotencyKey::new(text) {
        assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
});

fn printable(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
}
