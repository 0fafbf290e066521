//! Writes state to disk in the background, so that a slow disk delays neither keys nor the
//! connection. Values that arrive during a write wait, and only the latest of them is written.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// How long to wait for a slow disk at the end. An unwritten value is not worth a program that does
/// not end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes values of one kind. Each one replaces the one before.
#[derive(Debug)]
pub struct Writer<T> {
    latest: watch::Sender<Arc<T>>,
    complaints: mpsc::Receiver<String>,
    task: JoinHandle<Result<(), String>>,
}

impl<T: PartialEq + Send + Sync + 'static> Writer<T> {
    /// Starts with `initial`, which counts as written. `write` receives the last written value and
    /// the value to write. It runs on a thread where it may block, and returns an error message for
    /// the user if it fails. A failed write is retried with the next change.
    pub fn start(initial: T, write: impl Fn(&T, &T) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let written = Arc::new(initial);
        let (latest, changes) = watch::channel(Arc::clone(&written));
        let (complain, complaints) = mpsc::channel(1);
        let task = tokio::spawn(write_all(written, changes, Arc::new(write), complain));
        Self { latest, complaints, task }
    }

    /// Writes `value` if it differs from the last one.
    pub fn put(&self, value: T) {
        self.latest.send_if_modified(|last| {
            let changed = **last != value;
            if changed {
                *last = Arc::new(value);
            }
            changed
        });
    }

    /// Returns the latest value.
    #[must_use]
    pub fn latest(&self) -> Arc<T> {
        Arc::clone(&self.latest.borrow())
    }

    /// Resolves with the message of the first failure, and never again. Cancel-safe.
    pub async fn complaint(&mut self) -> String {
        match self.complaints.recv().await {
            Some(complaint) => complaint,
            None => std::future::pending().await,
        }
    }

    /// Resolves when the latest value is written or cannot be written.
    ///
    /// # Errors
    /// Returns a message for the user if the latest value is not written.
    pub async fn finish(self) -> Result<(), String> {
        drop(self.latest);
        // The task ends by itself, or with the program.
        match timeout(PATIENCE, self.task).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err("writing it has failed".to_owned()),
            Err(_) => Err("the disk takes too long".to_owned()),
        }
    }
}

/// Writes changes until the sender is dropped. Returns whether the last one was written.
async fn write_all<T: Send + Sync + 'static>(
    mut written: Arc<T>,
    mut changes: watch::Receiver<Arc<T>>,
    write: Arc<impl Fn(&T, &T) -> Result<(), String> + Send + Sync + 'static>,
    complain: mpsc::Sender<String>,
) -> Result<(), String> {
    let (mut complain, mut last) = (Some(complain), Ok(()));
    while changes.changed().await.is_ok() {
        let next = Arc::clone(&changes.borrow_and_update());
        let (before, after, write) = (Arc::clone(&written), Arc::clone(&next), Arc::clone(&write));
        last = spawn_blocking(move || write(&before, &after)).await.map_err(|error| error.to_string())?;
        match &last {
            Ok(()) => written = next,
            // The channel has capacity for this one complaint.
            Err(complaint) => drop(complain.take().map(|complain| complain.try_send(complaint.clone()))),
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn the_last_is_written_also_after_a_failure_which_is_told_once() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&written);
        let mut writer = Writer::start(0, move |&before: &u32, &after: &u32| {
            if after < 3 {
                return Err(format!("not {after}"));
            }
            log.lock().unwrap().push((before, after));
            Ok(())
        });
        writer.put(1);
        assert_eq!(writer.complaint().await, "not 1");
        writer.put(2);
        writer.put(3);
        writer.put(3);
        writer.put(4);
        assert_eq!(writer.finish().await, Ok(()));
        let written = written.lock().unwrap();
        assert_eq!(written.last().unwrap().1, 4);
        assert_eq!(written[0].0, 0, "what failed does not count as written");
    }

    #[tokio::test]
    async fn what_is_not_written_at_the_end_is_told() {
        let writer = Writer::start(0, |_: &u32, &after: &u32| if after == 2 { Err("full".to_owned()) } else { Ok(()) });
        writer.put(1);
        writer.put(2);
        assert_eq!(writer.finish().await, Err("full".to_owned()));
    }
}
