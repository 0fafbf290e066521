//! The input history: the lines that the user entered, kept across runs. Each server has one file,
//! and all clients of the user append to it. A line that begins with a secret is never in it.
//!
//! The file has one JSON string a line, the oldest first. A new line is appended under a lock. A
//! line that a crash cut off is skipped. If there are too many lines, the file is replaced by the
//! latest ones.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    editor::{BYTES, LINES},
    files,
};
use crate::{
    os,
    protocol::{command::is_secret, sanitize},
};

/// The file is shortened when it exceeds these limits. The margin of a quarter keeps this rare, so
/// appending a line stays cheap.
const MOST_LINES: usize = LINES + LINES / 4;
const MOST_BYTES: usize = BYTES + BYTES / 4;

/// The number of bytes that are read from the end of a file. JSON can escape one byte with six.
const FILE: u64 = 6 * MOST_BYTES as u64;

/// The name of the lock.
const LOCK: &str = "all";

/// The maximum number of servers with a file. Beyond it, the file that was modified longest ago is
/// removed.
const SERVERS: usize = 50;

/// The characters of a server name that are not percent-encoded in a file name.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
const NAME: usize = 200;

/// The lines entered in this run, the latest at the end. Each has a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entered {
    lines: VecDeque<(u64, Arc<str>)>,
}

impl Entered {
    /// Adds a line.
    pub fn push(&mut self, line: Arc<str>) {
        self.lines.push_back((self.count() + 1, line));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    fn count(&self) -> u64 {
        self.lines.back().map_or(0, |(number, _)| *number)
    }

    /// Returns the lines that were added after the state `before`, oldest first.
    fn since(&self, before: &Self) -> impl Iterator<Item = &str> {
        let seen = before.count();
        self.lines.iter().filter(move |(number, _)| *number > seen).map(|(_, line)| &**line)
    }
}

/// The history file of one server.
#[derive(Debug, Clone)]
pub struct HistoryFile {
    path: PathBuf,
}

impl HistoryFile {
    /// Returns the file in `folder` for `server`, a host and a port.
    #[must_use]
    pub fn new(folder: &Path, server: &str) -> Self {
        let mut name = utf8_percent_encode(server, IN_NAME).to_string();
        name.truncate(NAME);
        Self { path: folder.join("history").join(format!("{name}.jsonl")) }
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lines, the latest first. Without a file there are none.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub fn read(&self) -> io::Result<Vec<Arc<str>>> {
        match fs::File::open(&self.path) {
            Ok(file) => Ok(lines(&end_of(file)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Appends the lines that were entered after `before`. Blocks while another client does this.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub fn add(&self, before: &Entered, after: &Entered) -> io::Result<()> {
        let mut added = String::new();
        for line in after.since(before) {
            added.push_str(&serde_json::to_string(line)?);
            added.push('\n');
        }
        if added.is_empty() {
            return Ok(());
        }
        let is_new = !self.path.exists();
        // One lock serves all servers. So this client can remove the file of another server, and a
        // client that writes to that file loses no line.
        let _lock = files::lock(&self.path.with_file_name(LOCK))?;
        if is_new {
            self.forget_servers();
        }
        let mut file = os::open_private(&self.path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        // End a line that a crash cut off.
        if last != [b'\n'] {
            added.insert(0, '\n');
        }
        file.write_all(added.as_bytes())?;
        file.rewind()?;
        let text = end_of(file)?;
        if text.lines().count() > MOST_LINES || text.len() > MOST_BYTES {
            let mut kept = Vec::new();
            for line in lines(&text).iter().rev() {
                serde_json::to_writer(&mut kept, line)?;
                kept.push(b'\n');
            }
            files::replace(&self.path, &kept)?;
        }
        Ok(())
    }

    /// Removes the files of the servers that were not used for the longest time, to make room for
    /// one more.
    fn forget_servers(&self) {
        let Some(entries) = self.path.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return };
        let mut others: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "jsonl"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        others.sort();
        for (_, path) in others.iter().rev().skip(SERVERS - 1) {
            // A client that appends to the file creates it again.
            drop(fs::remove_file(path));
        }
    }
}

/// Returns the end of a file, at most `FILE` bytes.
fn end_of(mut file: fs::File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(FILE)))?;
    let mut bytes = Vec::new();
    file.take(FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the lines in the text of a file, the latest first. Skips invalid lines and stops at the
/// limits.
fn lines(text: &str) -> Vec<Arc<str>> {
    let mut left = BYTES;
    let mut lines: Vec<Arc<str>> = Vec::new();
    for line in text.lines().rev() {
        let Ok(line) = serde_json::from_str::<String>(line) else { continue };
        if is_secret(&line) || line.trim().is_empty() || lines.last().is_some_and(|later| **later == *line) {
            continue;
        }
        left = left.saturating_sub(line.len());
        if left == 0 || lines.len() == LINES {
            break;
        }
        lines.push(sanitize::lines(&line).into());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(lines: &[&str]) -> Entered {
        let mut entered = Entered::default();
        for line in lines {
            entered.push((*line).into());
        }
        entered
    }

    fn read(file: &HistoryFile) -> Vec<String> {
        file.read().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_entered_is_read_the_latest_first_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile::new(&folder.path().join("new"), "[::1]:8080");
        assert_eq!(read(&file), [""; 0]);
        let first = entered(&["one", "two\nlines", "/msg bob psst"]);
        file.add(&Entered::default(), &first).unwrap();
        let mut second = first.clone();
        second.push("four".into());
        file.add(&first, &second).unwrap();
        file.add(&second, &second).unwrap();
        assert_eq!(read(&file), ["four", "/msg bob psst", "two\nlines", "one"]);
        assert_eq!(read(&HistoryFile::new(&folder.path().join("new"), "[::1]:8081")), [""; 0]);
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(file.path()).unwrap()) & 0o777, 0o600);
    }

    #[test]
    fn what_a_crash_or_another_hand_has_left_is_skipped_and_garbles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile::new(folder.path(), "a:1");
        fs::create_dir_all(file.path().parent().unwrap()).unwrap();
        fs::write(file.path(), b"\"one\"\n\xff\xfe\n7\n\"\\u001b[2Jtwo\"\n\"/token abc\"\n\"cut of").unwrap();
        file.add(&Entered::default(), &entered(&["three"])).unwrap();
        assert_eq!(read(&file), ["three", "two", "one"]);
    }

    #[test]
    fn it_never_grows_past_its_bounds_and_keeps_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile::new(folder.path(), "a:1");
        let (mut before, mut after) = (Entered::default(), Entered::default());
        for number in 0..3 * LINES {
            after.push(format!("{number} {}", "x".repeat(if number % 100 == 0 { 16 * 1024 } else { 10 })).into());
            if number % 50 == 0 {
                file.add(&before, &after).unwrap();
                before = after.clone();
                assert!(fs::metadata(file.path()).unwrap().len() <= MOST_BYTES as u64);
            }
        }
        file.add(&before, &after).unwrap();
        let lines = read(&file);
        assert!(lines.len() <= LINES && lines[0].starts_with("2999 ") && lines[1].starts_with("2998 "));
        assert!(lines.iter().map(String::len).sum::<usize>() <= BYTES);
    }

    #[test]
    fn clients_that_add_at_the_same_time_lose_and_garble_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile::new(folder.path(), "a:1");
        std::thread::scope(|scope| {
            for client in 0..4 {
                let file = &file;
                scope.spawn(move || {
                    let mut before = Entered::default();
                    for number in 0..20 {
                        let mut after = before.clone();
                        after.push(format!("{client}-{number}").into());
                        file.add(&before, &after).unwrap();
                        before = after;
                    }
                });
            }
        });
        let mut lines = read(&file);
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 80);
    }

    #[test]
    fn servers_that_were_not_used_for_long_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        for port in 0..SERVERS + 5 {
            HistoryFile::new(folder.path(), &format!("a:{port}")).add(&Entered::default(), &entered(&["x"])).unwrap();
        }
        let count = |end: &str| {
            let entries = fs::read_dir(folder.path().join("history")).unwrap();
            entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|found| found == end)).count()
        };
        assert_eq!((count("jsonl"), count("lock")), (SERVERS, 1));
    }
}
