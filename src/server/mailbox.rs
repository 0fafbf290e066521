//! What is for one session alone, and how a session learns that it has lost its seat.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    room::SeatId,
    wire::{Limits, ServerMessage},
};

/// What is for one session alone. When it closes, the session has lost its seat.
///
/// Most mailboxes stay empty all their life, so an empty one is a tenth of a channel of tokio's.
#[derive(Debug)]
pub(crate) struct Mailbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    contents: Mutex<Contents>,
    /// That there is something new. It keeps for whoever is not waiting at the moment.
    news: Notify,
}

#[derive(Debug, Default)]
struct Contents {
    events: VecDeque<Box<ServerMessage>>,
    closed: Option<Unseated>,
}

impl Mailbox {
    /// Returns the next event, or why there will be none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Box<ServerMessage>, Unseated> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            self.shared.news.notified().await;
        }
    }

    /// Returns an event that is there already, or none.
    pub(crate) fn try_next(&mut self) -> Result<Option<Box<ServerMessage>>, Unseated> {
        let mut contents = self.shared.lock();
        match (contents.events.pop_front(), contents.closed) {
            (Some(event), _) => Ok(Some(event)),
            (None, Some(unseated)) => Err(unseated),
            (None, None) => {
                // Nothing is kept of a burst.
                contents.events = VecDeque::new();
                Ok(None)
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Nothing that can panic is done under the lock.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, why: Unseated) {
        self.lock().closed.get_or_insert(why);
        self.news.notify_one();
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

/// The hub's end of a mailbox, which closes with it.
#[derive(Debug)]
struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.close(Unseated::Overflow);
    }
}

impl Mail {
    /// Returns a mailbox for `seat`.
    pub(crate) fn open(&mut self, seat: SeatId) -> Mailbox {
        let shared = Arc::<Shared>::default();
        self.slots.insert(seat, Slot(Arc::clone(&shared)));
        Mailbox { shared }
    }

    /// Closes the mailbox of a seat that nobody sits in any more.
    pub(crate) fn close(&mut self, seat: SeatId) {
        self.slots.remove(&seat);
    }

    /// Closes the mailbox of a seat that a newer connection has taken, and says so to the session.
    pub(crate) fn evict(&mut self, seat: SeatId) {
        if let Some(slot) = self.slots.remove(&seat) {
            slot.0.close(Unseated::TakenOver);
        }
    }

    /// Puts an event into somebody's mailbox, and returns whether there was room.
    pub(crate) fn deliver(&self, seat: SeatId, event: ServerMessage) -> bool {
        let Some(Slot(shared)) = self.slots.get(&seat) else { return false };
        let mut contents = shared.lock();
        if contents.events.len() >= Limits::MAILBOX {
            return false;
        }
        contents.events.push_back(Box::new(event));
        drop(contents);
        shared.news.notify_one();
        true
    }

    /// Puts an event into somebody's mailbox that must not be missed: where there is no room, the session ends, and what it
    /// missed comes to light when it resumes.
    pub(crate) fn must_deliver(&mut self, seat: SeatId, event: ServerMessage) {
        if !self.deliver(seat, event) {
            self.close(seat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Hex, MessageId, Nick, RoomName};

    fn seat() -> SeatId {
        let arrival = crate::room::Arrival {
            author: Hex([1; 16]),
            nick: Some(Nick::new("ada").unwrap()),
            if_taken: crate::room::IfTaken::Next,
            room: RoomName::lobby(),
            returning: false,
        };
        crate::room::Rooms::default().arrive(arrival, std::time::Duration::ZERO).unwrap().seat
    }

    fn event(id: u64) -> ServerMessage {
        ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(id) }
    }

    #[tokio::test]
    async fn events_come_in_order_and_then_why_it_closed() {
        let (mut mail, seat) = (Mail::default(), seat());
        let mut mailbox = mail.open(seat);
        assert!(mail.deliver(seat, event(1)) && mail.deliver(seat, event(2)));
        mail.evict(seat);
        assert_eq!(*mailbox.next().await.unwrap(), event(1));
        assert_eq!(*mailbox.next().await.unwrap(), event(2));
        assert_eq!(mailbox.next().await, Err(Unseated::TakenOver));
        assert!(!mail.deliver(seat, event(3)));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (mut mail, seat) = (Mail::default(), seat());
        let mut mailbox = mail.open(seat);
        let waiting = tokio::spawn(async move { (mailbox.next().await, mailbox.next().await) });
        tokio::task::yield_now().await;
        assert!(mail.deliver(seat, event(1)));
        tokio::task::yield_now().await;
        drop(mail);
        let (first, second) = waiting.await.unwrap();
        assert_eq!((*first.unwrap(), second), (event(1), Err(Unseated::Overflow)));
    }

    #[test]
    fn what_must_be_delivered_and_does_not_fit_closes_it() {
        let (mut mail, seat) = (Mail::default(), seat());
        let mut mailbox = mail.open(seat);
        for id in 0..Limits::MAILBOX {
            assert!(mail.deliver(seat, event(id as u64)));
        }
        assert!(!mail.deliver(seat, event(99)));
        mail.must_deliver(seat, event(99));
        for id in 0..Limits::MAILBOX {
            assert_eq!(*mailbox.try_next().unwrap().unwrap(), event(id as u64));
        }
        assert_eq!(mailbox.try_next(), Err(Unseated::Overflow));
    }
}
