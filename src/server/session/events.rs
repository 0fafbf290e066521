//! The events that a session waits for all its life but seldom gets. They are polled only after
//! their own waker has fired. A session is woken to write a room's messages thousands of times as
//! often, and polling all of these each time would be most of that work.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFuture;

use crate::{
    protocol::ServerMessage,
    server::{
        hub::mailbox::{EvictReason, Mailbox},
        websocket::Incoming,
    },
};

/// A rare event.
#[derive(Debug)]
pub(super) enum Event {
    /// The server stops.
    Stop,
    /// The alarm has gone off.
    Alarm,
    /// There is an event for this session alone, or the mailbox is closed.
    Mail(Result<Box<ServerMessage>, EvictReason>),
    /// The peer did something.
    Peer(Incoming),
}

/// All sources of rare events.
pub(super) struct SessionEvents<'a, 's> {
    stop: Pin<&'a mut WaitForCancellationFuture<'s>>,
    alarm: Pin<&'a mut Sleep>,
    mailbox: Mailbox,
    bell: Arc<WakeFlag>,
    /// The waker that sets the flag.
    waker: Waker,
    /// The session's waker, as the flag has it.
    woken: Option<Waker>,
    /// Whether the peer must be polled; otherwise it does not know the waker.
    asks_peer: bool,
    /// Whether all others must be polled.
    asks_others: bool,
}

/// A waker that wakes the session's task and records that it was this waker.
#[derive(Debug, Default)]
struct WakeFlag {
    has_rung: AtomicBool,
    /// Kept after it is used, so that it need not be set again each time the task runs.
    task: Mutex<Option<Waker>>,
}

impl WakeFlag {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        // No code that can panic runs under the lock.
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<'a, 's> SessionEvents<'a, 's> {
    pub(super) fn new(
        stop: Pin<&'a mut WaitForCancellationFuture<'s>>,
        alarm: Pin<&'a mut Sleep>,
        mailbox: Mailbox,
    ) -> Self {
        let bell = Arc::<WakeFlag>::default();
        let waker = Arc::clone(&bell).into();
        Self { stop, alarm, mailbox, bell, waker, woken: None, asks_peer: true, asks_others: true }
    }

    /// Sets the time of the next alarm. Also polls the peer again, because whether it is read may
    /// have changed.
    pub(super) fn set_alarm(&mut self, at: Instant) {
        self.alarm.as_mut().reset(at);
        (self.asks_peer, self.asks_others) = (true, true);
    }

    /// Returns the next event; `peer` polls the peer.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        peer: impl FnOnce(&mut Context<'_>) -> Poll<Incoming>,
    ) -> Poll<Event> {
        if self.has_rung(cx) {
            (self.asks_peer, self.asks_others) = (true, true);
        }
        let cx = &mut Context::from_waker(&self.waker);
        if self.asks_others {
            if self.stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            if self.alarm.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Alarm);
            }
            if let Poll::Ready(mail) = self.mailbox.poll_next(cx) {
                return Poll::Ready(Event::Mail(mail));
            }
            self.asks_others = false;
        }
        if self.asks_peer {
            if let Poll::Ready(incoming) = peer(cx) {
                return Poll::Ready(Event::Peer(incoming));
            }
            self.asks_peer = false;
        }
        Poll::Pending
    }

    /// Returns whether the flag was set since the last call. When the flag is set, it wakes the
    /// task of the last caller.
    fn has_rung(&mut self, cx: &Context<'_>) -> bool {
        if self.woken.as_ref().is_none_or(|woken| !woken.will_wake(cx.waker())) {
            self.woken = Some(cx.waker().clone());
            *self.bell.task() = Some(cx.waker().clone());
        }
        // Usually it is not set, and a plain load does not contend with other threads.
        self.bell.has_rung.load(Ordering::Relaxed) && self.bell.has_rung.swap(false, Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, pin::pin, time::Duration};

    use futures_util::FutureExt as _;
    use tokio::time::{advance, sleep_until};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        protocol::{Limits, MessageId, RoomName},
        rooms::MemberId,
        server::hub::mailbox::Mailboxes,
    };

    /// Returns the next event without reading the peer.
    async fn next(seldom: &mut SessionEvents<'_, '_>) -> Event {
        poll_fn(|cx| seldom.poll_next(cx, |_| Poll::Pending)).await
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_happens_rings() {
        let (token, mut mail, member) = (CancellationToken::new(), Mailboxes::default(), MemberId::nobodys());
        let mailbox = mail.open(member);
        let stop = pin!(token.cancelled());
        let alarm = pin!(sleep_until(Instant::now() + Limits::PING_EVERY));
        let mut seldom = SessionEvents::new(stop, alarm, mailbox);
        assert!(next(&mut seldom).now_or_never().is_none(), "nothing has happened");

        let event = || ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(1) };
        assert!(mail.deliver(member, event()) && mail.deliver(member, event()));
        for _ in 0..2 {
            assert!(matches!(next(&mut seldom).await, Event::Mail(Ok(_))));
        }
        assert!(next(&mut seldom).now_or_never().is_none());

        advance(Limits::PING_EVERY).await;
        assert!(matches!(next(&mut seldom).await, Event::Alarm));
        seldom.set_alarm(Instant::now() + Duration::from_secs(1));
        assert!(next(&mut seldom).now_or_never().is_none());
        let set_at = Instant::now();
        assert!(matches!(next(&mut seldom).await, Event::Alarm), "it wakes whoever sleeps");
        assert_eq!(set_at.elapsed(), Duration::from_secs(1));
        seldom.set_alarm(Instant::now() + Duration::from_secs(1));

        mail.evict(member);
        assert!(matches!(next(&mut seldom).await, Event::Mail(Err(EvictReason::TakenOver))));
        token.cancel();
        assert!(matches!(next(&mut seldom).await, Event::Stop));
    }

    #[tokio::test(start_paused = true)]
    async fn the_peer_is_asked_until_it_has_nothing_and_then_only_when_it_rings() {
        let (token, mut mail) = (CancellationToken::new(), Mailboxes::default());
        let stop = pin!(token.cancelled());
        let alarm = pin!(sleep_until(Instant::now() + Limits::PING_EVERY));
        let mut seldom = SessionEvents::new(stop, alarm, mail.open(MemberId::nobodys()));
        let (asked, said, fanout) = (Cell::new(0), Cell::new(true), Cell::new(None));
        let mut poll = || {
            let peer = |cx: &mut Context<'_>| {
                asked.set(asked.get() + 1);
                fanout.set(Some(cx.waker().clone()));
                if said.take() { Poll::Ready(Incoming::Alive) } else { Poll::Pending }
            };
            seldom.poll_next(&mut Context::from_waker(Waker::noop()), peer)
        };
        assert!(matches!(poll(), Poll::Ready(Event::Peer(Incoming::Alive))));
        for _ in 0..3 {
            assert!(poll().is_pending());
        }
        assert_eq!(asked.get(), 2);
        said.set(true);
        fanout.take().unwrap().wake();
        assert!(matches!(poll(), Poll::Ready(Event::Peer(Incoming::Alive))));
        assert_eq!(asked.get(), 3);
    }
}
