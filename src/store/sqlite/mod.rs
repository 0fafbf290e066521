//! The log on disk: an `SQLite` database, one thread that writes it and a few that read. Nothing
//! here blocks the async runtime, and all queues are bounded. `docs/storage.md` describes the file.

mod append;
mod db_location;
mod dedup;
mod holes;
mod maintenance;
mod memberships;
mod read;
mod readers;
mod rows;
mod salvage;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::salvage::Salvaged;
use self::{
    db_location::{DbLocation, Lock},
    readers::Job,
    writer::{Request, Writer},
};
use super::{
    Appended, Draft, Found, Keep, Membership, MembershipChange, OpenError, Page, Runs, StoreError, budget::Budget,
    wall_clock, wanted::Wanted,
};
use crate::protocol::{Epoch, MessageId, RoomName, Timestamp, TopicBy};

/// Threads that read pages: a second one goes on while the first waits for the disk.
pub(super) const PAGE_READERS: usize = 2;

/// Why something failed that needs the index for searches.
#[derive(Debug)]
enum IndexError {
    /// What is in the index cannot be right, so it is to be made anew.
    Damaged(StoreError),
    Other(StoreError),
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Other(error.into())
    }
}

impl IndexError {
    /// Returns what an error means of something that was done to the index alone.
    fn of_index(error: rusqlite::Error) -> Self {
        // Unknown: one of its tables is missing.
        let is_damage =
            matches!(error.sqlite_error_code(), None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown));
        if is_damage { Self::Damaged(StoreError::Damaged(error.to_string())) } else { Self::Other(error.into()) }
    }
}

/// The log's threads, as the rest of the program reaches them.
#[derive(Debug)]
pub struct Sqlite {
    epoch: Epoch,
    runs: Arc<Runs>,
    /// The last id that was given, as the thread that writes has it: to read it of the file is for
    /// the start.
    last: Arc<AtomicU64>,
    keep: Keep,
    /// Cancelled when the log is closed.
    closing: CancellationToken,
    /// Gone once the log is closed; each thread ends when nobody can ask it any more.
    senders: Mutex<Option<Senders>>,
    /// Closed when the thread that writes has ended and the file is released.
    ended: watch::Receiver<()>,
}

#[derive(Debug)]
struct Senders {
    writes: mpsc::Sender<Request>,
    pages: mpsc::Sender<Job>,
    /// Searches have a thread of their own, so that a long one keeps nobody from coming in.
    searches: mpsc::Sender<Job>,
    /// Cancelled when these go: then nobody waits for a search.
    _closing: DropGuard,
}

impl Sqlite {
    /// Opens the file at `path`, created where it is not there. Blocks while it does.
    ///
    /// # Errors
    /// An [`OpenError`] when it cannot be a log, or another server has it open.
    pub(super) fn open(path: &Path, keep: Keep) -> Result<Self, OpenError> {
        let (place, lock) = DbLocation::file(path)?;
        Self::start(&place, lock, keep)
    }

    /// Writes what can be read of a damaged file into a new one. Blocks while it does.
    ///
    /// # Errors
    /// An [`OpenError`] when nothing can be saved.
    pub(super) fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
        salvage::salvage(from, to)
    }

    /// Opens a new log in memory, which works as one in a file does.
    #[cfg(test)]
    pub(super) fn in_memory(keep: Keep) -> Result<Self, OpenError> {
        Self::start(&DbLocation::in_memory(), Lock::none(), keep)
    }

    fn start(place: &DbLocation, lock: Lock, keep: Keep) -> Result<Self, OpenError> {
        let path = place.path();
        let failed = |error| OpenError::of_sqlite(path, &error);
        let no_thread = |error: io::Error| OpenError::Open { path: path.to_path_buf(), reason: error.to_string() };
        let mut connection = place.writer().map_err(failed)?;
        // What is not ours stays as it is.
        schema::version(&connection, path)?;
        place.prepare(&connection)?;
        let epoch = schema::migrate(&mut connection, path)?;
        memberships::forget_too_many(&connection).map_err(failed)?;
        let runs = Arc::new(schema::begin_run(&mut connection, epoch, path)?);
        let readers = |count| (0..count).map(|_| place.reader()).collect::<Result<Vec<_>, _>>().map_err(failed);
        let (pages, mut threads) = readers::start("log pages", readers(PAGE_READERS)?).map_err(no_thread)?;
        let (searches, more) = readers::start("log searches", readers(1)?).map_err(no_thread)?;
        threads.extend(more);
        let (writes, requests) = mpsc::channel(writer::QUEUE);
        let thread = Writer::new(connection, requests, keep)
            .map_err(|error| OpenError::Damaged { path: path.to_path_buf(), reason: error.to_string() })?;
        let last = thread.last_given();
        let (end, ended) = watch::channel(());
        let run = move || {
            thread.run(threads);
            drop((lock, end));
        };
        thread::Builder::new().name("log writer".to_owned()).spawn(run).map_err(no_thread)?;
        let closing = CancellationToken::new();
        let senders = Senders { writes, pages, searches, _closing: closing.clone().drop_guard() };
        Ok(Self { epoch, runs, last, keep, closing, senders: Mutex::new(Some(senders)), ended })
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn runs(&self) -> Arc<Runs> {
        Arc::clone(&self.runs)
    }

    pub(super) async fn memberships(&self) -> Result<Vec<Membership>, StoreError> {
        self.read(memberships::load).await
    }

    pub(super) async fn keep_memberships(&self, changes: Vec<MembershipChange>) -> Result<(), StoreError> {
        let writes = self.sender(|senders| &senders.writes)?;
        writes.send(Request::Seats(changes)).await.map_err(|_| StoreError::Closed)
    }

    pub(super) async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Appended>, StoreError> {
        self.write(|reply| Request::Append(drafts, reply)).await
    }

    pub(super) async fn page(&self, room: &RoomName, after: MessageId, limit: u32) -> Result<Page, StoreError> {
        let room = room.clone();
        self.read(move |connection| read::page(connection, &room, after, limit)).await
    }

    pub(super) async fn cursor(
        &self,
        room: &RoomName,
        before: Option<MessageId>,
        count: u32,
    ) -> Result<MessageId, StoreError> {
        let room = room.clone();
        self.read(move |connection| read::cursor(connection, &room, before, count)).await
    }

    pub(super) async fn since(&self, room: &RoomName, at: Timestamp) -> Result<MessageId, StoreError> {
        let room = room.clone();
        self.read(move |connection| read::since(connection, &room, at)).await
    }

    pub(super) fn last(&self) -> Result<MessageId, StoreError> {
        // Of a log that is closed, nothing is told.
        self.sender(|senders| &senders.pages).map(|_| MessageId(self.last.load(Ordering::Acquire)))
    }

    pub(super) async fn last_at(&self) -> Result<Timestamp, StoreError> {
        self.read(read::last_at).await
    }

    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        self.read(read::count).await
    }

    pub(super) async fn topic(&self, room: &RoomName) -> Result<Option<TopicBy>, StoreError> {
        let room = room.clone();
        self.read(move |connection| read::topic(connection, &room)).await
    }

    pub(super) async fn search(&self, wanted: Wanted, time: Duration) -> Result<Found, StoreError> {
        let in_vain = self.closing.child_token();
        let _ends = in_vain.clone().drop_guard();
        let searches = self.sender(|senders| &senders.searches)?;
        let search =
            move |connection: &mut Connection| Ok(read::search(connection, &wanted, &Budget::new(time, in_vain)));
        match ask(&searches, search).await? {
            Ok(_) if self.closing.is_cancelled() => Err(StoreError::Closed),
            Ok(found) => Ok(found),
            Err(IndexError::Other(error)) => Err(error),
            Err(IndexError::Damaged(error)) => {
                // A log that is closed meanwhile finds it damaged when it is opened again.
                if let Ok(writes) = self.sender(|senders| &senders.writes) {
                    drop(writes.send(Request::RebuildIndex(error.clone())).await);
                }
                Err(error)
            }
        }
    }

    /// Deletes what need not be kept and completes the index, as of now.
    pub(super) async fn maintain(&self) -> Result<(), StoreError> {
        self.maintain_as(self.keep, wall_clock()).await
    }

    /// Does the same with another rule and at another time.
    pub(super) async fn maintain_as(&self, keep: Keep, now: Timestamp) -> Result<(), StoreError> {
        self.write(|reply| Request::Tidy { keep, now, reply }).await
    }

    /// Returns when everything that was asked before is answered and the file is closed and
    /// released.
    pub(super) async fn close(&self) {
        drop(self.lock().take());
        let mut ended = self.ended.clone();
        // Nothing is ever sent: it ends with its thread.
        while ended.changed().await.is_ok() {}
    }

    async fn write<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let writes = self.sender(|senders| &senders.writes)?;
        writes.send(request(reply)).await.map_err(|_| StoreError::Closed)?;
        drop(writes);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pages = self.sender(|senders| &senders.pages)?;
        let question = |connection: &mut Connection| {
            let result = question(connection);
            let is_hole = holes::found() | result.as_ref().is_err_and(holes::is_unreadable);
            Ok((result, is_hole))
        };
        let (result, is_hole) = ask(&pages, question).await?;
        if is_hole && let Ok(writes) = self.sender(|senders| &senders.writes) {
            // Where there is no room for it, the next who comes upon it asks.
            drop(writes.try_send(Request::RenewRoomIndex));
        }
        result
    }

    fn sender<T>(&self, which: impl FnOnce(&Senders) -> &mpsc::Sender<T>) -> Result<mpsc::Sender<T>, StoreError> {
        self.lock().as_ref().map(|senders| which(senders).clone()).ok_or(StoreError::Closed)
    }

    /// A panic elsewhere leaves the senders as they were.
    fn lock(&self) -> MutexGuard<'_, Option<Senders>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a question answered by one of the threads that read.
async fn ask<T: Send + 'static>(
    jobs: &mpsc::Sender<Job>,
    question: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (reply, answer) = oneshot::channel();
    let job = move |connection: &mut Connection| {
        // Whoever asked may have gone while this waited.
        if !reply.is_closed() {
            drop(reply.send(question(connection)));
        }
    };
    jobs.send(Box::new(job)).await.map_err(|_| StoreError::Closed)?;
    answer.await.map_err(|_| StoreError::Closed)?
}
