//! One conversation with its connection: what the app wants done with the connection is done here,
//! for the lines of a pipe, for the tabs of the full screen, and for tests.

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

/// What follows from an event, for the view.
#[derive(Debug, Default)]
pub struct Update {
    /// What is to be shown, in this order.
    pub shown: Vec<ViewEvent>,
    /// How the conversation ended, if it did.
    pub finished: Option<Result<(), Failure>>,
}

/// An [`App`] and the [`Connection`] that carries out its commands.
#[derive(Debug)]
pub struct Driver {
    app: App,
    connection: Connection,
    /// The number of the connection that the app knows of; 0 before there is one.
    number: u64,
    /// Commands that the connection had no room for.
    waiting: VecDeque<ConnectionCommand>,
}

impl Driver {
    /// Returns a conversation over `connection`.
    #[must_use]
    pub fn new(connection: Connection, settings: Settings) -> Self {
        Self { app: App::new(settings), connection, number: 0, waiting: VecDeque::new() }
    }

    /// Returns the app, to be asked.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Returns whether there has been a connection.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.number > 0
    }

    /// Polls for the next event of the connection; none when its task has ended.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.connection.poll_event(cx)
    }

    /// Returns the next event of the connection; none when its task has ended. Cancel-safe.
    pub async fn event(&mut self) -> Option<ConnectionEvent> {
        self.connection.event().await
    }

    /// Waits for events of the connection and appends all that are there to `events`; appends none
    /// when its task has ended. Cancel-safe.
    pub async fn events(&mut self, events: &mut Vec<ConnectionEvent>) {
        self.connection.events(events).await;
    }

    /// Returns what an event of the connection means for the app.
    ///
    /// # Errors
    /// The reason why the connection has ended for good.
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

    /// Gives `event` to the app, at `now` after the start of the program. Hands its commands to the
    /// connection as far as that has room, and returns the rest of what follows.
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
        // A connection without room is writing. An event follows when it has written.
        while let Some(command) = self.waiting.pop_front() {
            if let Err(command) = self.connection.offer(command) {
                self.waiting.push_front(command);
                break;
            }
        }
        update
    }

    /// Waits until the connection has taken every command. Not cancel-safe: the command that waits
    /// is lost.
    pub async fn flush(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            self.connection.order(command).await;
        }
    }

    /// Hands over what waits, and closes the connection. It has a deadline.
    pub async fn close(mut self) {
        self.flush().await;
        self.connection.close().await;
    }
}
