//! What is shown leaves here: a channel with a thread behind it, so that a terminal or a pipe that takes nothing for a while does
//! not keep the connection from living.

use std::io::{self, Write};

use tokio::sync::{mpsc, oneshot};

use super::{Error, view::Block};
use crate::os::{self, StdoutWatch};

/// Blocks that wait to be written; past it, whoever writes waits.
const BLOCKS: usize = 64;

/// What one write gathers at the most, in bytes, before the last block.
const GATHERED: usize = 64 * 1024;

/// Where blocks go.
#[derive(Debug)]
pub struct Output {
    blocks: mpsc::Sender<Block>,
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
        Ok(Self { blocks, ended, told: false, watch })
    }

    /// Gives `block` to be written; it is dropped when the output has ended.
    pub async fn write(&self, block: Block) {
        // An ended output says why by `ended`.
        drop(self.blocks.send(block).await);
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
