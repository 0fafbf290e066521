//! The open rooms. Each has an app and a connection. A tab is identified by its index.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    Error,
    address::Address,
    chat::{App, Event, Settings},
    connection::{Connection, ConnectionEvent},
    driver::{Driver, Update},
};

/// The open rooms.
#[derive(Debug, Default)]
pub struct Tabs {
    all: Vec<Tab>,
    /// The index of the tab that is polled first for its next event, so that a busy tab cannot
    /// starve the others.
    turn: usize,
    closing: JoinSet<()>,
}

#[derive(Debug)]
struct Tab {
    driver: Driver,
    finished: bool,
}

impl Tabs {
    /// Opens a tab at the end. It tries to connect until it reaches a server.
    pub fn open(&mut self, address: Address, settings: Settings) {
        let driver = Driver::new(Connection::keep_trying(address), settings);
        self.all.push(Tab { driver, finished: false });
    }

    /// Removes the tab. Its connection sends the queued frames and closes in the background.
    pub fn close(&mut self, tab: usize) {
        let Tab { driver, .. } = self.all.remove(tab);
        self.closing.spawn(driver.close());
    }

    /// Closes every tab and waits for it. Each close has a deadline.
    pub async fn close_all(mut self) {
        while !self.all.is_empty() {
            self.close(0);
        }
        while self.closing.join_next().await.is_some() {}
    }

    /// Returns the apps of all tabs.
    #[must_use]
    pub fn apps(&self) -> Vec<&App> {
        self.all.iter().map(|tab| tab.driver.app()).collect()
    }

    /// Returns the number of tabs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are no tabs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether every conversation has ended.
    #[must_use]
    pub fn all_finished(&self) -> bool {
        self.all.iter().all(|tab| tab.finished)
    }

    /// Returns the next event of any tab, or the reason why its connection ended. Cancel-safe.
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
            if let Poll::Ready(event) = tab.driver.poll_event(cx) {
                self.turn = index + 1;
                return Poll::Ready((index, tab.received(event)));
            }
        }
        Poll::Pending
    }

    /// Returns the earliest time, measured from the start of the program, at which an app must be
    /// woken, and the index of its tab.
    #[must_use]
    pub fn wake_at(&self) -> Option<(Duration, usize)> {
        let running = self.all.iter().enumerate().filter(|(_, tab)| !tab.finished);
        running.filter_map(|(index, tab)| Some((tab.driver.app().wake_at()?, index))).min()
    }

    /// Passes `event` to the app of the tab and returns the remaining effects for the view.
    pub fn update(&mut self, now: Duration, tab: usize, event: Event) -> Update {
        let Some(tab) = self.all.get_mut(tab).filter(|tab| !tab.finished) else { return Update::default() };
        let update = tab.driver.update(now, event);
        tab.finished = update.finished.is_some();
        update
    }
}

impl Tab {
    fn received(&mut self, event: Option<ConnectionEvent>) -> Result<Event, Error> {
        let received = event.ok_or(Error::Task("the connection")).and_then(|event| self.driver.received(event));
        self.finished |= received.is_err();
        received
    }
}
