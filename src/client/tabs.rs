//! The rooms that are open: an app and a link each. Tabs are known by their place.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    Error,
    address::Address,
    chat::{App, Effect, Event, Failure, Settings, ViewEvent},
    connection::{CommandKind, Connection, ConnectionCommand, ConnectionEvent},
};

/// What follows from an event, for whoever shows it.
#[derive(Debug, Default)]
pub struct Update {
    /// What is to be shown.
    pub shown: Vec<ViewEvent>,
    /// How the conversation ended, if it did.
    pub finished: Option<Result<(), Failure>>,
}

/// The open rooms.
#[derive(Debug, Default)]
pub struct Tabs {
    all: Vec<Tab>,
    /// Which tab is asked first for its next event, so that a busy one does not silence the others.
    turn: usize,
    closing: JoinSet<()>,
}

#[derive(Debug)]
struct Tab {
    app: App,
    link: Connection,
    /// Which connection of the link the app knows of.
    connection: u64,
    /// Orders that the link had no room for.
    waiting: VecDeque<ConnectionCommand>,
    finished: bool,
}

impl Tabs {
    /// Opens a tab at the end, which connects until it has a server.
    pub fn open(&mut self, address: Address, settings: Settings) {
        let link = Connection::keep_trying(address);
        let app = App::new(settings);
        self.all.push(Tab { app, link, connection: 0, waiting: VecDeque::new(), finished: false });
    }

    /// Takes the tab out; its link sends what it was ordered to and closes by itself.
    pub fn close(&mut self, tab: usize) {
        let Tab { link, connection, waiting, .. } = self.all.remove(tab);
        self.closing.spawn(async move {
            for order in waiting.into_iter().filter(|order| order.connection == connection) {
                link.order(order).await;
            }
            link.close().await;
        });
    }

    /// Closes every tab, and waits for that; each has a deadline.
    pub async fn close_all(mut self) {
        while !self.all.is_empty() {
            self.close(0);
        }
        while self.closing.join_next().await.is_some() {}
    }

    /// Returns the apps of all tabs.
    #[must_use]
    pub fn apps(&self) -> Vec<&App> {
        self.all.iter().map(|tab| &tab.app).collect()
    }

    /// Returns how many tabs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether every conversation has come to its end.
    #[must_use]
    pub fn all_finished(&self) -> bool {
        self.all.iter().all(|tab| tab.finished)
    }

    /// Returns the next event of any tab, or how its link ended. Cancel-safe.
    pub async fn event(&mut self) -> (usize, Result<Event, Error>) {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Result<Event, Error>)> {
        for step in 0..self.all.len() {
            let index = (self.turn + step) % self.all.len();
            let tab = &mut self.all[index];
            if tab.finished {
                continue;
            }
            if let Poll::Ready(event) = tab.link.poll_event(cx) {
                self.turn = index + 1;
                return Poll::Ready((index, tab.heard(event)));
            }
        }
        Poll::Pending
    }

    /// Returns when, after the start of the program, an app has to be woken, and whose it is.
    #[must_use]
    pub fn wake_at(&self) -> Option<(Duration, usize)> {
        let running = self.all.iter().enumerate().filter(|(_, tab)| !tab.finished);
        running.filter_map(|(index, tab)| Some((tab.app.wake_at()?, index))).min()
    }

    /// Does what follows from `event` for the tab, and returns what is left to whoever shows it.
    pub fn update(&mut self, now: Duration, tab: usize, event: Event) -> Update {
        let mut update = Update::default();
        let Some(tab) = self.all.get_mut(tab).filter(|tab| !tab.finished) else { return update };
        let connection = tab.connection;
        for effect in tab.app.update(now, event) {
            match effect {
                Effect::Send(frame) => tab.order(ConnectionCommand { connection, what: CommandKind::Frame(frame) }),
                Effect::Reconnect { .. } => tab.order(ConnectionCommand { connection, what: CommandKind::Reconnect }),
                Effect::Retry => tab.order(ConnectionCommand { connection, what: CommandKind::Retry }),
                Effect::Show(shown) => update.shown.push(shown),
                Effect::Finish(result) => {
                    tab.finished = true;
                    update.finished = Some(result);
                    break;
                }
            }
        }
        tab.flush();
        update
    }
}

impl Tab {
    fn heard(&mut self, event: Option<ConnectionEvent>) -> Result<Event, Error> {
        Ok(match event.ok_or(Error::Task("the link"))? {
            ConnectionEvent::Connected { connection, dialect } => {
                self.connection = connection;
                self.waiting.clear();
                Event::Connected(dialect)
            }
            ConnectionEvent::Frame(frame) => Event::Frame(frame),
            ConnectionEvent::Dropped { reason, silent } => Event::Dropped { reason, silent },
            ConnectionEvent::Waiting { reason, hint, length } => Event::Waiting { reason, hint, length },
            ConnectionEvent::GaveUp(error) => {
                self.finished = true;
                return Err(error.into());
            }
        })
    }

    fn order(&mut self, order: ConnectionCommand) {
        self.waiting.push_back(order);
    }

    /// Gives the link what it has room for. Where it has none it is writing, and tells of something afterwards.
    fn flush(&mut self) {
        while let Some(order) = self.waiting.pop_front() {
            if let Err(order) = self.link.offer(order) {
                self.waiting.push_front(order);
                return;
            }
        }
    }
}
