//! Writes what is to be remembered, beside everything else: a slow disk keeps neither keys nor the
//! connection waiting. What is given while something is being written waits, and only the last of
//! it is written.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// At the end, for a disk that is slow; what it has not taken by then is not worth a program that
/// does not end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes values of one kind, each in the place of the one before it.
#[derive(Debug)]
pub struct Writer<T> {
    latest: watch::Sender<Arc<T>>,
    complaints: mpsc::Receiver<String>,
    task: JoinHandle<Result<(), String>>,
}

impl<T: PartialEq + Send + Sync + 'static> Writer<T> {
    /// Starts with `initial`, which counts as written. `write` gets what was written last and what
    /// is to be written now, on a thread where it may block, and returns words for people where it
    /// fails; it is tried again with the next change.
    pub fn start(initial: T, write: impl Fn(&T, &T) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let written = Arc::new(initial);
        let (latest, changes) = watch::channel(Arc::clone(&written));
        let (complain, complaints) = mpsc::channel(1);
        let task = tokio::spawn(write_all(written, changes, Arc::new(write), complain));
        Self { latest, complaints, task }
    }

    /// Has `value` written, if it is another than the last.
    pub fn put(&self, value: T) {
        self.latest.send_if_modified(|last| {
            let changed = **last != value;
            if changed {
                *last = Arc::new(value);
            }
            changed
        });
    }

    /// Returns what was given last.
    #[must_use]
    pub fn latest(&self) -> Arc<T> {
        Arc::clone(&self.latest.borrow())
    }

    /// Resolves with the words of the first failure; never again. Cancel-safe.
    pub async fn complaint(&mut self) -> String {
        match self.complaints.recv().await {
            Some(complaint) => complaint,
            None => std::future::pending().await,
        }
    }

    /// Resolves when all is written that was given, or cannot be.
    ///
    /// # Errors
    /// Words for people about why what was given last is not written.
    pub async fn finish(self) -> Result<(), String> {
        drop(self.latest);
        // It ends by itself, or with the program.
        match timeout(PATIENCE, self.task).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err("writing it has failed".to_owned()),
            Err(_) => Err("the disk takes too long".to_owned()),
        }
    }
}

/// Writes what changes until nobody can change it any more. Returns whether the last of it is
/// written.
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
            // There is room for the one.
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
