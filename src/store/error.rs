//! Why a log could not be opened, or could not do what it was asked, in words for people.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use crate::os;

/// Why the log could not do what it was asked. It goes on: what is asked next may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk, or what the system lets this program use of it, is full.
    #[error("no space is left on the disk")]
    Full,
    /// The file, or the file system it is on, has become read-only.
    #[error("the message database has become read-only")]
    ReadOnly,
    /// Somebody else, perhaps a person with `sqlite3`, holds the file locked.
    #[error("another program keeps the message database locked")]
    Busy,
    /// What is in the file cannot be right.
    #[error("the message database is corrupt: {0}")]
    Damaged(String),
    /// Reading or writing failed.
    #[error("the message database cannot be read or written: {0}")]
    Failed(String),
    /// Its time was over; a search has what was found by then.
    #[error("it was interrupted")]
    Interrupted,
    /// The log is closed.
    #[error("it is closed")]
    Closed,
    /// It is broken on purpose, for tests of whoever uses it.
    #[cfg(test)]
    #[error("the log is broken")]
    Broken,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::OperationInterrupted) => Self::Interrupted,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            // Without a code: a column is missing or of another type, because somebody has changed
            // the tables.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => Self::Damaged(error.to_string()),
            Some(_) => Self::Failed(error.to_string()),
        }
    }
}

/// Why a log could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another server", .0.display())]
    InUse(PathBuf),
    /// A later version of this program has written it.
    #[error("{} was written by a newer version of this program: its format is {found}, and {known} is the last known here", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The format it has.
        found: i64,
        /// The latest format this program knows.
        known: i64,
    },
    /// It is a file of another kind.
    #[error("{} is not a database", .0.display())]
    NotADatabase(PathBuf),
    /// It is a database, and not a log.
    #[error("{} is the database of another program", .0.display())]
    Foreign(PathBuf),
    /// What is in it cannot be right.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file or its directory cannot be written.
    #[error("{} cannot be written", .0.display())]
    ReadOnly(PathBuf),
    /// The disk is full.
    #[error("no space is left on the disk for {}", .0.display())]
    NoSpace(PathBuf),
    /// The file or its directory is not there and cannot be created.
    #[error("cannot create {}: {reason}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It cannot be opened or read for another reason.
    #[error("cannot open {}: {reason}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl OpenError {
    /// Returns what can be done about it, where something can.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse(_) => Some("stop the other server, or give this one a file of its own: --db PATH"),
            Self::Newer { .. } => Some("run the newer version, or begin another history: --db PATH"),
            Self::NotADatabase(_) | Self::Foreign(_) => {
                Some("was another file meant? --db PATH names it, and creates it where there is none")
            }
            Self::Damaged { .. } => {
                Some("restore a backup, or save what can be read into a new file: --salvage FILE --db PATH")
            }
            Self::ReadOnly(_) => Some("the server writes the file and its directory; another place: --db PATH"),
            Self::NoSpace(_) => Some("make room, choose another place with --db PATH, or keep nothing: --db :memory:"),
            Self::Create { .. } => Some("choose another place with --db PATH, or keep nothing: --db :memory:"),
            Self::Open { .. } => None,
        }
    }

    /// Returns what can be done about it where a damaged file was to be saved in another.
    #[must_use]
    pub fn salvage_hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse(_) => Some("stop the server that has it"),
            Self::Newer { .. } => Some("run the newer version"),
            Self::NotADatabase(_) | Self::Foreign(_) => {
                Some("was another file meant? if it is this one, its beginning is lost, and only a backup helps")
            }
            Self::Damaged { .. } => Some("restore a backup"),
            Self::ReadOnly(_) => {
                Some("the server writes beside both files: copy the damaged one and its -wal, or another --db PATH")
            }
            Self::NoSpace(_) => Some("make room, or choose another place with --db PATH"),
            Self::Create { .. } => Some("choose another place with --db PATH"),
            Self::Open { .. } => None,
        }
    }

    /// Returns what an error of `SQLite` means while the file at `path` is opened.
    pub(super) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::NoSpace(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(path),
            Some(ErrorCode::DatabaseCorrupt) | None => Self::Damaged { path, reason },
            Some(_) => Self::Open { path, reason },
        }
    }

    /// Returns what an error of the system means while something that is not there is created for
    /// `path`.
    pub(super) fn of_system(path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            _ => Self::Create { path, reason: os::reason(error) },
        }
    }
}
