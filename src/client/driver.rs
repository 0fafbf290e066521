//! Connects an app to its connection. The driver carries out the effects of the app that concern
//! the connection. Line mode, the tabs of the full screen and the tests use it.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Error,
    chat::{App, Effect, Event, Failure, Settings, ViewEvent},
    connection::{CommandKind, Connection, ConnectionCommand, ConnectionEvent},
};

/// The results of an event for the view.
#[derive(Debug, Default)]
pub struct Update {
    /// The events to show, in this order.
    pub shown: Vec<ViewEvent>,
    /// The result of the conversation if it has ended.
    pub finished: Option<Result<(), Failure>>,
}

/// An [`App`] and the [`Connection`] that carries out its commands.
#[derive(Debug)]
pub struct Driver {
    app: App,
    connection: Connection,
    /// The number of the connection that the app knows. It is 0 before the first connection.
    number: u64,
    /// Commands that did not fit into the queue of the connection.
    waiting: VecDeque<ConnectionCommand>,
}

impl Driver {
    /// Returns a driver for a conversation over `connection`.
    #[must_use]
    pub fn new(connection: Connection, settings: Settings) -> Self {
        Self { app: App::new(settings), connection, number: 0, waiting: VecDeque::new() }
    }

    /// Returns the app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Returns whether a connection was ever established.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.number > 0
    }

    /// Polls for the next event of the connection. The event is `None` if the connection task has
    /// ended.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.connection.poll_event(cx)
    }

    /// Returns the next event of the connection, or `None` if the connection task has ended.
    /// Cancel-safe.
    pub async fn event(&mut self) -> Option<ConnectionEvent> {
        self.connection.event().await
    }

    /// Waits for events of the connection and appends all available ones to `events`. Appends
    /// nothing if the connection task has ended. Cancel-safe.
    pub async fn events(&mut self, events: &mut Vec<ConnectionEvent>) {
        self.connection.events(events).await;
    }

    /// Translates an event of the connection to an event of the app.
    ///
    /// # Errors
    /// Returns the reason if the connection has ended permanently.
    pub fn received(&mut self, event: ConnectionEvent) -> Result<Event, Error> {
        Ok(match event {
            ConnectionEvent::Connected { connection, dialect } => {
                self.number = connection;
                self.waiting.clear();
                Event::Connected(dialect)
            }
            ConnectionEvent::Frame(frame) => Event::Frame(frame),
            ConnectionEvent::Dropped { reason, silent } => Event::Dropped { reason, silent },
            ConnectionEvent::Waiting { reason, hint, length } => Event::Waiting { reason, hint, length },
            ConnectionEvent::GaveUp(error) => return Err(error.into()),
        })
    }

    /// Passes `event` to the app at `now`, measured from the start of the program. Queues the
    /// commands of the app on the connection as far as there is capacity. Returns the remaining
    /// effects.
    pub fn update(&mut self, now: Duration, event: Event) -> Update {
        let mut update = Update::default();
        for effect in self.app.update(now, event) {
            let what = match effect {
                Effect::Send(frame) => CommandKind::Frame(frame),
                Effect::Reconnect { .. } => CommandKind::Reconnect,
                Effect::Retry => CommandKind::Retry,
                Effect::Show(shown) => {
                    update.shown.push(shown);
                    continue;
                }
                Effect::Finish(result) => {
                    update.finished = Some(result);
                    break;
                }
            };
            self.waiting.push_back(ConnectionCommand { connection: self.number, what });
        }
        // If the queue is full, the connection is writing. It sends an event after it has written.
        while let Some(command) = self.waiting.pop_front() {
            if let Err(command) = self.connection.offer(command) {
                self.waiting.push_front(command);
                break;
            }
        }
        update
    }

    /// Waits until the connection has accepted every command. Not cancel-safe: the command that is
    /// waiting is lost.
    pub async fn flush(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            self.connection.order(command).await;
        }
    }

    /// Passes on the waiting commands and closes the connection. The close has a deadline.
    pub async fn close(mut self) {
        self.flush().await;
        self.connection.close().await;
    }
}
