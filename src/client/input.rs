//! Lines from a pipe, or from a terminal in line mode. A thread reads them, because tokio's own
//! stdin keeps a process alive until stdin ends.

use std::{
    borrow::Cow,
    io::{self, Read as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::protocol::Limits;

/// The capacity of the queue of read lines. When it is full, the reader stops and the pipe fills.
const LINES: usize = 32;

/// How often to check for a line that has not arrived.
const LOOK: Duration = Duration::from_millis(5);

/// The maximum size of one read, in bytes.
const CHUNK: usize = 64 * 1024;

/// An item of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line, or the first piece of a line that is too long.
    Line(String),
    /// The next piece of the line before.
    Continued(String),
    /// A notice about an unexpected treatment of the input that follows. Each kind is sent once.
    Remark(&'static str),
}

/// The notice about a line that is split.
const CUT: &str = "a line of the input is longer than a message (16 KiB), and is said in several";

/// The notice about bytes that are not UTF-8.
const NO_TEXT: &str = "the input is not all UTF-8: each byte that is not becomes \u{fffd}";

/// The lines read from stdin.
#[derive(Debug)]
pub struct Input {
    typed: mpsc::Receiver<Typed>,
    /// The number of lines that were read but not taken yet.
    waiting: Arc<AtomicUsize>,
}

impl Input {
    /// Starts to read stdin.
    ///
    /// # Errors
    /// Returns an error if no thread can be started.
    pub fn from_stdin() -> io::Result<Self> {
        let (sender, typed) = mpsc::channel(LINES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&waiting);
        std::thread::Builder::new().name("input".to_owned()).spawn(move || read(&sender, &counter))?;
        Ok(Self { typed, waiting })
    }

    /// Returns the next item, or `None` after the last line or if stdin cannot be read any more.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Typed> {
        let typed = self.typed.recv().await?;
        self.waiting.fetch_sub(typed.lines(), Ordering::Relaxed);
        Some(typed)
    }

    /// Waits up to `moment` for a line. Returns whether a line is available.
    pub async fn comes_within(&mut self, moment: Duration) -> bool {
        let more = async {
            while self.waiting() == 0 && !self.typed.is_closed() {
                sleep(LOOK).await;
            }
        };
        // A timeout and the end of input have the same result.
        drop(timeout(moment, more).await);
        self.waiting() > 0
    }

    /// Returns the number of lines that were read but not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Typed {
    /// Returns the number of lines that this item counts as. A blank line counts as 0, because it
    /// sends nothing.
    #[must_use]
    pub fn lines(&self) -> usize {
        usize::from(matches!(self, Self::Line(line) if !line.trim().is_empty()))
    }
}

fn read(sender: &mpsc::Sender<Typed>, waiting: &AtomicUsize) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    let mut stdin = io::stdin().lock();
    loop {
        let typed = match stdin.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(length) => lines.feed(&chunk[..length]),
        };
        waiting.fetch_add(typed.iter().map(Typed::lines).sum(), Ordering::Relaxed);
        for line in typed {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    }
    for line in lines.rest() {
        waiting.fetch_add(line.lines(), Ordering::Relaxed);
        // Ignore the error: the receiver is gone and wants no more lines.
        drop(sender.blocking_send(line));
    }
}

/// Splits bytes into lines, and splits a line longer than [`Limits::MESSAGE`] into pieces. So no
/// input can fill the memory.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    /// Whether a piece of the current line was already returned.
    continued: bool,
    /// Whether a line was split, and whether some input was not UTF-8. Each is reported once.
    cut: bool,
    no_text: bool,
}

impl Lines {
    /// Returns the lines and pieces that `bytes` complete.
    fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (mut text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            while self.partial.len() + text.len() > Limits::MESSAGE {
                let (fits, rest) = text.split_at(Limits::MESSAGE - self.partial.len());
                self.partial.extend_from_slice(fits);
                let whole = whole_characters(&self.partial);
                let tail = self.partial.split_off(whole);
                if !std::mem::replace(&mut self.cut, true) {
                    typed.push(Typed::Remark(CUT));
                }
                self.piece(&mut typed);
                self.continued = true;
                self.partial = tail;
                text = rest;
            }
            self.partial.extend_from_slice(text);
            if ends {
                if self.partial.last() == Some(&b'\r') {
                    self.partial.pop();
                }
                self.piece(&mut typed);
                self.continued = false;
            }
        }
        typed
    }

    /// Returns the last line if it has no line break at its end.
    fn rest(&mut self) -> Vec<Typed> {
        let mut typed = Vec::new();
        if !self.partial.is_empty() {
            self.piece(&mut typed);
        }
        typed
    }

    fn piece(&mut self, typed: &mut Vec<Typed>) {
        let text = String::from_utf8_lossy(&self.partial);
        // The text is owned only if a byte was replaced.
        if matches!(text, Cow::Owned(_)) && !std::mem::replace(&mut self.no_text, true) {
            typed.push(Typed::Remark(NO_TEXT));
        }
        let text = text.into_owned();
        self.partial.clear();
        typed.push(if self.continued { Typed::Continued(text) } else { Typed::Line(text) });
    }
}

/// Returns the length of `bytes` without an incomplete character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    // A character has at most four bytes, so an incomplete one begins among the last three.
    let tail = bytes.len().saturating_sub(3);
    for at in (tail..bytes.len()).rev() {
        let needs = match bytes[at] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if at + needs > bytes.len() { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(typed: &Typed) -> &str {
        match typed {
            Typed::Line(text) | Typed::Continued(text) => text,
            Typed::Remark(_) => "",
        }
    }

    #[test]
    fn lines_come_whole_however_they_are_read() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"he"), []);
        assert_eq!(lines.feed(b"llo\r\n\nwor"), [Typed::Line("hello".to_owned()), Typed::Line(String::new())]);
        assert_eq!(lines.rest(), [Typed::Line("wor".to_owned())]);
        assert_eq!(lines.rest(), []);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces_and_fills_nothing() {
        let mut lines = Lines::default();
        let mut pieces = Vec::new();
        for _ in 0..8 {
            pieces.extend(lines.feed(&vec![0; CHUNK]));
            assert!(lines.partial.len() <= Limits::MESSAGE && lines.partial.capacity() <= 2 * Limits::MESSAGE);
        }
        assert_eq!(pieces.remove(0), Typed::Remark(CUT));
        assert!(matches!(pieces[0], Typed::Line(_)));
        assert!(pieces[1..].iter().all(|piece| matches!(piece, Typed::Continued(_))), "it is remarked once");
        assert!(pieces.iter().all(|piece| text(piece).len() <= Limits::MESSAGE));
        lines.feed(b"\n");
        assert_eq!(lines.feed(b"next\n"), [Typed::Line("next".to_owned())]);
    }

    #[test]
    fn what_is_no_utf_8_is_replaced_and_remarked_once() {
        let line = Typed::Line("a\u{fffd}b".to_owned());
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"a\xffb\na\xffb\n"), [Typed::Remark(NO_TEXT), line.clone(), line]);
    }

    #[test]
    fn a_blank_line_says_nothing_and_does_not_count() {
        assert_eq!(["x", " ", ""].map(|line| Typed::Line(line.to_owned()).lines()), [1, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_character_is_cut(start in 0..8_usize, length in 16_000..40_000_usize, chunk in 1..70_000_usize) {
            let line = "x".repeat(start) + &"a é 学 👩".chars().cycle().take(length).collect::<String>();
            let mut lines = Lines::default();
            let mut typed: Vec<_> = line.as_bytes().chunks(chunk).flat_map(|chunk| lines.feed(chunk)).collect();
            typed.extend(lines.rest());
            prop_assert_eq!(typed.iter().map(text).collect::<String>(), line);
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..64), chunk in 1..8_usize) {
            let mut lines = Lines::default();
            for chunk in bytes.chunks(chunk) {
                lines.feed(chunk);
            }
            lines.rest();
        }
    }
}
