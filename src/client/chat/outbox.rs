//! The requests and texts that the server has not answered yet, in the order they were typed. Pure.

use std::collections::VecDeque;

use crate::protocol::{Body, ClientMessage, IdempotencyKey, Topic};

/// The maximum number of entries before input has to wait. At the server's default rate, 1000
/// entries take a minute and a half to send.
const CAPACITY: usize = 1000;

/// The maximum number of entries in flight. 16 is enough to hide the round trip and few enough for
/// the server to buffer.
const WINDOW: usize = 16;

/// The queue of everything that needs an answer. An entry is removed when it is answered, not when
/// it is sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    message: ClientMessage,
    asker: Asker,
    sent: bool,
    /// Whether the entry was sent and the server has not reported that it was not taken.
    tried: bool,
}

/// Who wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// The user who typed it.
    User,
    /// The view, for itself.
    View,
    /// The app. The result is not shown to the user.
    App,
}

impl Outbox {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= CAPACITY
    }

    /// Returns whether everything that was typed is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.asker != Asker::User)
    }

    /// Returns the texts that are not acknowledged yet, oldest first.
    pub(super) fn texts(&self) -> impl Iterator<Item = &ClientMessage> {
        self.entries.iter().map(|entry| &entry.message).filter(|message| message.key().is_some())
    }

    /// Returns the number of texts that are not acknowledged yet.
    pub(super) fn unsent_texts(&self) -> usize {
        self.texts().count()
    }

    /// Returns how many of these texts were sent, so that others may have seen them.
    pub(super) fn doubtful_texts(&self) -> usize {
        self.entries.iter().filter(|entry| entry.tried && entry.message.key().is_some()).count()
    }

    /// Adds what the user typed.
    pub(super) fn push(&mut self, message: ClientMessage) {
        self.entries.push_back(Entry { message, asker: Asker::User, sent: false, tried: false });
    }

    /// Adds texts with their keys in front of all others, because they are older.
    pub(super) fn put_first(&mut self, texts: Vec<ClientMessage>) {
        for message in texts.into_iter().rev().filter(|message| message.key().is_some()) {
            self.entries.push_front(Entry { message, asker: Asker::User, sent: false, tried: true });
        }
    }

    /// Adds a request that nobody typed, unless the same asker already waits for its answer.
    pub(super) fn push_unasked(&mut self, message: ClientMessage, asker: Asker) {
        let is_asked = |entry: &Entry| entry.asker == asker && entry.message == message;
        if !self.entries.iter().any(is_asked) {
            self.entries.push_back(Entry { message, asker, sent: false, tried: false });
        }
    }

    /// Returns the next message to send, if one may be sent now, and marks it as sent.
    ///
    /// A change of room is never in flight together with anything else. What was typed before it
    /// belongs to the old room and must be answered there. What was typed after it waits for the
    /// new room.
    pub(super) fn next(&mut self) -> Option<&ClientMessage> {
        let joins = |entry: &Entry| matches!(entry.message, ClientMessage::Join { .. });
        let under_way = self.entries.iter().filter(|entry| entry.sent).count();
        if under_way >= WINDOW || self.entries.iter().any(|entry| entry.sent && joins(entry)) {
            return None;
        }
        let next = self.entries.iter_mut().find(|entry| !entry.sent)?;
        if joins(next) && under_way > 0 {
            return None;
        }
        (next.sent, next.tried) = (true, true);
        Some(&next.message)
    }

    /// Removes and returns the private texts, oldest first.
    pub(super) fn take_for_people(&mut self) -> Vec<ClientMessage> {
        let is_for_person = |entry: &Entry| matches!(entry.message, ClientMessage::Msg { .. });
        let (taken, left) = std::mem::take(&mut self.entries).into_iter().partition::<VecDeque<_>, _>(is_for_person);
        self.entries = left;
        taken.into_iter().map(|entry| entry.message).collect()
    }

    /// Removes and returns the text with this key: it was echoed, or it failed for good.
    pub(super) fn take(&mut self, wanted: &IdempotencyKey) -> Option<ClientMessage> {
        self.remove(|entry| entry.message.key() == Some(wanted)).map(|entry| entry.message)
    }

    /// Removes the oldest request in flight that is not a text and that `is_it` accepts. Returns it
    /// and its asker.
    pub(super) fn answered(&mut self, is_it: impl Fn(&ClientMessage) -> bool) -> Option<(Asker, ClientMessage)> {
        self.remove(|entry| is_under_way(entry, &is_it)).map(|entry| (entry.asker, entry.message))
    }

    /// Returns the request that [`Self::answered`] would remove. Use it if more of the answer
    /// follows.
    pub(super) fn asker(&self, is_it: impl Fn(&ClientMessage) -> bool) -> Option<(Asker, ClientMessage)> {
        let entry = self.entries.iter().find(|entry| is_under_way(entry, &is_it))?;
        Some((entry.asker, entry.message.clone()))
    }

    /// Queues the text with this key again because the server has not taken it. Returns whether
    /// there is such a text.
    pub(super) fn retry(&mut self, wanted: &IdempotencyKey) -> bool {
        let entry = self.entries.iter_mut().find(|entry| entry.message.key() == Some(wanted));
        entry.map(|entry| (entry.sent, entry.tried) = (false, false)).is_some()
    }

    /// Queues all entries again because the connection they were sent on is lost.
    pub(super) fn rewind(&mut self) {
        for entry in &mut self.entries {
            entry.sent = false;
        }
    }

    /// Removes all entries and returns those that were typed, oldest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = ClientMessage> + use<> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .filter(|entry| entry.asker == Asker::User)
            .map(|entry| entry.message)
    }

    fn remove(&mut self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let at = self.entries.iter().position(is_it)?;
        self.entries.remove(at)
    }
}

fn is_under_way(entry: &Entry, is_it: impl Fn(&ClientMessage) -> bool) -> bool {
    entry.sent && entry.message.key().is_none() && is_it(&entry.message)
}

/// Returns the body of a text, to quote it to its author.
pub(super) fn words(message: &ClientMessage) -> &str {
    match message {
        ClientMessage::Say { text, .. } | ClientMessage::Me { text, .. } | ClientMessage::Msg { text, .. } => {
            Body::as_str(text)
        }
        ClientMessage::SetTopic { text, .. } => text.as_ref().map_or("", Topic::as_str),
        ClientMessage::Hello(_)
        | ClientMessage::Join { .. }
        | ClientMessage::Rooms
        | ClientMessage::Names
        | ClientMessage::Whois { .. }
        | ClientMessage::Away { .. }
        | ClientMessage::Nick { .. }
        | ClientMessage::Topic
        | ClientMessage::History { .. }
        | ClientMessage::Search { .. }
        | ClientMessage::Quit => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RoomName;

    fn say(key: &str) -> ClientMessage {
        ClientMessage::Say { key: Some(IdempotencyKey::new(key).unwrap()), text: Body::new(key).unwrap() }
    }

    fn sent(outbox: &mut Outbox) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(message) = outbox.next() {
            all.push(words(message).to_owned());
        }
        all
    }

    #[test]
    fn a_window_is_under_way_and_the_rest_waits() {
        let mut outbox = Outbox::default();
        (0..40).for_each(|n| outbox.push(say(&n.to_string())));
        assert_eq!(sent(&mut outbox).len(), WINDOW);
        assert!(outbox.take(&IdempotencyKey::new("0").unwrap()).is_some());
        assert_eq!(sent(&mut outbox), ["16"]);
    }

    #[test]
    fn after_a_drop_the_same_goes_out_in_the_same_order() {
        let mut outbox = Outbox::default();
        for key in ["a", "b", "c"] {
            outbox.push(say(key));
        }
        sent(&mut outbox);
        outbox.take(&IdempotencyKey::new("b").unwrap());
        outbox.rewind();
        outbox.push(say("d"));
        assert_eq!(sent(&mut outbox), ["a", "c", "d"]);
    }

    #[test]
    fn a_change_of_room_stands_alone() {
        let mut outbox = Outbox::default();
        outbox.push(say("a"));
        outbox.push(ClientMessage::Join { room: RoomName::lobby(), history: None });
        outbox.push(say("b"));
        assert_eq!(sent(&mut outbox), ["a"]);
        outbox.take(&IdempotencyKey::new("a").unwrap());
        assert_eq!(sent(&mut outbox), [""]);
        outbox.answered(|message| matches!(message, ClientMessage::Join { .. }));
        assert_eq!(sent(&mut outbox), ["b"]);
    }
}
