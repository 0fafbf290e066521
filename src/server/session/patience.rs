//! Waiting for what may take long: a slow peer, and the store. Meanwhile the session still notices
//! the stop, the loss of its membership, and the peer, of which it keeps at most one input.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::WaitForCancellationFuture;

use super::Session;
use crate::{
    protocol::Limits,
    server::{
        Transport,
        session::end_reason::End,
        websocket::frame_queue::FrameQueue,
        websocket::{Incoming, Socket},
    },
};

impl<S: Transport> Session<'_, S> {
    /// Writes whole frames, after those that were queued. Not cancel-safe: a frame may be
    /// incomplete.
    pub(super) async fn write(&mut self, frames: FrameQueue) -> Result<(), End> {
        let mut frames = self.socket.begin_write(frames).await?;
        // Usually the socket takes all of it at once.
        match poll_fn(|cx| Poll::Ready(self.socket.poll_write(cx, &mut frames))).await {
            Poll::Ready(written) => Ok(written?),
            Poll::Pending => Box::pin(self.write_slowly(frames)).await,
        }
    }

    /// Writes to a peer that does not take all at once. A peer that keeps reading is alive.
    async fn write_slowly(&mut self, mut frames: FrameQueue) -> Result<(), End> {
        let shared = self.shared;
        let mut stop = pin!(shared.stop.cancelled());
        let mut deadline = pin!(sleep(Limits::WRITE));
        let end = poll_fn(|cx| {
            let before = frames.len();
            let written = self.socket.poll_write(cx, &mut frames);
            if frames.len() < before {
                self.last_seen = Instant::now();
                deadline.as_mut().reset(self.last_seen + Limits::WRITE);
            }
            if let Poll::Ready(written) = written {
                return Poll::Ready(written.err().map(End::from));
            }
            if let Poll::Ready(end) = self.poll_hear(cx, stop.as_mut()) {
                return Poll::Ready(Some(end));
            }
            deadline.as_mut().poll(cx).map(|()| Some(End::Stalled))
        })
        .await;
        match end {
            None => Ok(()),
            Some(end) => {
                self.socket.give_up_write(frames);
                Err(end)
            }
        }
    }

    /// Returns the result of `work`, unless the session must end first. Meanwhile pings are
    /// answered and sent, and a peer without a sign of life counts as dead. Not cancel-safe if
    /// `work` is not.
    pub(super) async fn hearing<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let shared = self.shared;
        let mut stop = pin!(shared.stop.cancelled());
        let mut work = pin!(work);
        let first = poll_fn(|cx| {
            Poll::Ready(match self.poll_hear(cx, stop.as_mut()) {
                Poll::Ready(end) => Poll::Ready(Err(end)),
                Poll::Pending => work.as_mut().poll(cx).map(Ok),
            })
        });
        match first.await {
            Poll::Ready(done) => done,
            Poll::Pending => Box::pin(self.hearing_long(work, stop)).await,
        }
    }

    async fn hearing_long<T>(
        &mut self,
        mut work: Pin<&mut impl Future<Output = T>>,
        mut stop: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Result<T, End> {
        /// Queued output is written together with the result, if that does not take longer than
        /// this.
        const TOGETHER: Duration = Duration::from_millis(100);
        let mut unsent = self.socket.has_unsent().then(|| Instant::now() + TOGETHER);
        let mut alarm = pin!(sleep(Duration::ZERO));
        loop {
            let quiet = self.next_ping.min(self.last_seen + Limits::DEAD_AFTER);
            alarm.as_mut().reset(unsent.map_or(quiet, |unsent| quiet.min(unsent)));
            let done = poll_fn(|cx| {
                loop {
                    if let Poll::Ready(end) = self.poll_hear(cx, stop.as_mut()) {
                        return Poll::Ready(Err(end));
                    }
                    if !self.socket.has_queued() {
                        break;
                    }
                    // This does not leave a frame incomplete.
                    match self.socket.poll_flush(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(unwritten)) => return Poll::Ready(Err(unwritten.into())),
                        Poll::Pending => break,
                    }
                }
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(Ok(Some(done)));
                }
                alarm.as_mut().poll(cx).map(|()| Ok(None))
            });
            if let Some(done) = done.await? {
                return Ok(done);
            }
            if unsent.take().is_some() {
                self.write(FrameQueue::default()).await?;
            }
            if Instant::now() >= self.last_seen + Limits::DEAD_AFTER {
                return Err(End::Dead);
            }
            self.ping_if_due().await?;
        }
    }

    /// Watches for the stop, the loss of the membership, and one input of the peer. Returns why the
    /// session must end.
    fn poll_hear(&mut self, cx: &mut Context<'_>, stop: Pin<&mut WaitForCancellationFuture<'_>>) -> Poll<End> {
        self.has_waited = true;
        if stop.poll(cx).is_ready() {
            return Poll::Ready(End::Stopping);
        }
        if let Poll::Ready(unseated) = self.member.mailbox.poll_closed(cx) {
            return Poll::Ready(unseated.into());
        }
        // The answer to a ping must not come between the parts of a frame, nor before queued
        // output. So nothing is read that could make the library write such an answer.
        let may_read = |socket: &Socket<S>| !socket.has_queued() && !socket.has_unsent();
        while self.held.is_none() && self.heard.is_none() && may_read(self.socket) {
            match self.socket.poll_next(cx) {
                Poll::Ready(Incoming::Alive) => self.count_control(),
                Poll::Ready(said @ (Incoming::Text(_) | Incoming::Confirmed(_))) => self.heard = Some(Box::new(said)),
                Poll::Ready(end) => return Poll::Ready(end.into()),
                Poll::Pending => return Poll::Pending,
            }
            self.last_seen = Instant::now();
        }
        Poll::Pending
    }
}
