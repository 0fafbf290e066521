//! The files of unsent text. Each file is locked by its client and is taken over when that client
//! has ended.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{FILES, Kept, KeptRoom};
use crate::{
    client::files::{self, Unread},
    os,
};

/// The file of this client. No other client reads or writes it while this value lives.
#[derive(Debug)]
pub struct Slot {
    path: PathBuf,
    _lock: File,
}

impl Slot {
    /// Returns a new file in `folder` for a client on `server`, the state that ended clients left
    /// for this server, and messages for the user about files that could not be read.
    ///
    /// The returned unsent messages come from one client. If another client's messages may still be
    /// sent automatically, they stay for the next client. Older ones are converted back to lines to
    /// be typed again. The token is that of the client whose messages are sent, or otherwise that
    /// of the client that was killed last. If another client was killed recently, its token stays
    /// for the next client.
    ///
    /// # Errors
    /// Returns an error if the file cannot be created.
    pub fn take(folder: &Path, server: &str, now: u64) -> io::Result<(Self, Kept, Vec<String>)> {
        let slot = Self::new(folder)?;
        let mut told = Vec::new();
        let mut left: Vec<(Self, Kept)> = Vec::new();
        let mut others = Vec::new();
        for entry in fs::read_dir(folder)?.flatten() {
            let path = entry.path().with_extension("json");
            let is_ours = entry.path().extension().is_some_and(|end| end == "json" || end == "lock");
            if !is_ours || path == slot.path || left.iter().any(|(left, _)| left.path == path) {
                continue;
            }
            // Never lock a file of another server, not even briefly: its clients would not find it.
            if Kept::read(&path).is_ok_and(|(kept, _)| kept.server != server) {
                others.push((entry.metadata().and_then(|file| file.modified()).ok(), path));
                continue;
            }
            let Some(lock) = files::try_lock(&path) else { continue };
            let theirs = Self { path, _lock: lock };
            match Kept::read(&theirs.path) {
                Ok((kept, broken)) => {
                    if broken {
                        told.extend(theirs.keep_aside());
                    }
                    left.push((theirs, kept));
                }
                Err(Unread::Broken) => {
                    told.extend(theirs.keep_aside());
                    theirs.remove();
                }
                Err(Unread::Missing) => theirs.remove(),
                Err(Unread::Failed(_)) => {}
            }
        }
        let kept = Self::merge(&mut left, server, now);
        slot.write(&kept, now)?;
        for (theirs, _) in left {
            theirs.remove();
        }
        others.sort();
        for (_, path) in others.iter().rev().skip(FILES) {
            if let Some(lock) = files::try_lock(path) {
                Self { path: path.clone(), _lock: lock }.remove();
            }
        }
        Ok((slot, kept, told))
    }

    /// Merges the state in `left`. Removes from `left` the files that stay for another client.
    fn merge(left: &mut Vec<(Self, Kept)>, server: &str, now: u64) -> Kept {
        let goes_out = |kept: &Kept| kept.has_unsent() && kept.session.is_some() && kept.fresh_for(now).is_some();
        left.sort_by_key(|(_, kept)| std::cmp::Reverse((goes_out(kept), kept.saved)));
        let mut merged = Kept { server: server.to_owned(), saved: now, ..Kept::default() };
        left.retain_mut(|(_, kept)| {
            if kept.has_unsent() && kept.session.is_some() && !merged.has_unsent() {
                (merged.saved, merged.epoch) = (kept.saved, kept.epoch);
                // Fresh messages must be sent with the token of their author. They are sorted
                // first, so the token is still unset. Older messages are not sent automatically, so
                // any token may stay.
                merged.session = merged.session.or(kept.session);
            } else if goes_out(kept) {
                return false;
            } else if kept.has_unsent() {
                kept.rooms.iter_mut().for_each(KeptRoom::give_back);
            } else if merged.session.is_none() {
                merged.session = kept.session;
            } else if kept.session.is_some() && kept.fresh_for(now).is_some() {
                return false;
            }
            merged.take_in(std::mem::take(kept));
            true
        });
        merged
    }

    fn new(folder: &Path) -> io::Result<Self> {
        os::create_private_dir(folder)?;
        loop {
            let mut name = [0; 8];
            getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
            let path = folder.join(format!("{:016x}.json", u64::from_be_bytes(name)));
            os::open_private(&files::lock_path(&path))?;
            // A client that cleans up may have removed the lock file meanwhile.
            if let Some(lock) = files::try_lock(&path)
                && files::lock_path(&path).exists()
            {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// Writes `kept` within the limits. `now` is the time of writing if `kept` has none.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub fn write(&self, kept: &Kept, now: u64) -> io::Result<()> {
        let kept = Kept { saved: if kept.saved == 0 { now } else { kept.saved }, ..kept.bounded() };
        if kept.rooms.is_empty() && kept.session.is_none() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        files::replace(&self.path, &serde_json::to_vec(&kept)?)
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn keep_aside(&self) -> Option<String> {
        let aside = files::keep_aside(&self.path).ok()?;
        Some(format!("cannot read what was typed the last time, or not all of it; it is kept as {}", aside.display()))
    }

    fn remove(self) {
        // Remove the lock last, so that a client waiting for it finds no file.
        drop(fs::remove_file(&self.path));
        drop(fs::remove_file(files::lock_path(&self.path)));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.path.exists() {
            drop(fs::remove_file(files::lock_path(&self.path)));
        }
    }
}
