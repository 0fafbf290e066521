//! The ordered log: the only place where an id is born. A draft goes in, a message with its place in the order comes out, and
//! only then may anybody see it.
//!
//! One enum over the kinds of log, and one suite of tests (`conformance`) that every kind passes.

mod memory;

#[cfg(test)]
mod conformance;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::memory::Memory;
use crate::wire::{Author, Body, Epoch, IdempotencyKey, Kind, Message, MessageId, Nick, RoomName, Timestamp, Topic};

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
    Again(Arc<Message>),
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

/// Why the log could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// It is broken on purpose, for tests of whoever uses it.
    #[cfg(test)]
    #[error("the log is broken")]
    Broken,
}

/// A log of one of several kinds. Clones are the same log.
#[derive(Debug, Clone)]
pub enum Log {
    /// Lives as long as the process and forgets the oldest first.
    Memory(Arc<Mutex<Memory>>),
    /// Takes nothing and gives nothing, for tests of whoever uses it.
    #[cfg(test)]
    Broken,
}

impl Log {
    /// Returns an empty log that keeps nothing on disk, of the given epoch.
    #[must_use]
    pub fn memory(epoch: Epoch) -> Self {
        Self::Memory(Arc::new(Mutex::new(Memory::new(epoch))))
    }

    /// Returns which history this is.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Memory(memory) => lock(memory).epoch(),
            #[cfg(test)]
            Self::Broken => crate::wire::Hex([0; 8]),
        }
    }

    /// Stores `drafts` together and in their order, and returns what became of each. All of them are stored or none.
    ///
    /// Not cancel-safe: whether the drafts are stored is unknown if the future is dropped.
    ///
    /// # Errors
    /// A [`LogError`] when nothing was stored.
    #[expect(clippy::unused_async, reason = "a log on disk waits for its sync")]
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Appended>, LogError> {
        match self {
            Self::Memory(memory) => {
                let mut memory = lock(memory);
                Ok(drafts.into_iter().map(|draft| memory.append(draft)).collect())
            }
            #[cfg(test)]
            Self::Broken => Err(LogError::Broken),
        }
    }

    /// Returns the messages of `room` after the cursor, at most `limit` of them and at most `Limits::BATCH` bytes of text, but
    /// at least one where there is one. Cancel-safe.
    ///
    /// # Errors
    /// A [`LogError`] when the log cannot be read.
    #[expect(clippy::unused_async, reason = "a log on disk waits for its reader")]
    pub async fn page(&self, room: &RoomName, after: MessageId, limit: u32) -> Result<Page, LogError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).page(room, after, limit)),
            #[cfg(test)]
            Self::Broken => Err(LogError::Broken),
        }
    }

    /// Returns the cursor after which the last `count` messages of `room` follow, or the last `count` before `before`.
    /// Cancel-safe.
    ///
    /// # Errors
    /// A [`LogError`] when the log cannot be read.
    #[expect(clippy::unused_async, reason = "a log on disk waits for its reader")]
    pub async fn cursor(&self, room: &RoomName, before: Option<MessageId>, count: u32) -> Result<MessageId, LogError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).cursor(room, before, count)),
            #[cfg(test)]
            Self::Broken => Err(LogError::Broken),
        }
    }

    /// Returns the id of the last message of all rooms. Cancel-safe.
    ///
    /// # Errors
    /// A [`LogError`] when the log cannot be read.
    #[expect(clippy::unused_async, reason = "a log on disk waits for its reader")]
    pub async fn last(&self) -> Result<MessageId, LogError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).last()),
            #[cfg(test)]
            Self::Broken => Err(LogError::Broken),
        }
    }

    #[expect(missing_docs, clippy::unused_async, clippy::missing_errors_doc, reason = "comes with the durable log")]
    pub async fn search(&self, _: &RoomName, _: &str, _: u32) -> Result<Vec<Arc<Message>>, LogError> {
        Ok(Vec::new())
    }

    #[expect(missing_docs, clippy::unused_async, clippy::missing_errors_doc, reason = "comes with the durable log")]
    pub async fn since(&self, _: &RoomName, _: Timestamp) -> Result<MessageId, LogError> {
        Ok(MessageId(0))
    }

    /// Returns what the room's last topic message says. Cancel-safe.
    ///
    /// # Errors
    /// A [`LogError`] when the log cannot be read.
    #[expect(clippy::unused_async, reason = "a log on disk waits for its reader")]
    pub async fn topic(&self, room: &RoomName) -> Result<Option<Topic>, LogError> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).topic(room)),
            #[cfg(test)]
            Self::Broken => Err(LogError::Broken),
        }
    }
}

/// A panic elsewhere while the lock was held leaves a log that is still in order: every change is made whole before it returns.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
