//! One broadcast channel a room, and how what a turn has for the rooms gets into them: a stretch of messages is one batch, and a
//! notice has its place between two.

use std::{collections::HashMap, sync::Arc};

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

    fn send(&self, room: &RoomName, batch: Batch) {
        if let Some(ring) = self.senders.get(room) {
            // An error says that nobody is there to hear it; the log has it.
            drop(ring.send(Arc::new(batch)));
        }
    }
}
