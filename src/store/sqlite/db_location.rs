//! Where a database is, and how it is opened: its directory, its lock, its mode and its settings.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::super::OpenError;
use crate::os;

/// A file, or a name by which the connections of one log find the same memory.
#[derive(Debug, Clone)]
pub(super) struct DbLocation {
    path: PathBuf,
    in_memory: bool,
}

/// Nobody else opens the database while this lives; the system takes it back when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<File>,
}

impl DbLocation {
    /// Returns a place in memory that no other log has.
    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { path: PathBuf::from(format!("file:/log-{number}?vfs=memdb")), in_memory: true }
    }

    /// Returns the file at `path`, locked; it and its directory are created where they are not
    /// there.
    ///
    /// # Errors
    /// An [`OpenError`] when it is in use, is no file, or cannot be created.
    pub(super) fn file(path: &Path) -> Result<(Self, Lock), OpenError> {
        let path = resolved(path)?;
        if path.is_dir() {
            return Err(OpenError::Open { path, reason: "it is a directory".to_owned() });
        }
        let lock = Lock::of(&path)?;
        if !path.exists() {
            drop(os::open_private(&path).map_err(|error| OpenError::of_system(&path, &error))?);
        }
        Ok((Self { path, in_memory: false }, lock))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a connection that writes. `prepare` must be called before the first write.
    pub(super) fn writer(&self) -> rusqlite::Result<Connection> {
        Connection::open_with_flags(&self.path, self.flags(OpenFlags::SQLITE_OPEN_READ_WRITE))
    }

    /// Makes every commit durable before it returns. For the connection that writes, once it is
    /// known that the file is ours.
    ///
    /// # Errors
    /// An [`OpenError`] when the file cannot be written or its file system does not do what a log
    /// needs.
    pub(super) fn prepare(&self, connection: &Connection) -> Result<(), OpenError> {
        let failed = |error| OpenError::of_sqlite(&self.path, &error);
        // The header must be read once before SQLite knows whether it may write.
        if connection.is_readonly("main").map_err(failed)? {
            return Err(OpenError::ReadOnly(self.path.clone()));
        }
        // A new file changes to a write-ahead log through a rollback journal; EXTRA syncs the
        // directory once that is gone, or it could come back after a power cut and take away what
        // was stored since.
        connection.execute_batch("PRAGMA synchronous = EXTRA").map_err(failed)?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
        if mode != "wal" && !self.in_memory {
            let reason = "its file system cannot have a write-ahead log".to_owned();
            return Err(OpenError::Open { path: self.path.clone(), reason });
        }
        // FULL: the log's sync comes before the commit returns, and NORMAL's does not. fullfsync:
        // macOS needs it to get past the disk's cache. The cache is for the index of keys, which is
        // written at random places. The limit is what the write-ahead log shrinks to after it had
        // to grow.
        connection
            .execute_batch(
                "PRAGMA synchronous = FULL;
                 PRAGMA fullfsync = ON;
                 PRAGMA checkpoint_fullfsync = ON;
                 PRAGMA cache_size = -16000;
                 PRAGMA journal_size_limit = 67108864;
                 PRAGMA trusted_schema = OFF;",
            )
            .map_err(failed)
    }

    /// Opens a connection that only reads.
    pub(super) fn reader(&self) -> rusqlite::Result<Connection> {
        let how = if self.in_memory { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let connection = Connection::open_with_flags(&self.path, self.flags(how))?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
        Ok(connection)
    }

    /// Every connection stays with one thread at a time. A path is taken as it is spelled, not as a
    /// URI.
    fn flags(&self, how: OpenFlags) -> OpenFlags {
        let uri = if self.in_memory { OpenFlags::SQLITE_OPEN_URI } else { OpenFlags::empty() };
        how | OpenFlags::SQLITE_OPEN_NO_MUTEX | uri
    }
}

impl Lock {
    /// Locks the file at `path`, which no link may lead to.
    ///
    /// # Errors
    /// An [`OpenError`] when it is in use, or there cannot be a file beside it.
    pub(super) fn of(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: io::Error| OpenError::of_system(path, &error);
        // A file of its own: SQLite's locks on the database go when any descriptor of it is closed,
        // even one of somebody else's. For the same reason the database is not touched before the
        // lock is had.
        let mut beside = path.to_path_buf().into_os_string();
        beside.push(".lock");
        let lock = os::open_private(Path::new(&beside)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _file: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_path_buf())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Returns the lock of a place that nobody else can know.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { _file: None }
    }
}

/// Returns the one path of the file, whichever links lead to it, and creates its directory.
fn resolved(path: &Path) -> Result<PathBuf, OpenError> {
    if let Ok(found) = fs::canonicalize(path) {
        return Ok(found);
    }
    let failed = |error: io::Error| OpenError::of_system(path, &error);
    let Some(name) = path.file_name() else {
        return Err(OpenError::Create { path: path.to_path_buf(), reason: "it names no file".to_owned() });
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    os::create_private_dir(directory).map_err(failed)?;
    Ok(fs::canonicalize(directory).map_err(failed)?.join(name))
}
