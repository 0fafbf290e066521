//! Keeps one copy of each name that repeats. A separate copy of the room and the nick for each
//! message takes more memory than most message texts. Pure.

use std::sync::Arc;

use crate::protocol::{Message, Nick, RoomName, ServerMessage};

/// The maximum number of nicks that are kept. More people than that seldom talk at the same time.
const NICKS: usize = 32;

/// The names of the most recent messages.
#[derive(Debug, Default)]
pub(super) struct Names {
    room: Option<RoomName>,
    nicks: Vec<Nick>,
    /// The index of the nick that the next new one replaces.
    oldest: usize,
}

impl Names {
    /// Makes the messages of `event` share their names with earlier messages.
    pub(super) fn share(&mut self, event: &mut ServerMessage) {
        match event {
            ServerMessage::Message(message) => self.share_in(message),
            ServerMessage::History { messages, .. } | ServerMessage::Found { messages, .. } => {
                for message in messages {
                    self.share_in(message);
                }
            }
            _ => {}
        }
    }

    fn share_in(&mut self, message: &mut Arc<Message>) {
        // No other reference exists yet.
        let Some(message) = Arc::get_mut(message) else { return };
        match &self.room {
            Some(room) if *room == message.room => message.room = room.clone(),
            _ => self.room = Some(message.room.clone()),
        }
        match self.nicks.iter().find(|nick| **nick == message.nick) {
            Some(nick) => message.nick = nick.clone(),
            None if self.nicks.len() < NICKS => self.nicks.push(message.nick.clone()),
            None => {
                self.nicks[self.oldest] = message.nick.clone();
                self.oldest = (self.oldest + 1) % NICKS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::json::decode_server;

    fn said(id: usize, room: &str, nick: &str) -> ServerMessage {
        let frame = format!(r#"{{"type":"message","id":{id},"room":"{room}","at":1,"nick":"{nick}","text":"hello"}}"#);
        decode_server(&frame).unwrap().unwrap()
    }

    #[test]
    fn the_same_name_is_there_once_and_few_are_kept() {
        let mut names = Names::default();
        let mut shown = Vec::new();
        let mut place = |id, room: &str, nick: &str| {
            let mut event = said(id, room, nick);
            names.share(&mut event);
            let ServerMessage::Message(message) = &event else { panic!("{event:?}") };
            assert_eq!((message.room.as_str(), message.nick.as_str()), (room, nick));
            let places = (message.room.as_str().as_ptr(), message.nick.as_str().as_ptr());
            shown.push(event);
            places
        };
        let first = place(1, "lobby", "ada");
        let second = place(2, "lobby", "bob");
        assert_eq!(first.0, second.0);
        assert_eq!(place(3, "lobby", "ada"), first);
        assert_ne!(place(4, "rust", "ada").0, first.0);
        for id in 5..1000 {
            place(id, "rust", &format!("n{id}"));
        }
        assert_ne!(place(1000, "rust", "ada").1, first.1);
        assert_eq!(names.nicks.len(), NICKS);
    }
}
