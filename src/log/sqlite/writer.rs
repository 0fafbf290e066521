//! The one thread that writes: what waits for it goes into one transaction, and each is answered once that is on disk. When nobody
//! waits, it does the chores.

use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{
        mpsc::{self, error::TryRecvError},
        oneshot,
    },
    time::timeout,
};
use tracing::{debug, error, warn};

use super::{
    super::{Appended, Draft, Keep, LogError, wall_clock},
    append, chores,
    keys::Keys,
    read::{self, integer},
    rows,
};
use crate::wire::Timestamp;

/// Requests that wait for the writer; past it, whoever asks waits.
pub(super) const QUEUE: usize = 1024;

/// Drafts in one transaction, past which no further request is taken into it: some 10 ms of work.
const GROUP: usize = 1024;

/// After so long without a request the chores begin: they must not come between somebody's messages.
const QUIET: Duration = Duration::from_millis(100);

/// Statements besides those that insert messages, at the most.
const OTHERS: usize = 16;

/// Between two looks at what need not be kept any more.
const RETENTION: Duration = Duration::from_mins(1);

/// Between a chore that failed and the next: on a full disk it would fail again.
const RETRY: Duration = Duration::from_secs(10);

/// Messages that are not in the index for searches, past which it is fed even while others wait: a search looks at each of them,
/// which takes some 150 ms for so many. Until then, whoever says something does not pay for searches.
const UNINDEXED: i64 = 400_000;

type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// What the writer is asked to do.
pub(super) enum Request {
    /// Store these together.
    Append(Vec<Draft>, Reply<Vec<Appended>>),
    /// Do all chores, as of `now`.
    Tidy { keep: Keep, now: Timestamp, reply: Reply<()> },
    /// Do something to the connection, for tests.
    #[cfg(test)]
    Do(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// Everything that only the thread that writes may touch.
pub(super) struct Writer {
    connection: Connection,
    requests: mpsc::Receiver<Request>,
    keep: Keep,
    /// Whether a commit returns only when it is on disk.
    is_synced: bool,
    /// The highest id that was given.
    last: i64,
    keys: Keys,
    /// The id up to which messages are in the index for searches.
    indexed: i64,
    /// Whether no request has come for [`QUIET`].
    quiet: bool,
    /// When what need not be kept is deleted next.
    retention_due: Instant,
    /// When chores that failed may be tried again.
    chores_from: Instant,
}

impl Writer {
    /// Returns the writer over a connection.
    ///
    /// # Errors
    /// A [`LogError`] when the log cannot be read.
    pub(super) fn new(connection: Connection, requests: mpsc::Receiver<Request>, keep: Keep) -> Result<Self, LogError> {
        connection.set_prepared_statement_cache_capacity(rows::STATEMENTS + OTHERS);
        let last = integer(read::last(&connection)?.0);
        let indexed = connection.query_row("SELECT value FROM meta WHERE name = 'indexed'", [], |row| row.get(0))?;
        let keys = Keys::load(&connection)?;
        let now = Instant::now();
        Ok(Self {
            connection,
            requests,
            keep,
            is_synced: false,
            last,
            keys,
            indexed,
            quiet: false,
            retention_due: now,
            chores_from: now,
        })
    }

    /// Serves until nobody can ask any more, then waits for `readers` to end and closes the database.
    pub(super) fn run(mut self, readers: Vec<JoinHandle<()>>) {
        // For waiting with a deadline, nothing else. It is made here because it may not end where others run.
        let runtime = match Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return error!(%error, "the log cannot be written: no runtime to wait with"),
        };
        loop {
            let before = self.last;
            match self.next(&runtime) {
                Ok(Some(request)) => self.serve(request),
                Ok(None) => self.chore(),
                Err(()) => break,
            }
            // At least as much is indexed as was stored, so that not more and more is left.
            for _ in 0..=(self.last - before) / i64::from(chores::INDEXED) {
                if self.chores_press() {
                    self.chore();
                }
            }
        }
        for reader in readers {
            // Why one ended, if by a defect, is said already.
            drop(reader.join());
        }
        let Self { connection, .. } = self;
        // SQLite puts the write-ahead log into the database when the last connection closes, if that one may write.
        if let Err((_, error)) = connection.close() {
            warn!(%error, "the log was not closed in good order; nothing is lost");
        }
    }

    /// Returns the next request, or nothing when it is time for a chore.
    ///
    /// # Errors
    /// When nobody can ask any more.
    fn next(&mut self, runtime: &Runtime) -> Result<Option<Request>, ()> {
        match self.requests.try_recv() {
            Ok(request) => return Ok(Some(request)),
            Err(TryRecvError::Disconnected) => return Err(()),
            Err(TryRecvError::Empty) => {}
        }
        let now = Instant::now();
        let due = if self.is_behind() { self.chores_from } else { self.retention_due.max(self.chores_from) };
        let patience = due.saturating_duration_since(now).max(if self.quiet { Duration::ZERO } else { QUIET });
        if patience.is_zero() {
            return Ok(None);
        }
        let requests = &mut self.requests;
        match runtime.block_on(async { timeout(patience, requests.recv()).await }) {
            Ok(Some(request)) => Ok(Some(request)),
            Ok(None) => Err(()),
            Err(_) => {
                self.quiet = true;
                Ok(None)
            }
        }
    }

    /// Serves a request and, together with it, those that wait already.
    fn serve(&mut self, first: Request) {
        self.quiet = false;
        let (mut lists, mut replies, mut drafts) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(request) = next {
            next = match request {
                Request::Append(list, reply) => {
                    drafts += list.len();
                    lists.push(list);
                    replies.push(reply);
                    if drafts < GROUP { self.requests.try_recv().ok() } else { None }
                }
                Request::Tidy { keep, now, reply } => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    drop(reply.send(self.tidy(keep, now)));
                    None
                }
                #[cfg(test)]
                Request::Do(deed) => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    deed(&mut self.connection);
                    None
                }
            };
        }
        self.commit(lists, replies);
    }

    fn commit(&mut self, lists: Vec<Vec<Draft>>, replies: Vec<Reply<Vec<Appended>>>) {
        if lists.is_empty() {
            return;
        }
        let stored = self
            .sync_commits(true)
            .and_then(|()| append::append(&mut self.connection, &mut self.keys, self.last, lists));
        match stored {
            Ok(outcomes) => {
                for (outcome, reply) in outcomes.into_iter().zip(replies) {
                    for appended in &outcome {
                        if let Appended::New(message) = appended {
                            self.last = self.last.max(integer(message.id.0));
                        }
                    }
                    // Whoever asked may have gone meanwhile.
                    drop(reply.send(Ok(outcome)));
                }
            }
            Err(error) => {
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Chooses whether a commit returns only when it is on disk. Where it does not, a power cut may take back the last commits, but
    /// never one before another; and the next that is synced takes those before it along, because the write-ahead log is one file.
    fn sync_commits(&mut self, is_synced: bool) -> Result<(), LogError> {
        if self.is_synced != is_synced {
            self.connection.execute_batch(if is_synced {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            self.is_synced = is_synced;
        }
        Ok(())
    }

    fn tidy(&mut self, keep: Keep, now: Timestamp) -> Result<(), LogError> {
        self.sync_commits(false)?;
        while chores::delete(&mut self.connection, &mut self.keys, self.last, keep, now)? {}
        while self.keys.lacks(self.last) {
            self.keys.feed(&mut self.connection, self.last)?;
        }
        while self.index()? {}
        Ok(())
    }

    /// Returns whether the index or the table of keys lacks something.
    fn is_behind(&self) -> bool {
        self.indexed < self.last || self.keys.lacks(self.last)
    }

    /// Returns whether the chores cannot wait for a quiet moment, which on a busy server may never come.
    fn chores_press(&self) -> bool {
        self.last - self.indexed > UNINDEXED
            || self.keys.press(self.last)
            || self.keep != Keep::default() && self.retention_due + RETENTION <= Instant::now()
    }

    /// Does the next step of the chores. One that fails is tried again later.
    fn chore(&mut self) {
        let now = Instant::now();
        if now < self.chores_from {
            return;
        }
        if let Err(error) = self.sync_commits(false).and_then(|()| self.step(now)) {
            warn!(%error, "the log could not be tidied; it will be tried again");
            self.chores_from = now + RETRY;
        }
    }

    /// Deletes, or feeds a little.
    fn step(&mut self, now: Instant) -> Result<(), LogError> {
        if self.retention_due <= now && self.keep != Keep::default() {
            if !chores::delete(&mut self.connection, &mut self.keys, self.last, self.keep, wall_clock())? {
                self.retention_due = now + RETENTION;
            }
        } else if self.keys.press(self.last) || self.quiet && self.keys.lacks(self.last) {
            self.keys.feed(&mut self.connection, self.last)?;
        } else if self.indexed < self.last {
            self.index()?;
        } else {
            self.retention_due = now + RETENTION;
        }
        Ok(())
    }

    /// Feeds the index once, and returns whether there may be more.
    fn index(&mut self) -> Result<bool, LogError> {
        let indexed = chores::index(&mut self.connection)?;
        debug!(?indexed, "indexed");
        self.indexed = indexed.unwrap_or(self.last);
        Ok(indexed.is_some())
    }
}
