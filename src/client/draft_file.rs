//! A draft in a temporary file for an external editor. The file is readable by its owner only, in
//! its own directory, and is removed when the value is dropped.
//!
//! A client that is killed cannot remove its file. The next new draft file removes such leftovers.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::files::try_lock;
use crate::{client::editor, os};

/// The prefix of a directory name. A random number follows.
const PREFIX: &str = "draft-";

/// The name of the file. An editor chooses its mode by the extension.
const NAME: &str = "message.txt";

/// The maximum number of bytes to read. A draft longer than a message is rejected, but the error
/// tells its length.
const MOST: u64 = 64 * editor::LENGTH as u64;

/// The file and its directory. Both are removed when this is dropped.
#[derive(Debug)]
pub(super) struct DraftFile {
    folder: PathBuf,
    path: PathBuf,
    is_kept: bool,
    /// The lock shows that a running client uses the directory.
    _lock: File,
}

impl DraftFile {
    /// Writes `text` to a new file in a new directory below `parent`.
    pub(super) fn new(parent: &Path, text: &str) -> io::Result<Self> {
        os::create_private_dir(parent)?;
        remove_abandoned(parent);
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let folder = parent.join(format!("{PREFIX}{:016x}", u64::from_ne_bytes(number)));
        // Take the lock before the directory exists, so that no client treats it as abandoned.
        let lock = try_lock(&folder).ok_or(io::ErrorKind::AlreadyExists)?;
        let path = folder.join(NAME);
        let file = Self { folder, path, is_kept: false, _lock: lock };
        os::create_new_private_dir(&file.folder)?;
        let mut made = os::open_private(&file.path)?;
        made.write_all(text.as_bytes())?;
        if !text.is_empty() {
            made.write_all(b"\n")?;
        }
        Ok(file)
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the current text of the file, without the line breaks at its end.
    pub(super) fn read(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        // An editor may have put something else here, such as a device. Reading it could never end.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        File::open(&self.path)?.take(MOST).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Keeps the file when this is dropped.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        // If the directory cannot be removed now, the next draft file removes it.
        if !self.is_kept {
            drop(fs::remove_dir_all(&self.folder));
        }
        drop(fs::remove_file(super::files::lock_path(&self.folder)));
    }
}

/// Removes the directories of clients that ended without removing them. A directory that was kept
/// has no lock file and stays.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let lock = entry.path();
        let is_lock = lock.extension().is_some_and(|extension| extension == "lock")
            && entry.file_name().to_string_lossy().starts_with(PREFIX);
        let folder = lock.with_extension("");
        if is_lock && let Some(_lock) = try_lock(&folder) {
            // Another client may remove the same directory at this time, so ignore errors.
            drop(fs::remove_dir_all(&folder));
            drop(fs::remove_file(&lock));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn a_draft_is_a_file_for_its_owner_alone_and_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let file = DraftFile::new(parent.path(), "one\ntwo").unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "one\ntwo\n", "an editor wants whole lines");
        assert_eq!(file.read().unwrap(), "one\ntwo");
        #[cfg(unix)]
        for (path, mode) in [(file.path(), 0o600), (&*file.folder, 0o700)] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        drop(file);
        assert_eq!(entries(parent.path()), 0);
    }

    #[test]
    fn what_a_killed_client_has_left_is_removed_and_what_another_has_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let mine = DraftFile::new(parent.path(), "mine").unwrap();
        let left = parent.path().join("draft-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(NAME), "left").unwrap();
        fs::write(parent.path().join("draft-left.lock"), "").unwrap();
        let mut kept = DraftFile::new(parent.path(), "kept").unwrap();
        kept.keep();
        let path = kept.path().to_owned();
        drop(kept);
        let another = DraftFile::new(parent.path(), "another").unwrap();
        assert!(!left.exists() && !parent.path().join("draft-left.lock").exists());
        assert_eq!((mine.read().unwrap(), another.read().unwrap()), ("mine".to_owned(), "another".to_owned()));
        assert_eq!(fs::read_to_string(path).unwrap(), "kept\n");
    }

    #[test]
    fn what_is_read_is_bounded_and_text() {
        let parent = tempfile::tempdir().unwrap();
        let file = DraftFile::new(parent.path(), "").unwrap();
        fs::write(file.path(), b"caf\xe9\r\n\n").unwrap();
        assert_eq!(file.read().unwrap(), "caf\u{fffd}");
        File::create(file.path()).unwrap().set_len(10 * MOST).unwrap();
        assert_eq!(file.read().unwrap().len() as u64, MOST);
        #[cfg(unix)]
        {
            fs::remove_file(file.path()).unwrap();
            std::os::unix::fs::symlink("/dev/zero", file.path()).unwrap();
            assert_eq!(file.read().unwrap_err().to_string(), "it is no file any more");
        }
    }
}
