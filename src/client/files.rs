//! State files that several clients of one user share. Each file is replaced as a whole under a
//! lock. A file that cannot be read is kept under another name. These functions may block, so
//! asynchronous code calls them on a separate thread.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::os;

/// The maximum number of broken files that are kept. Files rarely break: only a person who edits
/// one breaks it.
const ASIDE: usize = 9;

/// How long to wait for a lock of another client. A client holds the lock only while it writes a
/// file, unless it is suspended meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(5);

/// The reason why a file has no content for us.
#[derive(Debug)]
pub(super) enum Unread {
    /// The file does not exist.
    Missing,
    /// The file exists, but the operating system reports an error.
    Failed(io::Error),
    /// The file is too long or is not UTF-8.
    Broken,
}

/// Returns the text of the file at `path`. The file has at most `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> Result<String, Unread> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        io::ErrorKind::InvalidData => Unread::Broken,
        _ => Unread::Failed(error),
    };
    let mut text = String::new();
    let length = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text)).map_err(failed)?;
    if length as u64 > most { Err(Unread::Broken) } else { Ok(text) }
}

/// Replaces the file at `path` by `bytes` atomically. Only its owner can read the new file. The
/// caller must hold the lock.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let written = os::open_private(&beside).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // The temporary file is useless now. It may not exist.
        drop(fs::remove_file(&beside));
    }
    written
}

/// Returns the lock of the file at `path`. Creates the directory if it does not exist. Waits up to
/// 2 s for another client. The lock is released when the returned file is dropped, or when the
/// program ends.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let (lock, began) = (lock_file(path)?, Instant::now());
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() >= PATIENCE => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another client has it locked"));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN),
        }
    }
}

/// Returns the lock of the file at `path`, or `None` if another client holds it.
pub(super) fn try_lock(path: &Path) -> Option<File> {
    let lock = lock_file(path).ok()?;
    lock.try_lock().is_ok().then_some(lock)
}

/// Returns the path of the lock file for the file at `path`. It is a separate file, because the
/// file itself is replaced.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

fn lock_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        os::create_private_dir(folder)?;
    }
    os::open_private(&lock_path(path))
}

/// Links the file at `path` to a second name that no client overwrites. Returns that name.
pub(super) fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = (1..=ASIDE).map(|number| match number {
        1 => path.with_file_name(format!("{name}.bad")),
        number => path.with_file_name(format!("{name}.bad-{number}")),
    });
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for aside in names {
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            // Some file systems do not support hard links.
            Err(_) => return fs::rename(path, &aside).map(|()| aside),
        }
    }
    Err(last)
}
