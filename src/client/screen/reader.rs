//! The reader of the terminal: events that were read together stay together, because only so a paste can be told from typing.
//!
//! crossterm's own stream hands out one event at a time and does not say whether more has been read with it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossterm::event::{self, Event, EventStream};
use tokio::{sync::mpsc, time::Instant};

/// What is read within this time of what was read before was sent with it: a program writes at once, hands take longer.
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
    stop: Arc<AtomicBool>,
    /// Wakes the thread when it is dropped, which is all that it is here for.
    _waker: EventStream,
}

impl Reader {
    /// Starts to read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, readings) = mpsc::channel(READINGS);
        // It takes crossterm's lock, which the thread holds from then on.
        let waker = EventStream::new();
        let stopped = Arc::clone(&stop);
        thread::Builder::new().name("terminal".to_owned()).spawn(move || read(&sender, &stopped))?;
        Ok(Self { readings, stop, _waker: waker })
    }

    /// Returns what was read next; nothing when the terminal can be read no more. Cancel-safe.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub async fn next(&mut self) -> Option<io::Result<Reading>> {
        self.readings.recv().await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn read(sender: &mpsc::Sender<io::Result<Reading>>, stop: &AtomicBool) {
    let mut free = Instant::now();
    while !stop.load(Ordering::SeqCst) {
        let Some(reading) = reading(&mut free).transpose() else { continue };
        let failed = reading.is_err();
        if sender.blocking_send(reading).is_err() || failed {
            return;
        }
    }
}

/// Waits for an event, and takes what was read with it; returns nothing when it was woken. At `free` the reading before was done.
fn reading(free: &mut Instant) -> io::Result<Option<Reading>> {
    let asked = Instant::now();
    if !event::poll(LONG)? {
        return Ok(None);
    }
    // What was there already had to wait for us: it makes no pause.
    let at = if asked.elapsed() < TOGETHER { *free } else { Instant::now() };
    let mut events = vec![event::read()?];
    while events.len() < EVENTS && event::poll(TOGETHER)? {
        events.push(event::read()?);
    }
    *free = Instant::now();
    Ok(Some(Reading { at, events }))
}
