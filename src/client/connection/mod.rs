//! The connection to the server: one task with a channel in and a channel out, that connects, pumps
//! frames, and connects again.
//!
//! It knows nothing of what the frames say. Everything it waits for has a deadline, and it never
//! waits for its reader and its peer in turn: while one of them is slow, orders are still taken.

mod backoff;
mod connect;
mod handshake;
mod pump;
#[cfg(test)]
mod tests;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    backoff::Backoff,
    connect::{ConnectError, Dial, Tcp},
};
use self::{backoff::HEALTHY, handshake::Established, pump::Ended};
use super::address::Address;
use crate::{
    os,
    protocol::{Dialect, Limits},
};

/// Frames larger than we take, each soon after a new connection, after which it is no use to come
/// back for the same again.
const TOO_BIG: u32 = 3;

/// Events that wait for their reader; with [`Limits::INBOUND`] it bounds what a fast server can
/// make us hold.
const EVENTS: usize = 64;

/// Orders that wait for the link: the client's window and a few more.
const ORDERS: usize = 64;

/// For the close handshake and the last frames before it, and a little for ourselves.
const CLOSE: Duration = Limits::WRITE.saturating_add(Limits::CLOSE).saturating_add(Duration::from_secs(1));

/// What happens on the link.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// A connection stands.
    Connected {
        /// Which: counts up from 1. Orders for another are dropped.
        connection: u64,
        /// How the server speaks.
        dialect: Dialect,
    },
    /// The server has sent a text frame.
    Frame(String),
    /// The connection is gone; the link goes on trying to make another.
    Dropped {
        /// Why, for people; it may have words of the server in it.
        reason: String,
        /// For how long nothing had come on it, with what the machine slept.
        silent: Duration,
    },
    /// There is no connection, and the link waits before it tries again.
    Waiting {
        /// Why the last try failed, for people; it may have words of the server in it. Nothing
        /// where it was a connection.
        reason: Option<String>,
        /// What the user can do about it.
        hint: Option<String>,
        /// For how long, unless [`CommandKind::Retry`] comes before.
        length: Duration,
    },
    /// The link has ended and will not try again.
    GaveUp(ConnectError),
}

/// What the link is to do.
#[derive(Debug)]
pub struct ConnectionCommand {
    /// For which connection it is meant; on another it means nothing, and is dropped, but for
    /// [`CommandKind::Retry`].
    pub connection: u64,
    /// What is to be done.
    pub what: CommandKind,
}

/// See [`ConnectionCommand`].
#[derive(Debug)]
pub enum CommandKind {
    /// Send this text frame.
    Frame(String),
    /// End this connection and make another.
    Reconnect,
    /// Where the link waits before it tries again, try now. At other times it means nothing.
    Retry,
}

/// A running link.
#[derive(Debug)]
pub struct Connection {
    orders: mpsc::Sender<ConnectionCommand>,
    events: mpsc::Receiver<ConnectionEvent>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Connection {
    /// Starts to connect to `address`.
    ///
    /// When the first connection cannot be made, [`ConnectionEvent::GaveUp`] comes; after it every
    /// failure is tried again.
    #[must_use]
    pub fn start(address: Address) -> Self {
        Self::start_over(Tcp, address)
    }

    /// Starts to connect to `address`, reached by `dialer`. See [`Self::start`].
    #[must_use]
    pub fn start_over(dialer: impl Dial, address: Address) -> Self {
        Self::start_policy(dialer, address, false)
    }

    /// Starts to connect to `address`, and goes on trying also where the first connection cannot be
    /// made.
    #[must_use]
    pub fn keep_trying(address: Address) -> Self {
        Self::start_policy(Tcp, address, true)
    }

    fn start_policy(dialer: impl Dial, address: Address, patient: bool) -> Self {
        let (orders, orders_in) = mpsc::channel(ORDERS);
        let (events_out, events) = mpsc::channel(EVENTS);
        let stop = CancellationToken::new();
        let policy = Policy { dialer, address, patient, orders: orders_in, events: events_out, stop: stop.clone() };
        Self { orders, events, stop, task: tokio::spawn(policy.run()) }
    }

    /// Returns the next event, or `None` when the link has ended. Cancel-safe.
    pub async fn event(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await
    }

    /// Appends the next event and those that wait behind it to `into`; none when the link has
    /// ended. Cancel-safe.
    pub async fn events(&mut self, into: &mut Vec<ConnectionEvent>) {
        self.events.recv_many(into, EVENTS).await;
    }

    /// Polls for the next event, as [`Self::event`] waits for it.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.events.poll_recv(cx)
    }

    /// Gives an order now, or gives it back where the link has no room for it: it takes more before
    /// its next event at the latest. It is dropped when the link has ended.
    ///
    /// # Errors
    /// The order, where there is no room for it.
    pub fn offer(&self, order: ConnectionCommand) -> Result<(), ConnectionCommand> {
        match self.orders.try_send(order) {
            Err(TrySendError::Full(order)) => Err(order),
            // An ended link has said why in its last event.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Gives an order; it is dropped when the link has ended. The link takes orders also while its
    /// events are not read, so this waits no longer than one write may take.
    pub async fn order(&self, order: ConnectionCommand) {
        // An ended link has said why in its last event.
        drop(self.orders.send(order).await);
    }

    /// Sends what was ordered, closes the connection as it should be, and waits for that, within a
    /// deadline.
    pub async fn close(mut self) {
        self.stop.cancel();
        self.events.close();
        let abort = self.task.abort_handle();
        if timeout(CLOSE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// The loop round single attempts.
struct Policy<D> {
    dialer: D,
    address: Address,
    /// Whether the first connection is tried again like any other.
    patient: bool,
    orders: mpsc::Receiver<ConnectionCommand>,
    events: mpsc::Sender<ConnectionEvent>,
    stop: CancellationToken,
}

impl<D: Dial> Policy<D> {
    async fn run(mut self) {
        let mut backoff = if self.address.is_local() { Backoff::here() } else { Backoff::default() };
        let mut connection = 0;
        let mut too_big = 0;
        loop {
            let attempt = tokio::select! {
                attempt = connect::connect(&self.dialer, &self.address) => attempt,
                () = self.stop.cancelled() => return,
                () = discard(&mut self.orders) => return,
            };
            let (mut failed, mut hint) = (None, None);
            match attempt {
                Ok(made) => {
                    connection += 1;
                    let began = Instant::now();
                    let mut heard = os::uptime();
                    match self.serve(connection, made, &mut heard).await {
                        Ended::Stopped => return,
                        Ended::TakenOver => return self.give_up(ConnectError::TakenOver).await,
                        Ended::TooBig(reason) => {
                            too_big = if began.elapsed() < HEALTHY { too_big + 1 } else { 1 };
                            if too_big == TOO_BIG {
                                return self.give_up(ConnectError::TooBig(reason)).await;
                            }
                            self.tell_dropped(reason, heard).await;
                        }
                        Ended::Dropped(reason) => self.tell_dropped(reason, heard).await,
                    }
                    backoff.connected_for(began.elapsed());
                }
                Err(error) if connection == 0 && !self.patient => return self.give_up(error).await,
                Err(error) => {
                    hint = error.hint();
                    failed = Some(match error {
                        ConnectError::Handshake { reason, .. } | ConnectError::Dial { reason, .. } => reason,
                        error => error.to_string(),
                    });
                }
            }
            let length = backoff.wait(fastrand::f64());
            let until = Instant::now() + length;
            self.tell(ConnectionEvent::Waiting { reason: failed, hint, length }).await;
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.stop.cancelled() => return,
                is_asked = retry(&mut self.orders) => if !is_asked { return },
            }
        }
    }

    /// Serves a connection until it ends; leaves in `heard` how long the machine was up at the last
    /// sign of life.
    async fn serve(
        &mut self,
        connection: u64,
        Established { stream, dialect }: Established<D::Stream>,
        heard: &mut Duration,
    ) -> Ended {
        self.tell(ConnectionEvent::Connected { connection, dialect }).await;
        pump::pump(connection, stream, &mut self.orders, &self.events, &self.stop, heard).await
    }

    async fn tell_dropped(&mut self, reason: String, heard: Duration) {
        let silent = os::uptime().saturating_sub(heard);
        self.tell(ConnectionEvent::Dropped { reason, silent }).await;
    }

    async fn give_up(mut self, error: ConnectError) {
        self.tell(ConnectionEvent::GaveUp(error)).await;
    }

    /// Tells `event`, and meanwhile drops orders, which are all for connections that are gone:
    /// whoever gives one must not wait for us while we wait for them.
    async fn tell(&mut self, event: ConnectionEvent) {
        tokio::select! {
            biased;
            // A reader that is gone shows itself by `stop`, or by the orders having ended.
            _ = self.events.send(event) => {}
            () = discard(&mut self.orders) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Takes orders until one is to try again; returns false where nobody gives any more.
async fn retry(orders: &mut mpsc::Receiver<ConnectionCommand>) -> bool {
    while let Some(order) = orders.recv().await {
        if matches!(order.what, CommandKind::Retry) {
            return true;
        }
    }
    false
}

/// Takes orders for connections that are gone, until nobody gives any.
async fn discard(orders: &mut mpsc::Receiver<ConnectionCommand>) {
    while orders.recv().await.is_some() {}
}
