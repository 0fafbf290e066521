//! The events for one session alone. A closed mailbox also tells a session that it has lost its
//! membership.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{
    protocol::{ErrorCode, Failure, Limits, ServerMessage},
    rooms::MemberId,
};

/// The events for one session alone. When it closes, the session has lost its membership. Clones
/// share the same events, but only one of them can be waited on.
///
/// Most mailboxes stay empty all their life. An empty one takes a tenth of the memory of a tokio
/// channel.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    events: VecDeque<Box<ServerMessage>>,
    closed: Option<EvictReason>,
    /// The task that waits for an event.
    waiting: Option<Waker>,
}

impl Mailbox {
    /// Returns the next event, or the reason why there will be none.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<ServerMessage>, EvictReason>> {
        let mut contents = self.shared.lock();
        match (contents.events.pop_front(), contents.closed) {
            (Some(event), _) => Poll::Ready(Ok(event)),
            (None, Some(unseated)) => Poll::Ready(Err(unseated)),
            (None, None) => {
                // Frees the memory of a burst.
                contents.events = VecDeque::new();
                contents.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Returns why the membership is lost, as soon as it is, even if events are left.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<EvictReason> {
        let mut contents = self.shared.lock();
        if contents.closed.is_none() {
            contents.waiting = Some(cx.waker().clone());
        }
        contents.closed.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the contents and wakes the waiting task.
    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let mut contents = self.lock();
        let changed = change(&mut contents);
        let waiting = contents.waiting.take();
        drop(contents);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        changed
    }

    fn close(&self, why: EvictReason) {
        self.change(|contents| _ = contents.closed.get_or_insert(why));
    }
}

/// Returns whether this event is owed to a person: the hub keeps it until the session has confirmed
/// that its peer received it.
pub(crate) fn is_owed(event: &ServerMessage) -> bool {
    matches!(event, ServerMessage::Private(_) | ServerMessage::Error(Failure { code: ErrorCode::Unreachable, .. }))
}

/// Why a session lost its membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvictReason {
    /// A newer connection of the same person has taken it.
    TakenOver,
    /// The mailbox was full: the session did not read its events.
    Overflow,
}

/// The mailboxes of all members, as the hub sees them.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    slots: HashMap<MemberId, MailboxSender>,
}

/// The hub's end of a mailbox. The mailbox closes when this is dropped.
#[derive(Debug)]
struct MailboxSender(Arc<Shared>);

impl Drop for MailboxSender {
    fn drop(&mut self) {
        self.0.close(EvictReason::Overflow);
    }
}

impl Mailboxes {
    /// Returns a new mailbox for `member`.
    pub(crate) fn open(&mut self, member: MemberId) -> Mailbox {
        let shared = Arc::<Shared>::default();
        self.slots.insert(member, MailboxSender(Arc::clone(&shared)));
        Mailbox { shared }
    }

    /// Closes the mailbox of a member that has left.
    pub(crate) fn close(&mut self, member: MemberId) {
        self.slots.remove(&member);
    }

    /// Closes the mailbox of a member whose membership was taken by a newer connection, and tells
    /// the session so. Owed events are removed: the newer connection gets them.
    pub(crate) fn evict(&mut self, member: MemberId) {
        if let Some(slot) = self.slots.remove(&member) {
            slot.0.change(|contents| contents.events.retain(|event| !is_owed(event)));
            slot.0.close(EvictReason::TakenOver);
        }
    }

    /// Puts an event into a member's mailbox, and returns whether there was room.
    pub(crate) fn deliver(&self, member: MemberId, event: ServerMessage) -> bool {
        let Some(MailboxSender(shared)) = self.slots.get(&member) else { return false };
        shared.change(|contents| {
            let has_room = contents.events.len() < Limits::MAILBOX;
            if has_room {
                contents.events.push_back(Box::new(event));
            }
            has_room
        })
    }

    /// Puts an event that must not be missed into a member's mailbox. If there is no room, the
    /// session ends; it learns what it missed when it resumes.
    pub(crate) fn must_deliver(&mut self, member: MemberId, event: ServerMessage) {
        if !self.deliver(member, event) {
            self.close(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::protocol::{MessageId, RoomName};

    fn event(id: u64) -> ServerMessage {
        ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(id) }
    }

    async fn next(mailbox: &mut Mailbox) -> Result<Box<ServerMessage>, EvictReason> {
        poll_fn(|cx| mailbox.poll_next(cx)).await
    }

    #[tokio::test]
    async fn events_come_in_order_and_then_why_it_closed() {
        let (mut mail, member) = (Mailboxes::default(), MemberId::nobodys());
        let mut mailbox = mail.open(member);
        assert!(mail.deliver(member, event(1)) && mail.deliver(member, event(2)));
        mail.evict(member);
        assert_eq!(*next(&mut mailbox).await.unwrap(), event(1));
        assert_eq!(*next(&mut mailbox).await.unwrap(), event(2));
        assert_eq!(next(&mut mailbox).await, Err(EvictReason::TakenOver));
        assert!(!mail.deliver(member, event(3)));
    }

    #[tokio::test]
    async fn who_takes_the_place_gets_what_is_owed_and_the_other_does_not() {
        let (mut mail, member) = (Mailboxes::default(), MemberId::nobodys());
        let mut mailbox = mail.open(member);
        let owed = || ServerMessage::Error(Failure::new(ErrorCode::Unreachable, "bob has gone"));
        assert!(mail.deliver(member, owed()) && mail.deliver(member, event(1)) && mail.deliver(member, owed()));
        mail.evict(member);
        assert_eq!(*next(&mut mailbox).await.unwrap(), event(1));
        assert_eq!(next(&mut mailbox).await, Err(EvictReason::TakenOver));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (mut mail, member) = (Mailboxes::default(), MemberId::nobodys());
        let mut mailbox = mail.open(member);
        let waiting = tokio::spawn(async move { (next(&mut mailbox).await, next(&mut mailbox).await) });
        tokio::task::yield_now().await;
        assert!(mail.deliver(member, event(1)));
        tokio::task::yield_now().await;
        drop(mail);
        let (first, second) = waiting.await.unwrap();
        assert_eq!((*first.unwrap(), second), (event(1), Err(EvictReason::Overflow)));
    }

    #[tokio::test]
    async fn what_must_be_delivered_and_does_not_fit_closes_it() {
        let (mut mail, member) = (Mailboxes::default(), MemberId::nobodys());
        let mut mailbox = mail.open(member);
        for id in 0..Limits::MAILBOX {
            assert!(mail.deliver(member, event(id as u64)));
        }
        assert!(!mail.deliver(member, event(99)));
        mail.must_deliver(member, event(99));
        for id in 0..Limits::MAILBOX {
            assert_eq!(*next(&mut mailbox).await.unwrap(), event(id as u64));
        }
        assert_eq!(next(&mut mailbox).await, Err(EvictReason::Overflow));
    }
}
