//! One broadcast channel a room, and how what a turn has for the rooms gets into them: a stretch of messages is one batch, and a
//! notice has its place between two.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use tokio::sync::broadcast;

use super::batch::Batch;
use crate::{
    room::Notice,
    wire::{Limits, Message, RoomName},
};

/// The ring of a room, as a session reads it.
pub(crate) type Ring = broadcast::Receiver<Arc<Batch>>;

/// The rings of all rooms.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    senders: HashMap<RoomName, broadcast::Sender<Arc<Batch>>>,
    /// Messages of this turn that are not in a ring yet, and how long their text is.
    open: HashMap<RoomName, (Vec<Arc<Message>>, usize)>,
    /// What the last turn sent. A ring lets go of a batch when its last reader has it.
    sent: Vec<Weak<Batch>>,
}

impl Rings {
    /// Returns whether the room has a ring.
    pub(crate) fn has(&self, room: &RoomName) -> bool {
        self.senders.contains_key(room)
    }

    /// Returns how many rooms have a ring.
    pub(crate) fn count(&self) -> usize {
        self.senders.len()
    }

    /// Returns whatever the room gets from now on.
    pub(crate) fn subscribe(&mut self, room: &RoomName) -> Ring {
        let ring = self.senders.entry(room.clone()).or_insert_with(|| broadcast::Sender::new(Limits::RING));
        ring.subscribe()
    }

    /// Takes the rings of the rooms that `is_empty` names.
    pub(crate) fn close(&mut self, is_empty: impl Fn(&RoomName) -> bool) {
        self.senders.retain(|room, _| !is_empty(room));
    }

    /// Adds a message to its room's batch.
    pub(crate) fn message(&mut self, message: Arc<Message>) {
        let room = message.room.clone();
        let (messages, text) = self.open.entry(room.clone()).or_default();
        *text += message.text.as_ref().map_or(0, |text| text.as_str().len());
        messages.push(message);
        if *text >= Limits::BATCH {
            self.send_open(&room);
        }
    }

    /// Sends a notice behind what its room has got so far.
    pub(crate) fn notice(&mut self, notice: Notice) {
        let room = notice.presence.room.clone();
        self.send_open(&room);
        self.send(&room, Batch::notice(notice));
    }

    /// Begins a turn.
    pub(crate) fn begin(&mut self) {
        self.sent.clear();
    }

    /// Returns whether a reader has yet to take what the last turn sent. Who waited for it also writes it before letting go of it.
    pub(crate) fn is_busy(&mut self) -> bool {
        while self.sent.pop_if(|batch| batch.strong_count() == 0).is_some() {}
        !self.sent.is_empty()
    }

    /// Sends whatever is not in a ring yet: the turn is over.
    pub(crate) fn finish(&mut self) {
        for (room, (messages, _)) in std::mem::take(&mut self.open) {
            self.send(&room, Batch::messages(messages));
        }
    }

    fn send_open(&mut self, room: &RoomName) {
        if let Some((messages, _)) = self.open.remove(room) {
            self.send(room, Batch::messages(messages));
        }
    }

    fn send(&mut self, room: &RoomName, batch: Batch) {
        if let Some(ring) = self.senders.get(room) {
            let batch = Arc::new(batch);
            self.sent.push(Arc::downgrade(&batch));
            // An error says that nobody is there to hear it; the log has it.
            drop(ring.send(batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::batch::tests::message;

    #[test]
    fn a_turn_is_busy_until_its_last_reader_lets_go_of_it() {
        let mut rings = Rings::default();
        let mut readers = [rings.subscribe(&RoomName::lobby()), rings.subscribe(&RoomName::lobby())];
        assert!(!rings.is_busy(), "nothing was sent");
        rings.message(message(1, "hi"));
        rings.finish();
        let written = readers.each_mut().map(|reader| {
            assert!(rings.is_busy());
            reader.try_recv().unwrap()
        });
        assert!(rings.is_busy(), "taken, but not written");
        drop(written);
        assert!(!rings.is_busy());
    }

    #[test]
    fn a_reader_that_takes_nothing_keeps_one_turn_busy_and_no_other() {
        let mut rings = Rings::default();
        let _stalled = rings.subscribe(&RoomName::lobby());
        rings.message(message(1, "hi"));
        rings.finish();
        assert!(rings.is_busy());
        rings.begin();
        assert!(!rings.is_busy(), "this turn has sent nothing");
    }
}
