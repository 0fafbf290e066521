//! What is for one session alone, and how a session learns that it has lost its seat.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use tokio::sync::mpsc::{self, error::TryRecvError};

use crate::{
    room::SeatId,
    wire::{Limits, ServerMessage},
};

/// What is for one session alone. When it closes, the session has lost its seat.
#[derive(Debug)]
pub(crate) struct Mailbox {
    events: mpsc::Receiver<Box<ServerMessage>>,
    evicted: Arc<OnceLock<()>>,
}

impl Mailbox {
    /// Returns the next event, or why there will be none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Box<ServerMessage>, Unseated> {
        let event = self.events.recv().await;
        event.ok_or_else(|| self.why_closed())
    }

    /// Returns an event that is there already, or none.
    pub(crate) fn try_next(&mut self) -> Result<Option<Box<ServerMessage>>, Unseated> {
        match self.events.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(self.why_closed()),
        }
    }

    fn why_closed(&self) -> Unseated {
        if self.evicted.get().is_some() { Unseated::TakenOver } else { Unseated::Overflow }
    }
}

/// Why a session lost its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unseated {
    /// A newer connection of the same person has it.
    TakenOver,
    /// It did not take what was for it alone.
    Overflow,
}

/// The mailboxes of all seats, as the hub sees them.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    slots: HashMap<SeatId, Slot>,
}

#[derive(Debug)]
struct Slot {
    events: mpsc::Sender<Box<ServerMessage>>,
    evicted: Arc<OnceLock<()>>,
}

impl Mail {
    /// Returns a mailbox for `seat`.
    pub(crate) fn open(&mut self, seat: SeatId) -> Mailbox {
        let (sender, events) = mpsc::channel(Limits::MAILBOX);
        let evicted = Arc::new(OnceLock::new());
        self.slots.insert(seat, Slot { events: sender, evicted: Arc::clone(&evicted) });
        Mailbox { events, evicted }
    }

    /// Closes the mailbox of a seat that nobody sits in any more.
    pub(crate) fn close(&mut self, seat: SeatId) {
        self.slots.remove(&seat);
    }

    /// Closes the mailbox of a seat that a newer connection has taken, and says so to the session.
    pub(crate) fn evict(&mut self, seat: SeatId) {
        if let Some(slot) = self.slots.remove(&seat) {
            slot.evicted.get_or_init(|| ());
        }
    }

    /// Puts an event into somebody's mailbox, and returns whether there was room.
    pub(crate) fn deliver(&self, seat: SeatId, event: ServerMessage) -> bool {
        self.slots.get(&seat).is_some_and(|slot| slot.events.try_send(Box::new(event)).is_ok())
    }

    /// Puts an event into somebody's mailbox that must not be missed: where there is no room, the session ends, and what it
    /// missed comes to light when it resumes.
    pub(crate) fn must_deliver(&mut self, seat: SeatId, event: ServerMessage) {
        if !self.deliver(seat, event) {
            self.close(seat);
        }
    }
}
