//! The ordered log: the only place where an id is born. A draft goes in, a message with its place
//! in the order comes out, and only then may anybody see it.
//!
//! One enum over the kinds of log, and one suite of tests (`conformance`) that every kind passes.

mod budget;
mod clock;
mod complaints;
#[cfg(test)]
mod conformance;
mod error;
mod memory;
#[cfg(test)]
mod model;
mod runs;
mod search_query;
mod sqlite;
mod wanted;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) use self::complaints::Complaints;
pub use self::{
    clock::{Clock, Reading},
    error::{OpenError, StoreError},
    runs::{Known, Runs},
    sqlite::Salvaged,
};
use tokio_util::sync::CancellationToken;

use self::{budget::Budget, memory::Memory, sqlite::Sqlite, wanted::Wanted};
use crate::{
    os,
    protocol::{
        Author, Body, Epoch, IdempotencyKey, Kind, Limits, Message, MessageId, Nick, PersonId, RoomName, Timestamp,
        TopicBy, search::Filters,
    },
};

/// What somebody said, before it has its place in the order.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where.
    pub room: RoomName,
    /// When; not earlier than any draft before it.
    pub at: Timestamp,
    /// Who, as the others read it.
    pub nick: Nick,
    /// Who, whatever the nick is: within an author, a key counts once.
    pub author: Author,
    /// How.
    pub kind: Kind,
    /// What; absent only where a topic is cleared.
    pub text: Option<Body>,
    /// What makes it count once.
    pub key: Option<IdempotencyKey>,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is stored, and this is its message.
    New(Arc<Message>),
    /// Its author had sent it before, under the same key: this is the message it became then.
    Duplicate(Arc<Message>),
}

/// A stretch of a room's messages, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The messages, in the order of their ids.
    pub messages: Vec<Arc<Message>>,
    /// Whether the room has more after the last of them.
    pub more: bool,
    /// Whether messages between the cursor and the first of them have been deleted.
    pub gap: bool,
}

/// A seat that somebody had when the server ended, and can come back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Whose.
    pub author: Author,
    /// Where.
    pub room: RoomName,
    /// What they are called.
    pub nick: Nick,
    /// What others know them by, if that was kept.
    pub person: Option<PersonId>,
}

/// Somebody's seat is another's, or nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// Whose.
    pub author: Author,
    /// Where.
    pub room: RoomName,
    /// What they are called, and what others know them by; none if the seat is free.
    pub who: Option<(Nick, PersonId)>,
}

/// How much history a log on disk keeps; what is past either is deleted, the oldest first. The
/// default keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Messages older than this are deleted.
    pub age: Option<Duration>,
    /// Messages of all rooms past this number are deleted.
    pub messages: Option<u64>,
}

/// A log of one of several kinds. Clones are the same log.
#[derive(Debug, Clone)]
pub enum Store {
    /// Lives as long as the process and forgets the oldest first.
    Memory(Arc<Mutex<Memory>>),
    /// Lives in a file: a message that was returned survives a power cut.
    Sqlite(Arc<Sqlite>),
    /// Takes nothing and gives nothing, for tests of whoever uses it.
    #[cfg(test)]
    Broken,
    /// Never answers, for the same.
    #[cfg(test)]
    Silent,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Where: in any of these.
    pub rooms: Vec<RoomName>,
    /// What is in it, by whom, and when it was said.
    pub filters: Filters,
    /// Only what has an id before this.
    pub before: Option<MessageId>,
    /// How many messages are wanted, at most [`Limits::HISTORY`].
    pub limit: u32,
    /// Whether all that there is to find is counted, up to [`Limits::FOUND_COUNTED`].
    pub counts: bool,
}

/// How much there is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// So many messages.
    pub count: u64,
    /// Whether there may be more: it was not counted on.
    pub or_more: bool,
}

/// What a search has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The messages, newest first.
    pub messages: Vec<Arc<Message>>,
    /// How much there is to find, if it was counted.
    pub total: Option<Total>,
    /// Whether it was cut short when its time was over, so that there may be more to find.
    pub is_incomplete: bool,
}

impl Store {
    /// How many pages are read at one time: who asks for more waits behind others.
    pub const PAGES_AT_ONCE: usize = sqlite::PAGE_READERS;

    /// Returns an empty log that keeps nothing on disk, of the given epoch.
    #[must_use]
    pub fn memory(epoch: Epoch) -> Self {
        Self::Memory(Arc::new(Mutex::new(Memory::new(epoch))))
    }

    /// Opens the log in the file at `path`, and creates the file and its directory where they are
    /// not there: only their owner may read them. While it is open, nobody else can open it.
    ///
    /// Blocks while it reads and writes a few pages of the file, or recovers what a crash left; so
    /// it is called before there is anything else to do.
    ///
    /// # Errors
    /// An [`OpenError`] when the file cannot be a log, cannot be written, or is in use.
    pub fn open(path: &Path, keep: Keep) -> Result<Self, OpenError> {
        Ok(Self::Sqlite(Arc::new(Sqlite::open(path, keep)?)))
    }

    /// Writes what can be read of the damaged log at `from` into a new file at `to`. Blocks while
    /// it does.
    ///
    /// # Errors
    /// An [`OpenError`] when there is a file at `to` already, or nothing can be saved.
    pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
        Sqlite::salvage(from, to)
    }

    /// Returns where the platform wants a program to keep such a file, such as
    /// `~/.local/share/broadcast-chat/chat.db`, or nothing where there is no home directory.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        let directories = directories::ProjectDirs::from("", "", "broadcast-chat")?;
        Some(directories.data_local_dir().join("chat.db"))
    }

    /// Returns which history this is.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Memory(memory) => lock(memory).epoch(),
            Self::Sqlite(sqlite) => sqlite.epoch(),
            #[cfg(test)]
            Self::Broken | Self::Silent => crate::protocol::Hex([0; 8]),
        }
    }

    /// Returns its runs, the last of which is the present one.
    #[must_use]
    pub fn runs(&self) -> Arc<Runs> {
        match self {
            Self::Memory(memory) => lock(memory).runs(),
            Self::Sqlite(sqlite) => sqlite.runs(),
            #[cfg(test)]
            Self::Broken | Self::Silent => Arc::new(Runs::first(self.epoch())),
        }
    }

    /// Returns the seats that were kept, at most [`Limits::GHOSTS`]. A log in memory keeps none.
    /// Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn memberships(&self) -> Result<Vec<Membership>, StoreError> {
        match self {
            Self::Memory(_) => Ok(Vec::new()),
            Self::Sqlite(sqlite) => sqlite.memberships().await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => Ok(Vec::new()),
        }
    }

    /// Keeps who is where for the next start, soon: it is not waited for, and a power cut may take
    /// the last of it back.
    ///
    /// # Errors
    /// A [`StoreError`] when the log is closed.
    pub async fn keep_memberships(&self, changes: Vec<MembershipChange>) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Sqlite(sqlite) => sqlite.keep_memberships(changes).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => Ok(()),
        }
    }

    /// Stores `drafts` together and in their order, and returns what became of each. All of them
    /// are stored or none.
    ///
    /// Not cancel-safe: whether the drafts are stored is unknown if the future is dropped.
    ///
    /// # Errors
    /// A [`StoreError`] when nothing was stored.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Appended>, StoreError> {
        match self {
            Self::Memory(memory) => {
                let mut memory = lock(memory);
                Ok(drafts.into_iter().map(|draft| memory.append(draft)).collect())
            }
            Self::Sqlite(sqlite) => sqlite.append(drafts).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns the messages of `room` after the cursor, at most `limit` of them and at most
    /// `Limits::BATCH` bytes of text, but at least one where there is one. Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn page(&self, room: &RoomName, after: MessageId, limit: u32) -> Result<Page, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).page(room, after, limit)),
            Self::Sqlite(sqlite) => sqlite.page(room, after, limit).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns the cursor after which the last `count` messages of `room` follow, or the last
    /// `count` before `before`. Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn cursor(
        &self,
        room: &RoomName,
        before: Option<MessageId>,
        count: u32,
    ) -> Result<MessageId, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).cursor(room, before, count)),
            Self::Sqlite(sqlite) => sqlite.cursor(room, before, count).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns the last id that was given, in whatever room; it costs nothing to ask.
    ///
    /// # Errors
    /// A [`StoreError`] when the log is closed.
    pub fn last(&self) -> Result<MessageId, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).last()),
            Self::Sqlite(sqlite) => sqlite.last(),
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => Ok(MessageId(0)),
        }
    }

    /// Returns when the last message that is stored was said, or 0. Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn last_at(&self) -> Result<Timestamp, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).last_at()),
            Self::Sqlite(sqlite) => sqlite.last_at().await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns what the room's last topic message says, and whose it is where the file knows.
    /// Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn topic(&self, room: &RoomName) -> Result<Option<TopicBy>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).topic(room)),
            Self::Sqlite(sqlite) => sqlite.topic(room).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns how many messages are stored. Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn count(&self) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).count()),
            Self::Sqlite(sqlite) => sqlite.count().await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns the cursor after which those messages of `room` follow that were said at `at` or
    /// later. Like
    /// [`cursor`](Self::cursor), it does not ask for what is deleted. Cancel-safe.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn since(&self, room: &RoomName, at: Timestamp) -> Result<MessageId, StoreError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).since(room, at)),
            Self::Sqlite(sqlite) => sqlite.since(room, at).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Returns the messages of `room` in which all words of `query` are, newest first, at most
    /// `limit` of them and at most [`Limits::HISTORY`]. A message's words may go on after those of
    /// the query, but not after a phrase in double quotes; case and diacritics do not count. A
    /// query without a word finds nothing. It takes no longer than [`Limits::SEARCH`], and none of
    /// that on a thread of the async runtime. Cancel-safe: it ends soon after the future is
    /// dropped.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn search(&self, room: &RoomName, query: &str, limit: u32) -> Result<Found, StoreError> {
        self.search_within(Limits::SEARCH, room, query, limit).await
    }

    /// Does the same within another time.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn search_within(
        &self,
        time: Duration,
        room: &RoomName,
        query: &str,
        limit: u32,
    ) -> Result<Found, StoreError> {
        let filters = Filters { words: query.to_owned(), ..Filters::default() };
        self.find(time, Search { rooms: vec![room.clone()], filters, limit, ..Search::default() }).await
    }

    /// Returns what is looked for, newest first, within a time; see [`Self::search`]. Where there
    /// is neither a word nor a filter, it finds nothing. Cancel-safe: it ends soon after the future
    /// is dropped.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub async fn find(&self, time: Duration, search: Search) -> Result<Found, StoreError> {
        let Some(wanted) = Wanted::new(search) else { return Ok(Found::default()) };
        match self {
            Self::Memory(memory) => {
                let (memory, token) = (Arc::clone(memory), CancellationToken::new());
                let _ends = token.clone().drop_guard();
                let search = move || memory::search(&memory, &wanted, &Budget::new(time, token));
                // It fails when the process ends, or by a defect, which is said already.
                tokio::task::spawn_blocking(search).await.map_err(|_| StoreError::Closed)
            }
            Self::Sqlite(sqlite) => sqlite.search(wanted, time).await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Deletes at once what need not be kept, and completes the index for searches; what is said
    /// meanwhile waits. Otherwise both are done in the background, a little at a time. Not
    /// cancel-safe: it goes on if the future is dropped.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read or written.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Sqlite(sqlite) => sqlite.maintain().await,
            #[cfg(test)]
            Self::Broken => Err(StoreError::Broken),
            #[cfg(test)]
            Self::Silent => std::future::pending().await,
        }
    }

    /// Closes the log for all its clones, and returns when what was asked before is done and the
    /// file is released. What is asked later fails with [`StoreError::Closed`]. A log in memory has
    /// nothing to close.
    ///
    /// A log that is dropped does the same in the background; nothing that was returned is lost if
    /// the process ends before. Not cancel-safe: it goes on closing if the future is dropped.
    pub async fn close(&self) {
        if let Self::Sqlite(sqlite) = self {
            sqlite.close().await;
        }
    }
}

impl Reading {
    /// Returns what the clocks say now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: wall_clock(), uptime: os::uptime() }
    }
}

/// Returns the time of day.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A panic elsewhere while the lock was held leaves a log that is still in order: every change is
/// made whole before it returns.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what a message counts for in a page and in memory: its text and, roughly, what surrounds
/// it.
fn size(message: &Message) -> usize {
    128 + message.text_len()
}
