//! A chatting user: the client's own chat and connection, and instead of a screen a list of what
//! was shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast_chat::{
    client::{
        chat::{Event, Settings, ViewEvent},
        connection::Connection,
        driver::Driver,
    },
    protocol::{Message, Nick, ServerMessage},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::network::{Dialer, Fuse, PORT};

/// What a user has been shown.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// The messages of the room, in order of arrival.
    pub(crate) messages: Vec<Arc<Message>>,
    /// Presence lines: joins, leaves and nick changes.
    pub(crate) presence: Vec<String>,
    /// Everything else, to find the cause of a failure.
    pub(crate) told: Vec<String>,
    /// Whether the last event of the connection is that it went live.
    pub(crate) is_live: bool,
    /// How often it went live.
    pub(crate) times_live: usize,
}

/// A client of the simulation, seen from outside.
pub(crate) struct Person {
    /// Its nick, and the name of its host.
    pub(crate) name: &'static str,
    /// The fuse that breaks its connections.
    pub(crate) fuse: Fuse,
    lines: mpsc::UnboundedSender<String>,
    screen: Arc<Mutex<Screen>>,
}

impl Person {
    /// Returns a user, and the program that runs on their host.
    pub(crate) fn new(name: &'static str) -> (Self, impl Future<Output = turmoil::Result> + 'static) {
        let (lines, typed) = mpsc::unbounded_channel();
        let fuse = Fuse::default();
        let screen = Arc::default();
        let program = chat(name, Dialer(fuse.clone()), typed, Arc::clone(&screen));
        (Self { name, fuse, lines, screen }, program)
    }

    /// Types a line, with or without a connection.
    pub(crate) fn types(&self, line: &str) {
        self.lines.send(line.to_owned()).expect("the client runs");
    }

    /// Returns what they see.
    pub(crate) fn screen(&self) -> MutexGuard<'_, Screen> {
        lock(&self.screen)
    }
}

/// The loop of the client's program, without a terminal.
async fn chat(
    name: &'static str,
    dialer: Dialer,
    mut typed: mpsc::UnboundedReceiver<String>,
    screen: Arc<Mutex<Screen>>,
) -> turmoil::Result {
    let mut secret = [0; 16];
    secret[..name.len()].copy_from_slice(name.as_bytes());
    let settings = Settings { nick: Some(Nick::new(name)?), history: Some(1000), secret, ..Settings::default() };
    let connection = Connection::start_over(dialer, format!("server:{PORT}").parse()?);
    let mut driver = Driver::new(connection, settings);
    let began = Instant::now();
    loop {
        let wake = driver.app().wake_at().map(|at| began + at);
        let wants_input = driver.app().wants_input();
        let event = tokio::select! {
            event = driver.event() => {
                let event = driver.received(event.ok_or("the connection's task ended")?);
                event.map_err(|error| format!("{name} gave up: {error}"))?
            }
            entered = typed.recv(), if wants_input => Event::Line(entered.ok_or("the test ended")?),
            () = sleep_until(wake.unwrap_or(began)), if wake.is_some() => Event::Woke,
        };
        let update = driver.update(began.elapsed(), event);
        driver.flush().await;
        update.shown.into_iter().for_each(|shown| lock(&screen).show(shown));
        if let Some(result) = update.finished {
            return Err(format!("{name} ended: {result:?}").into());
        }
    }
}

impl Screen {
    fn show(&mut self, shown: ViewEvent) {
        match shown {
            ViewEvent::Event { event: ServerMessage::Message(message), .. } => self.messages.push(message),
            ViewEvent::Event { event: ServerMessage::Presence(presence), .. } => {
                self.tell(&format!("{presence:?}"));
                self.presence.extend(presence.joined.iter().map(|nick| format!("{nick} joined")));
                self.presence.extend(presence.left.iter().map(|nick| format!("{nick} left")));
                self.presence.extend(presence.renamed.iter().map(|it| format!("{} is {} now", it.from, it.to)));
            }
            ViewEvent::Event { event: ServerMessage::Live { .. }, .. } => {
                self.is_live = true;
                self.times_live += 1;
                self.tell("live");
            }
            ViewEvent::Disconnected { reason } => {
                self.is_live = false;
                self.tell(&format!("disconnected: {reason}"));
            }
            ViewEvent::Event { quiet: true, .. } => {}
            other => self.tell(&format!("{other:?}")),
        }
    }

    fn tell(&mut self, words: &str) {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.told.push(format!("{:.2} s: {words}", now.as_secs_f64()));
    }
}

fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}
