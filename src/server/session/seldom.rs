//! What a session waits for all its life and seldom gets. It is asked only after it has rung: a session is woken to write what its
//! room says thousands of times as often, and to ask each of these every time would be most of that work.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFuture;

use crate::{
    server::mailbox::{Mailbox, Unseated},
    wire::ServerMessage,
};

/// What has happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The server stops.
    Stop,
    /// It is time for something.
    Alarm,
    /// There is something for this session alone, or there never will be again.
    Mail(Result<Box<ServerMessage>, Unseated>),
}

/// All of it, as one future without an end. Cancel-safe.
pub(super) struct Seldom<'a, 's> {
    stop: Pin<&'a mut WaitForCancellationFuture<'s>>,
    alarm: Pin<&'a mut Sleep>,
    mailbox: Mailbox,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

/// Wakes the session's task, and keeps for it that it was this bell.
#[derive(Debug, Default)]
struct Bell {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<'a, 's> Seldom<'a, 's> {
    pub(super) fn new(
        stop: Pin<&'a mut WaitForCancellationFuture<'s>>,
        alarm: Pin<&'a mut Sleep>,
        mailbox: Mailbox,
    ) -> Self {
        // Each must be asked once, or it does not know whom to wake.
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { stop, alarm, mailbox, waker: Arc::clone(&bell).into(), bell }
    }

    /// Chooses when the alarm goes off next.
    pub(super) fn set_alarm(&mut self, at: Instant) {
        self.alarm.as_mut().reset(at);
        self.bell.has_rung.store(true, Ordering::Relaxed);
    }

    fn ask(&mut self) -> Poll<Event> {
        let cx = &mut Context::from_waker(&self.waker);
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Stop);
        }
        if self.alarm.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Alarm);
        }
        self.mailbox.poll_next(cx).map(Event::Mail)
    }
}

impl Future for Seldom<'_, '_> {
    type Output = Event;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        // First, so that a bell that rings from now on wakes this task.
        self.bell.task.register(cx.waker());
        if !self.bell.has_rung.swap(false, Ordering::Acquire) {
            return Poll::Pending;
        }
        let event = self.ask();
        if event.is_ready() {
            // Those after it have not been asked.
            self.bell.has_rung.store(true, Ordering::Relaxed);
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, time::Duration};

    use futures_util::FutureExt as _;
    use tokio::time::{advance, sleep_until};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        room::SeatId,
        server::mailbox::Mail,
        wire::{Limits, MessageId, RoomName},
    };

    #[tokio::test(start_paused = true)]
    async fn whatever_happens_rings() {
        let (token, mut mail, seat) = (CancellationToken::new(), Mail::default(), SeatId::nobodys());
        let mailbox = mail.open(seat);
        let stop = pin!(token.cancelled());
        let alarm = pin!(sleep_until(Instant::now() + Limits::PING_EVERY));
        let mut seldom = Seldom::new(stop, alarm, mailbox);
        assert!((&mut seldom).now_or_never().is_none(), "nothing has happened");

        let event = || ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(1) };
        assert!(mail.deliver(seat, event()) && mail.deliver(seat, event()));
        for _ in 0..2 {
            assert!(matches!((&mut seldom).await, Event::Mail(Ok(_))));
        }
        assert!((&mut seldom).now_or_never().is_none());

        advance(Limits::PING_EVERY).await;
        assert!(matches!((&mut seldom).await, Event::Alarm));
        seldom.set_alarm(Instant::now() + Duration::from_secs(1));
        assert!((&mut seldom).now_or_never().is_none());
        let set_at = Instant::now();
        assert!(matches!((&mut seldom).await, Event::Alarm), "it wakes whoever sleeps");
        assert_eq!(set_at.elapsed(), Duration::from_secs(1));
        seldom.set_alarm(Instant::now() + Duration::from_secs(1));

        mail.evict(seat);
        assert!(matches!((&mut seldom).await, Event::Mail(Err(Unseated::TakenOver))));
        token.cancel();
        assert!(matches!((&mut seldom).await, Event::Stop));
    }
}
