//! Files of ours that several clients of one user share: each is replaced as a whole under a lock,
//! and what cannot be read is kept aside. They may block: where others wait, they are called on a
//! thread of their own.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::os;

/// Broken files that are kept; it takes a person to break one.
const ASIDE: usize = 9;

/// For another client to give a lock back: it has it for as long as a file takes to be written,
/// unless it was stopped meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(5);

/// Why there is nothing in a file.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is no such file.
    Missing,
    /// It is there, and the system does not let us read it.
    Failed(io::Error),
    /// It is longer than it can be, or no text.
    Broken,
}

/// Returns the text of the file at `path`.
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

/// Puts `bytes` in the place of the file at `path`, whole or not at all, for its owner alone.
/// Nobody else may do so meanwhile.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let written = os::open_private(&beside).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // It is of no use, and may not be there.
        drop(fs::remove_file(&beside));
    }
    written
}

/// Returns the lock that goes with the file at `path`, in a folder that is made where there is
/// none, once nobody else has it, or an error after 2 s. It is given back with the file that is
/// returned, also by the end of the program.
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

/// Returns the lock that goes with the file at `path`, if nobody else has it.
pub(super) fn try_lock(path: &Path) -> Option<File> {
    let lock = lock_file(path).ok()?;
    lock.try_lock().is_ok().then_some(lock)
}

/// Returns where the lock of the file at `path` is: beside it, because the file itself is replaced.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

fn lock_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        os::create_private_dir(folder)?;
    }
    os::open_private(&lock_path(path))
}

/// Gives the file at `path` a name under which nothing overwrites it, beside the one that it has;
/// returns that name.
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
            // There are file systems that know no links.
            Err(_) => return fs::rename(path, &aside).map(|()| aside),
        }
    }
    Err(last)
}
