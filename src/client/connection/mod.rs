//! The connection to the server. One task with a channel for commands and a channel for events
//! connects, pumps frames, and reconnects.
//!
//! The task does not interpret frames. Every wait for the server has a timeout. The task never
//! waits for its reader and the server in turn: while one of them is slow, it still accepts
//! commands.

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

/// The number of oversized frames after which the client gives up, each soon after a new
/// connection. Reconnecting would only bring the same frame again.
const TOO_BIG: u32 = 3;

/// The capacity of the event queue. Together with [`Limits::INBOUND`] it limits the memory that a
/// fast server can make us hold.
const EVENTS: usize = 64;

/// The capacity of the command queue. It holds more than the send window of the client.
const ORDERS: usize = 64;

/// The timeout for the last frames and the close handshake, with a margin of 1 s for ourselves.
const CLOSE: Duration = Limits::WRITE.saturating_add(Limits::CLOSE).saturating_add(Duration::from_secs(1));

/// An event on the connection.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// A connection is established.
    Connected {
        /// The number of the connection. It counts up from 1. Commands for another number are
        /// dropped.
        connection: u64,
        /// The dialect that the server speaks.
        dialect: Dialect,
    },
    /// The server sent a text frame.
    Frame(String),
    /// The connection was lost. The task tries to reconnect.
    Dropped {
        /// The reason for the user. It may contain text from the server.
        reason: String,
        /// How long nothing had arrived, including the time that the machine slept.
        silent: Duration,
    },
    /// There is no connection, and the task waits before the next attempt.
    Waiting {
        /// The reason for the user why the last attempt failed. It may contain text from the
        /// server. `None` if the attempt was successful.
        reason: Option<String>,
        /// What the user can do about it.
        hint: Option<String>,
        /// The length of the wait. [`CommandKind::Retry`] ends it early.
        length: Duration,
    },
    /// The task has ended and will not try again.
    GaveUp(ConnectError),
}

/// A command for the connection task.
#[derive(Debug)]
pub struct ConnectionCommand {
    /// The number of the connection that the command is for. A command for another connection is
    /// dropped, except [`CommandKind::Retry`].
    pub connection: u64,
    /// What to do.
    pub what: CommandKind,
}

/// See [`ConnectionCommand`].
#[derive(Debug)]
pub enum CommandKind {
    /// Send this text frame.
    Frame(String),
    /// End this connection and make a new one.
    Reconnect,
    /// Make the next attempt now if the task waits before it. Otherwise this does nothing.
    Retry,
}

/// A running connection task.
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
    /// If the first attempt fails, the task sends [`ConnectionEvent::GaveUp`]. After the first
    /// connection it retries every failure.
    #[must_use]
    pub fn start(address: Address) -> Self {
        Self::start_over(Tcp, address)
    }

    /// Starts to connect to `address` through `dialer`. See [`Self::start`].
    #[must_use]
    pub fn start_over(dialer: impl Dial, address: Address) -> Self {
        Self::start_policy(dialer, address, false)
    }

    /// Starts to connect to `address`, and also retries if the first attempt fails.
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

    /// Returns the next event, or `None` if the task has ended. Cancel-safe.
    pub async fn event(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await
    }

    /// Waits for an event and appends all waiting events to `into`. Appends nothing if the task has
    /// ended. Cancel-safe.
    pub async fn events(&mut self, into: &mut Vec<ConnectionEvent>) {
        self.events.recv_many(into, EVENTS).await;
    }

    /// Polls for the next event, like [`Self::event`].
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.events.poll_recv(cx)
    }

    /// Queues a command without waiting, or returns it if the queue is full. The queue has capacity
    /// again before the next event arrives. The command is dropped if the task has ended.
    ///
    /// # Errors
    /// Returns the command if the queue is full.
    pub fn offer(&self, order: ConnectionCommand) -> Result<(), ConnectionCommand> {
        match self.orders.try_send(order) {
            Err(TrySendError::Full(order)) => Err(order),
            // A task that has ended gave the reason in its last event.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Queues a command. It is dropped if the task has ended. The task accepts commands even while
    /// its events are not read, so this waits at most for the timeout of one write.
    pub async fn order(&self, order: ConnectionCommand) {
        // A task that has ended gave the reason in its last event.
        drop(self.orders.send(order).await);
    }

    /// Sends the queued frames, closes the connection properly, and waits for the end with a
    /// timeout.
    pub async fn close(mut self) {
        self.stop.cancel();
        self.events.close();
        let abort = self.task.abort_handle();
        if timeout(CLOSE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// The reconnection loop around single attempts.
struct Policy<D> {
    dialer: D,
    address: Address,
    /// Whether a failed first attempt is retried like any other.
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

    /// Serves a connection until it ends. Stores in `heard` the uptime of the machine at the last
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

    /// Sends `event`, and drops commands meanwhile. They are all for connections that are gone.
    /// Without this, the sender of a command could wait for us while we wait for it.
    async fn tell(&mut self, event: ConnectionEvent) {
        tokio::select! {
            biased;
            // If the receiver is gone, `stop` or the end of the commands ends the task.
            _ = self.events.send(event) => {}
            () = discard(&mut self.orders) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Receives commands until one is a retry. Returns false if the channel is closed.
async fn retry(orders: &mut mpsc::Receiver<ConnectionCommand>) -> bool {
    while let Some(order) = orders.recv().await {
        if matches!(order.what, CommandKind::Retry) {
            return true;
        }
    }
    false
}

/// Receives and drops commands for connections that are gone, until the channel is closed.
async fn discard(orders: &mut mpsc::Receiver<ConnectionCommand>) {
    while orders.recv().await.is_some() {}
}
