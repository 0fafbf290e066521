//! The reader of the terminal: what was read together stays together, because only so a paste can
//! be told from typing.
//!
//! Where a terminal sends bytes, they are taken as they are. crossterm's reader would wait without
//! end for the rest of what has none, such as a paste that was cut off or an answer that it does
//! not know, and lose keys beside a byte that is no text. Elsewhere its events are taken, but not
//! by its stream, which does not say whether more has been read.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossterm::{
    event::{self, Event, EventStream},
    terminal::size,
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    client::terminal::keys::Bytes,
    os::{Signals, TerminalBytes, TerminalWaker},
};

/// What is read within this time of what was read before was sent with it: a program writes at
/// once, hands take longer.
const TOGETHER: Duration = Duration::from_millis(1);

/// Events that are handed on at once; a long paste has more.
const EVENTS: usize = 4096;

/// Readings that wait to be taken; past them the terminal waits.
const READINGS: usize = 4;

/// The longest time crossterm can be asked to wait for; when it is over, it is asked again.
const LONG: Duration = Duration::from_hours(1);

/// What was read together.
#[derive(Debug)]
pub struct Reading {
    /// When the first of it came, as far as the reader had time to see that.
    pub at: Instant,
    /// At least one.
    pub events: Vec<Event>,
}

/// Reads the terminal in a thread, for as long as this lives.
#[derive(Debug)]
pub struct Reader {
    readings: mpsc::Receiver<io::Result<Reading>>,
    resizes: Signals,
    stop: Stop,
}

/// Ends the thread when it is dropped, which is all that it is here for.
#[derive(Debug)]
enum Stop {
    Bytes { _waker: TerminalWaker },
    Events { stop: Arc<AtomicBool>, _waker: EventStream },
}

impl Reader {
    /// Starts to read.
    ///
    /// # Errors
    /// When no thread can be started, or the terminal's size cannot be watched.
    pub fn start() -> io::Result<Self> {
        let (sender, readings) = mpsc::channel(READINGS);
        let resizes = Signals::resizes()?;
        let thread = thread::Builder::new().name("terminal".to_owned());
        let stop = if let Some((terminal, waker)) = TerminalBytes::open()? {
            thread.spawn(move || read_bytes(terminal, &sender))?;
            Stop::Bytes { _waker: waker }
        } else {
            let stop = Arc::new(AtomicBool::new(false));
            // It takes crossterm's lock, which the thread holds from then on.
            let waker = EventStream::new();
            let stopped = Arc::clone(&stop);
            thread.spawn(move || read_events(&sender, &stopped))?;
            Stop::Events { stop, _waker: waker }
        };
        Ok(Self { readings, resizes, stop })
    }

    /// Returns what was read next; nothing when the terminal can be read no more. Cancel-safe.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub async fn next(&mut self) -> Option<io::Result<Reading>> {
        tokio::select! {
            reading = self.readings.recv() => reading,
            _ = self.resizes.next() => Some(size().map(|(columns, rows)| {
                Reading { at: Instant::now(), events: vec![Event::Resize(columns, rows)] }
            })),
        }
    }

    /// Ends the reading, so that another program may have the terminal; returns what had been read
    /// and not taken.
    pub async fn stop(self) -> Vec<Reading> {
        let Self { mut readings, stop, .. } = self;
        drop(stop);
        let mut left = Vec::new();
        // The thread lets go of its end when it reads no more.
        while let Some(reading) = readings.recv().await {
            left.extend(reading);
        }
        left
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Self::Events { stop, .. } = self {
            stop.store(true, Ordering::SeqCst);
        }
    }
}

fn read_bytes(mut terminal: TerminalBytes, sender: &mpsc::Sender<io::Result<Reading>>) {
    let (mut bytes, mut buffer) = (Bytes::default(), vec![0; EVENTS]);
    let mut free = Instant::now();
    loop {
        let mut wait = |patience, events: &mut Vec<Event>| {
            let length = terminal.read(&mut buffer, patience)?;
            events.extend(bytes.feed(&buffer[..length]));
            io::Result::Ok(length)
        };
        let asked = Instant::now();
        let mut events = Vec::new();
        let mut result = wait(None, &mut events);
        // What was there already had to wait for us: it makes no pause.
        let at = if asked.elapsed() < TOGETHER { free } else { Instant::now() };
        while events.len() < EVENTS && matches!(result, Ok(1..)) {
            result = wait(Some(TOGETHER), &mut events);
        }
        free = Instant::now();
        if !events.is_empty() && sender.blocking_send(Ok(Reading { at, events })).is_err() {
            return;
        }
        if let Err(error) = result {
            // A reader that is gone does not want to know.
            drop(sender.blocking_send(Err(error)));
            return;
        }
    }
}

fn read_events(sender: &mpsc::Sender<io::Result<Reading>>, stop: &AtomicBool) {
    let mut free = Instant::now();
    while !stop.load(Ordering::SeqCst) {
        let Some(reading) = reading(&mut free).transpose() else { continue };
        let failed = reading.is_err();
        if sender.blocking_send(reading).is_err() || failed {
            return;
        }
    }
}

/// Waits for an event, and takes what was read with it; returns nothing when it was woken. At
/// `free` the reading before was done.
fn reading(free: &mut Instant) -> io::Result<Option<Reading>> {
    let asked = Instant::now();
    if !event::poll(LONG)? {
        return Ok(None);
    }
    let at = if asked.elapsed() < TOGETHER { *free } else { Instant::now() };
    let mut events = vec![event::read()?];
    while events.len() < EVENTS && event::poll(TOGETHER)? {
        events.push(event::read()?);
    }
    *free = Instant::now();
    Ok(Some(Reading { at, events }))
}
