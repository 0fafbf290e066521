//! A disk that loses power. Everything that a later sync covered is there; of the rest, chance
//! decides.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crate::{support::seed::Chance, trace::Call};

/// The unit that a disk writes completely or not at all.
const SECTOR: usize = 512;

/// Of a hundred sectors that no sync covered, how many are on the disk anyway, because it had begun
/// to write them.
const LUCK: u64 = 50;

/// A change to a file.
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
    Delete,
}

/// All changes to the files of one directory.
pub(crate) struct Disk {
    changes: Vec<Stored>,
}

/// A change, with when it was done and when it was durable.
struct Stored {
    file: String,
    change: Change,
    ended: usize,
    /// When the first sync ended that began after the change.
    synced: Option<usize>,
}

impl Disk {
    /// Returns the changes that `calls` made to the files in `folder`.
    pub(crate) fn new(calls: &[Call], folder: &Path) -> Self {
        let prefix = format!("{}/", folder.display());
        let mut changes: Vec<_> = calls
            .iter()
            .filter_map(|call| {
                let (file, change) = change(call, &prefix)?;
                Some(Stored { file, change, ended: call.ended, synced: None })
            })
            .collect();
        for sync in calls.iter().filter(|call| is_sync(call)) {
            let Some(file) = sync.file.strip_prefix(&prefix) else { continue };
            // A file system writes directory entries in order: a sync of any file makes earlier
            // deletions durable.
            let covered = |stored: &&mut Stored| {
                stored.ended < sync.begun && (stored.file == file || matches!(stored.change, Change::Delete))
            };
            for stored in changes.iter_mut().filter(covered) {
                stored.synced.get_or_insert(sync.ended);
            }
        }
        Self { changes }
    }

    /// Returns each text of `length` bytes that begins with one of `nicks`, with the time at which
    /// its first write was durable.
    pub(crate) fn texts(&self, nicks: &[&str], length: usize) -> HashMap<String, Option<usize>> {
        let mut texts = HashMap::new();
        for stored in &self.changes {
            let Change::Write(_, bytes) = &stored.change else { continue };
            for window in bytes.windows(length) {
                if nicks.iter().any(|nick| window.starts_with(nick.as_bytes()))
                    && let Ok(text) = str::from_utf8(window)
                {
                    texts.entry(text.to_owned()).or_insert(stored.synced);
                }
            }
        }
        texts
    }

    /// Returns the number of changes to the file `name`.
    pub(crate) fn changes_of(&self, name: &str) -> usize {
        self.changes.iter().filter(|stored| stored.file == name).count()
    }

    /// Returns the files by name after a power cut at `cut`. With `luck`, they include some data
    /// that was not synced.
    pub(crate) fn after_power_cut(&self, cut: usize, mut luck: Option<&mut Chance>) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        // A call in progress at the cut may have done nothing.
        for Stored { file: name, change, synced, .. } in self.changes.iter().filter(|stored| stored.ended < cut) {
            let synced = synced.is_some_and(|synced| synced < cut);
            let mut is_kept = || synced || luck.as_mut().is_some_and(|chance| chance.percent(LUCK));
            match change {
                Change::Delete if is_kept() => drop(files.remove(name)),
                Change::Truncate(length) if is_kept() => files.entry(name.clone()).or_default().resize(*length, 0),
                Change::Delete | Change::Truncate(_) => {}
                Change::Write(offset, bytes) => {
                    let file = files.entry(name.clone()).or_default();
                    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                        if is_kept() {
                            let begin = offset + index * SECTOR;
                            file.resize(file.len().max(begin + sector.len()), 0);
                            file[begin..begin + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        files
    }
}

/// Returns whether `call` makes a file durable.
fn is_sync(call: &Call) -> bool {
    matches!(call.name.as_str(), "fsync" | "fdatasync")
}

fn change(call: &Call, prefix: &str) -> Option<(String, Change)> {
    let number = |index: usize| call.numbers.get(index).and_then(|number| usize::try_from(*number).ok());
    let of_path = |path: &[u8]| String::from_utf8_lossy(path).strip_prefix(prefix).map(str::to_owned);
    match call.name.as_str() {
        "unlink" | "unlinkat" => Some((of_path(call.bytes.first()?)?, Change::Delete)),
        name => {
            let file = call.file.strip_prefix(prefix)?.to_owned();
            match name {
                "pwrite64" => Some((file, Change::Write(number(1)?, call.written()))),
                "ftruncate" => Some((file, Change::Truncate(number(0)?))),
                "write" | "writev" | "pwritev" | "rename" => panic!("{name} of {file} is not understood yet"),
                _ => None,
            }
        }
    }
}
