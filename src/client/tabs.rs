//! The rooms that are open: an app and a link each. Tabs are known by their place.

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
    /// Which tab is asked first for its next event, so that a busy one does not silence the others.
    turn: usize,
    closing: JoinSet<()>,
}

#[derive(Debug)]
struct Tab {
    driver: Driver,
    finished: bool,
}

impl Tabs {
    /// Opens a tab at the end, which connects until it has a server.
    pub fn open(&mut self, address: Address, settings: Settings) {
        let driver = Driver::new(Connection::keep_trying(address), settings);
        self.all.push(Tab { driver, finished: false });
    }

    /// Takes the tab out; its link sends what it was ordered to and closes by itself.
    pub fn close(&mut self, tab: usize) {
        let Tab { driver, .. } = self.all.remove(tab);
        self.closing.spawn(driver.close());
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
        self.all.iter().map(|tab| tab.driver.app()).collect()
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
            if let Poll::Ready(event) = tab.driver.poll_event(cx) {
                self.turn = index + 1;
                return Poll::Ready((index, tab.received(event)));
            }
        }
        Poll::Pending
    }

    /// Returns when, after the start of the program, an app has to be woken, and whose it is.
    #[must_use]
    pub fn wake_at(&self) -> Option<(Duration, usize)> {
        let running = self.all.iter().enumerate().filter(|(_, tab)| !tab.finished);
        running.filter_map(|(index, tab)| Some((tab.driver.app().wake_at()?, index))).min()
    }

    /// Does what follows from `event` for the tab, and returns what is left to whoever shows it.
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
