//! A writer that never waits and never fails: what its stream does not take is dropped.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Bytes that wait for the stream: some seconds of a busy log.
const MOST: usize = 256 * 1024;

/// For the last lines of a program to come out before it ends, where somebody reads them slowly.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Writes `lines` to stderr before the program ends; without a stderr the exit code must say it.
pub fn last_words(lines: &str) {
    if let Ok(mut stderr) = LossyWriter::to(io::stderr()) {
        stderr.write_all(lines.as_bytes()).ok();
        stderr.finish(LAST_WORDS);
    }
}

/// Writes lines to a stream by a thread of its own. Nobody waits for the stream: a line that finds
/// too many before it, or that the stream refuses, is dropped, and the next line that can be
/// written is preceded by one that tells how many were. Clones write to the same stream.
///
/// Each write is one or several whole lines.
#[derive(Clone)]
pub struct LossyWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The queue has changed.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    /// Lines dropped since it was told last.
    dropped: usize,
    /// Whether the thread is writing.
    writes: bool,
}

impl LossyWriter {
    /// Starts to write to `stream`. The thread ends with the program.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn to(stream: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        // It may wait for its stream for ever, so its end is awaited by nobody; `finish` waits for
        // what it writes.
        thread::Builder::new().name("lossy writer".to_owned()).spawn(move || theirs.write_to(stream))?;
        Ok(Self(shared))
    }

    /// Waits until all that was written before has come out, but no longer than `patience`.
    pub fn finish(&self, patience: Duration) {
        let Shared { queue, changed } = &*self.0;
        let waits = |queue: &mut Queue| queue.writes || !queue.lines.is_empty();
        drop(changed.wait_timeout_while(lock(queue), patience, waits));
    }
}

impl Write for LossyWriter {
    /// Takes all of `lines` or drops all of it. Never fails.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut queue = lock(&self.0.queue);
        if queue.lines.len() + lines.len() <= MOST {
            queue.lines.extend_from_slice(lines);
            drop(queue);
            self.0.changed.notify_all();
        } else {
            queue.dropped += count(lines);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Writes what comes, for ever.
    fn write_to(&self, mut stream: impl Write) {
        let (mut lines, mut is_torn) = (Vec::new(), false);
        loop {
            let dropped = self.next(&mut lines);
            let mut told = Vec::new();
            if is_torn {
                told.push(b'\n');
            }
            if dropped > 0 {
                let words = if dropped == 1 { "line was" } else { "lines were" };
                told.extend(format!("({dropped} {words} dropped here: nobody took them)\n").bytes());
            }
            let beginning = told.len();
            told.append(&mut lines);
            let written = write(&mut stream, &told);
            is_torn = told[..written].last().map_or(is_torn, |last| *last != b'\n');
            if written < told.len() {
                let untold = if written < beginning { dropped } else { 0 };
                lock(&self.queue).dropped += untold + count(&told[written.max(beginning)..]);
            }
        }
    }

    /// Waits for lines, puts them into `lines`, and returns how many before them were dropped.
    fn next(&self, lines: &mut Vec<u8>) -> usize {
        let mut queue = lock(&self.queue);
        queue.writes = false;
        self.changed.notify_all();
        let idles = |queue: &mut Queue| queue.lines.is_empty();
        let mut queue = self.changed.wait_while(queue, idles).unwrap_or_else(PoisonError::into_inner);
        queue.writes = true;
        std::mem::swap(&mut queue.lines, lines);
        std::mem::take(&mut queue.dropped)
    }
}

impl fmt::Debug for LossyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossyWriter").finish_non_exhaustive()
    }
}

/// Writes what `stream` takes of `bytes`, and returns how many bytes that was.
fn write(stream: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // What it keeps back it cannot take either.
    stream.flush().ok();
    written
}

/// Returns how many lines end in `bytes`.
fn count(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // Nothing that can panic is done under the lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A stream that asks the test how much it takes of each write, and tells what it was given.
    struct Asking {
        given: SyncSender<Vec<u8>>,
        takes: Receiver<io::Result<usize>>,
    }

    impl Write for Asking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.given.send(bytes.to_vec()).unwrap();
            self.takes.recv().unwrap()
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (LossyWriter, Receiver<Vec<u8>>, SyncSender<io::Result<usize>>) {
        let ((given, gets), (answers, takes)) = (sync_channel(0), sync_channel(0));
        (LossyWriter::to(Asking { given, takes }).unwrap(), gets, answers)
    }

    fn next(gets: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(gets.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    #[test]
    fn whoever_writes_to_a_stream_that_takes_nothing_goes_on_and_what_was_dropped_is_counted() {
        let (mut writer, gets, answers) = start();
        writer.write_all(b"first\n").unwrap();
        assert_eq!(next(&gets), "first\n");
        // The stream has not taken it yet. What fits waits; the rest is dropped.
        let long = vec![b'x'; MOST / 2 - 1];
        for _ in 0..5 {
            writer.write_all(&[&long, &b"\n"[..]].concat()).unwrap();
        }
        writer.finish(Duration::ZERO);
        answers.send(Ok(6)).unwrap();
        let waited = next(&gets);
        assert!(waited.starts_with("(3 lines were dropped here: nobody took them)\nxxx"), "{:?}", &waited[..80]);
        assert_eq!(waited.lines().count(), 3);
        answers.send(Ok(waited.len())).unwrap();
        writer.finish(PATIENCE);
        writer.write_all(b"last\n").unwrap();
        assert_eq!(next(&gets), "last\n");
    }

    #[test]
    fn the_end_waits_for_the_last_lines_but_not_for_ever() {
        let (mut writer, gets, answers) = start();
        writer.write_all(b"last\n").unwrap();
        let has_come_out = &AtomicBool::new(false);
        let (gets, _answers) = thread::scope(|scope| {
            let reader = scope.spawn(move || {
                assert_eq!(next(&gets), "last\n");
                has_come_out.store(true, Ordering::Relaxed);
                answers.send(Ok(5)).unwrap();
                (gets, answers)
            });
            writer.finish(PATIENCE);
            assert!(has_come_out.load(Ordering::Relaxed));
            reader.join().unwrap()
        });
        // Nobody takes this one.
        writer.write_all(b"never\n").unwrap();
        assert_eq!(next(&gets), "never\n");
        writer.finish(Duration::ZERO);
    }

    #[test]
    fn a_stream_that_fails_is_tried_again_and_a_line_that_was_torn_does_not_tear_the_next() {
        let (mut writer, gets, answers) = start();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        writer.write_all(b"one\n").unwrap();
        assert_eq!(next(&gets), "one\n");
        answers.send(Err(full())).unwrap();
        writer.finish(PATIENCE);
        writer.write_all(b"two\nthree\n").unwrap();
        assert_eq!(next(&gets), "(1 line was dropped here: nobody took them)\ntwo\nthree\n");
        answers.send(Ok(45)).unwrap();
        assert_eq!(next(&gets), "wo\nthree\n");
        answers.send(Err(full())).unwrap();
        writer.finish(PATIENCE);
        writer.write_all(b"four\n").unwrap();
        assert_eq!(next(&gets), "\n(2 lines were dropped here: nobody took them)\nfour\n");
    }
}
