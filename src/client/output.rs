//! What is shown leaves here: a channel with a thread behind it, so that a terminal or a pipe that takes nothing for a while does
//! not keep the connection from living.

use std::io::{self, Write};

use tokio::sync::{mpsc, oneshot};

use super::{Error, view::Block};
use crate::os::{self, StdoutWatch};

/// Blocks that wait to be written; past it, whoever writes waits. With [`GATHERED`] it bounds what a slow reader makes us hold.
const BLOCKS: usize = 32;

/// What one block gathers at the most, in bytes, before the last lines, and one write before the last block.
const GATHERED: usize = 64 * 1024;

/// Where blocks go.
#[derive(Debug)]
pub struct Output {
    blocks: mpsc::Sender<Block>,
    /// What is to be given to the thread: to wake it for each line would cost more than the line.
    gathered: Block,
    ended: oneshot::Receiver<Result<(), Error>>,
    /// Whether the end has been told.
    told: bool,
    watch: Option<StdoutWatch>,
}

impl Output {
    /// Starts to write to stdout, and asides to stderr where stdout is no terminal.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn to_stdout(is_terminal: bool) -> io::Result<Self> {
        let (blocks, blocks_in) = mpsc::channel(BLOCKS);
        let (ended_out, ended) = oneshot::channel();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            let result = write_all(blocks_in, is_terminal, &mut io::stdout().lock(), &mut io::stderr().lock());
            // Nobody waits any more for what nobody reads.
            drop(ended_out.send(result));
        })?;
        let watch = (!is_terminal).then(StdoutWatch::new);
        Ok(Self { blocks, gathered: Block::default(), ended, told: false, watch })
    }

    /// Gives `block` to be written, at the next [`Self::flush`] or where much has gathered before; it is dropped when the output
    /// has ended, or with this future.
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

    /// Has everything written that was given. Cancel-safe.
    pub async fn flush(&mut self) {
        if self.gathered.text.is_empty() {
            return;
        }
        // An ended output says why by `ended`.
        let slot = self.blocks.reserve().await;
        let block = std::mem::take(&mut self.gathered);
        if let Ok(slot) = slot {
            slot.send(block);
        }
    }

    /// Resolves when nothing can be written any more: with `Ok` when nobody reads it. Cancel-safe.
    ///
    /// # Errors
    /// When writing failed otherwise.
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

    /// Resolves when everything is written, or cannot be.
    ///
    /// # Errors
    /// When writing failed.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.flush().await;
        let (closed, _) = mpsc::channel(1);
        self.blocks = closed;
        self.ended().await
    }
}

fn write_all(
    mut blocks: mpsc::Receiver<Block>,
    is_terminal: bool,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> Result<(), Error> {
    while let Some(first) = blocks.blocking_recv() {
        let mut aside = first.aside && !is_terminal;
        let mut text = first.text;
        while text.len() < GATHERED
            && let Ok(block) = blocks.try_recv()
        {
            if (block.aside && !is_terminal) != aside {
                if !write(&text, aside, stdout, stderr)? {
                    return Ok(());
                }
                text.clear();
                aside = !aside;
            }
            text.push_str(&block.text);
        }
        if !write(&text, aside, stdout, stderr)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns whether anybody still reads stdout.
fn write(text: &str, aside: bool, stdout: &mut impl Write, stderr: &mut impl Write) -> Result<bool, Error> {
    if aside {
        // Whoever closed stderr does not want to be told.
        drop(stderr.write_all(text.as_bytes()));
        return Ok(true);
    }
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::Output(os::reason(&error))),
    }
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

    #[tokio::test]
    async fn lines_leave_together_and_in_their_order() {
        let (blocks, mut blocks_in) = mpsc::channel(BLOCKS);
        let (_ended, ended) = oneshot::channel();
        let mut output = Output { blocks, gathered: Block::default(), ended, told: false, watch: None };
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
        let (_ended, ended) = oneshot::channel();
        let mut output = Output { blocks, gathered: Block::default(), ended, told: false, watch: None };
        for text in ["a\n", "b\n"] {
            output.write(Block { text: text.to_owned(), aside: false }).await;
            // The second time there is no room.
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
            write_all(blocks(&texts), is_terminal, &mut stdout, &mut stderr).unwrap();
            assert_eq!((stdout.as_slice(), stderr.as_slice()), (out.as_bytes(), err.as_bytes()));
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
        let mut stderr = Failing(io::ErrorKind::Other);
        let texts = [("x\n", true), ("a\n", false)];
        assert!(write_all(blocks(&texts), false, &mut Failing(io::ErrorKind::BrokenPipe), &mut stderr).is_ok());
        let full = write_all(blocks(&texts), false, &mut Failing(io::ErrorKind::StorageFull), &mut stderr);
        assert_eq!(full.unwrap_err().to_string(), "cannot write the output: no storage space");
    }
}
