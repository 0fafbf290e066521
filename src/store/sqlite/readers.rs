//! Threads that read: each has a connection of its own, so that nobody who reads waits for whoever
//! writes.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::mpsc;

/// A question, with whoever waits for its answer.
pub(super) type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Questions that wait for a thread; past it, whoever asks waits.
const QUEUE: usize = 256;

/// Starts one thread a connection and returns where to put questions. The threads end when that is
/// dropped and all is answered.
///
/// # Errors
/// When the system gives no more threads.
pub(super) fn start(name: &str, connections: Vec<Connection>) -> io::Result<(mpsc::Sender<Job>, Vec<JoinHandle<()>>)> {
    let (jobs, waiting) = mpsc::channel::<Job>(QUEUE);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut threads = Vec::with_capacity(connections.len());
    for mut connection in connections {
        let waiting = Arc::clone(&waiting);
        threads.push(thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                // The one that waits holds the lock; the others wait for the lock, which comes to
                // the same.
                let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                let Some(job) = job else { break };
                // A job that panics has no answer; who asks next has one.
                drop(catch_unwind(AssertUnwindSafe(|| job(&mut connection))));
            }
        })?);
    }
    Ok((jobs, threads))
}
