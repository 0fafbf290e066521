//! Writes the output on a separate thread behind a channel. So a terminal or a pipe that accepts no
//! data for a while does not block the connection.

use std::io::{self, Write};

use tokio::sync::{mpsc, oneshot};

use super::{Error, view::Block};
use crate::os::{self, StdoutWatch};

/// The capacity of the queue of blocks. When it is full, the sender waits. Together with
/// [`GATHERED`] it limits the memory that a slow reader can make us hold.
const BLOCKS: usize = 32;

/// The size, in bytes, at which a block or a write is complete. A block exceeds it by at most its
/// last lines, and a write by at most its last block.
const GATHERED: usize = 64 * 1024;

/// The queue of blocks to write.
#[derive(Debug)]
pub struct Output {
    blocks: mpsc::Sender<Block>,
    /// The text that was not passed to the thread yet. Waking the thread for each line would cost
    /// more than the line.
    gathered: Block,
    ended: oneshot::Receiver<Result<(), Error>>,
    /// Whether the end was already reported.
    told: bool,
    /// Closed when the thread has ended. Text for stderr is written up to then, even if nobody
    /// reads stdout.
    done: oneshot::Receiver<()>,
    watch: Option<StdoutWatch>,
}

impl Output {
    /// Starts to write to stdout. If stdout is not a terminal, asides go to stderr.
    ///
    /// # Errors
    /// Returns an error if no thread can be started.
    pub fn to_stdout(is_terminal: bool) -> io::Result<Self> {
        let (blocks, blocks_in) = mpsc::channel(BLOCKS);
        let (ended_out, ended) = oneshot::channel();
        let (done_out, done) = oneshot::channel();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            let mut ended_out = Some(ended_out);
            let end = |result| {
                // If the receiver is gone, nobody waits for this result.
                drop(ended_out.take().map(|ended_out| ended_out.send(result)));
            };
            write_all(blocks_in, is_terminal, &mut io::stdout().lock(), &mut io::stderr().lock(), end);
            drop(done_out);
        })?;
        let watch = (!is_terminal).then(StdoutWatch::new);
        Ok(Self { blocks, gathered: Block::default(), ended, told: false, done, watch })
    }

    /// Adds `block` to the output. It is passed to the thread by the next [`Self::flush`], or
    /// earlier if much text is waiting. It is dropped if the output has ended, or if this future is
    /// dropped.
    pub async fn write(&mut self, block: Block) {
        if self.gathered.aside != block.aside {
            self.flush().await;
        }
        if self.gathered.text.is_empty() {
            self.gathered = block;
        } else {
            self.gathered.text.push_str(&block.text);
        }
        if self.gathered.text.len() >= GATHERED {
            self.flush().await;
        }
    }

    /// Passes all waiting text to the thread. Cancel-safe.
    pub async fn flush(&mut self) {
        if self.gathered.text.is_empty() {
            return;
        }
        // If the output has ended, `ended` reports the reason.
        let slot = self.blocks.reserve().await;
        let block = std::mem::take(&mut self.gathered);
        if let Ok(slot) = slot {
            slot.send(block);
        }
    }

    /// Resolves when nothing can be written any more: with `Ok` if the reader is gone. Cancel-safe.
    ///
    /// # Errors
    /// Returns an error if a write failed for another reason.
    pub async fn ended(&mut self) -> Result<(), Error> {
        let Self { ended, told, watch, .. } = self;
        if *told {
            return Ok(());
        }
        let unread = async {
            match watch {
                Some(watch) => watch.reader_gone().await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            result = ended => result.unwrap_or(Err(Error::Task("the output"))),
            () = unread => Ok(()),
        };
        *told = true;
        result
    }

    /// Resolves when everything is written or nothing can be written any more.
    ///
    /// # Errors
    /// Returns an error if a write failed.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.flush().await;
        let (closed, _) = mpsc::channel(1);
        self.blocks = closed;
        let result = self.ended().await;
        // The thread closes this channel without a value.
        drop(self.done.await);
        result
    }
}

/// Writes the blocks from the channel. Calls `end` with the result of stdout when writing fails,
/// and when the channel is closed.
fn write_all(
    mut blocks: mpsc::Receiver<Block>,
    is_terminal: bool,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
    mut end: impl FnMut(Result<(), Error>),
) {
    let mut is_open = true;
    let mut write = |text: &str, aside: bool| {
        if aside {
            // Ignore the error: the user who closed stderr does not want messages there.
            drop(stderr.write_all(text.as_bytes()));
        } else if is_open && let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            is_open = false;
            let is_unread = error.kind() == io::ErrorKind::BrokenPipe;
            end(if is_unread { Ok(()) } else { Err(Error::Output(os::reason(&error))) });
        }
    };
    while let Some(first) = blocks.blocking_recv() {
        let mut aside = first.aside && !is_terminal;
        let mut text = first.text;
        while text.len() < GATHERED
            && let Ok(block) = blocks.try_recv()
        {
            if (block.aside && !is_terminal) != aside {
                write(&text, aside);
                text.clear();
                aside = !aside;
            }
            text.push_str(&block.text);
        }
        write(&text, aside);
    }
    end(Ok(()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(texts: &[(&str, bool)]) -> mpsc::Receiver<Block> {
        let (sender, receiver) = mpsc::channel(BLOCKS);
        for &(text, aside) in texts {
            sender.try_send(Block { text: text.to_owned(), aside }).unwrap();
        }
        receiver
    }

    fn output(blocks: mpsc::Sender<Block>) -> Output {
        let ((_, ended), (_, done)) = (oneshot::channel(), oneshot::channel());
        Output { blocks, gathered: Block::default(), ended, told: false, done, watch: None }
    }

    #[tokio::test]
    async fn lines_leave_together_and_in_their_order() {
        let (blocks, mut blocks_in) = mpsc::channel(BLOCKS);
        let mut output = output(blocks);
        for (text, aside) in [("a\n", false), ("b\n", false), ("x\n", true), ("c\n", false)] {
            output.write(Block { text: text.to_owned(), aside }).await;
        }
        output.flush().await;
        output.flush().await;
        let large = "y".repeat(GATHERED);
        output.write(Block { text: large.clone(), aside: false }).await;
        let sent: Vec<_> =
            std::iter::from_fn(|| blocks_in.try_recv().ok()).map(|block| (block.text, block.aside)).collect();
        let expected = [("a\nb\n", false), ("x\n", true), ("c\n", false), (large.as_str(), false)];
        assert_eq!(sent, expected.map(|(text, aside)| (text.to_owned(), aside)));
    }

    #[tokio::test]
    async fn what_waits_for_room_is_not_lost_with_whoever_waits() {
        let (blocks, mut blocks_in) = mpsc::channel(1);
        let mut output = output(blocks);
        for text in ["a\n", "b\n"] {
            output.write(Block { text: text.to_owned(), aside: false }).await;
            // The channel is full the second time.
            tokio::select! {
                biased;
                () = output.flush() => {}
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(blocks_in.recv().await.map(|block| block.text).as_deref(), Some("a\n"));
        output.flush().await;
        assert_eq!(blocks_in.recv().await.map(|block| block.text).as_deref(), Some("b\n"));
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn asides_go_to_stderr_only_off_a_terminal() {
        let texts = [("a\n", false), ("x\n", true), ("y\n", true), ("b\n", false)];
        for (is_terminal, out, err) in [(false, "a\nb\n", "x\ny\n"), (true, "a\nx\ny\nb\n", "")] {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            write_all(blocks(&texts), is_terminal, &mut stdout, &mut stderr, |result| result.unwrap());
            assert_eq!((stdout.as_slice(), stderr.as_slice()), (out.as_bytes(), err.as_bytes()));
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one_and_asides_are_still_written() {
        let texts = [("x\n", true), ("a\n", false), ("b\n", false), ("y\n", true)];
        for (kind, told) in [
            (io::ErrorKind::BrokenPipe, None),
            (io::ErrorKind::StorageFull, Some("cannot write the output: no storage space")),
        ] {
            let (mut stderr, mut ended) = (Vec::new(), Vec::new());
            write_all(blocks(&texts), false, &mut Failing(kind), &mut stderr, |result| ended.push(result));
            let words = ended.swap_remove(0).err().map(|error| error.to_string());
            assert_eq!((words.as_deref(), stderr.as_slice()), (told, b"x\ny\n".as_slice()));
        }
        let texts = [("x\n", true), ("a\n", false)];
        let mut stdout = Vec::new();
        write_all(blocks(&texts), false, &mut stdout, &mut Failing(io::ErrorKind::Other), |result| result.unwrap());
        assert_eq!(stdout, b"a\n", "a stderr that nobody reads ends nothing");
    }
}
