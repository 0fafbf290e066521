//! Typing while messages arrive: a line editor at the foot of the terminal, and the chat above it.
//!
//! The terminal is put back as it was found when the task ends, however it ends.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
};

use rustyline_async::{Readline, ReadlineError, ReadlineEvent, SharedWriter};
use tokio::sync::{mpsc, oneshot};

use super::{
    Error,
    input::Typed,
    output::{BLOCKS, Output},
    view::Block,
};
use crate::os;

/// Lines that were typed, or pasted, and wait to be taken; past it no more keys are read.
const TYPED: usize = 1000;

/// What one redraw shows at the most, in bytes, before the last block.
const GATHERED: usize = 64 * 1024;

/// Takes over the terminal: what is typed comes out of the channel, what is written stands above the line being typed.
///
/// # Errors
/// When the terminal cannot be put into raw mode.
pub fn start() -> Result<(Output, mpsc::Receiver<Typed>), Error> {
    let (mut readline, writer) = Readline::new("> ".to_owned()).map_err(failed)?;
    // The line comes back as an echo, with its time and in its place.
    readline.should_print_line_on(false, false);
    let (blocks, blocks_in) = mpsc::channel(BLOCKS);
    let (typed_out, typed) = mpsc::channel(1);
    let (ended_out, ended) = oneshot::channel();
    let terminal = Terminal { readline, writer, waiting: VecDeque::new(), reading: true };
    tokio::spawn(async move {
        let result = terminal.run(blocks_in, typed_out).await;
        // Nobody waits any more for what is on the screen.
        drop(ended_out.send(result.map_err(failed)));
    });
    Ok((Output::to(blocks, ended), typed))
}

struct Terminal {
    readline: Readline,
    writer: SharedWriter,
    /// What was typed and not taken yet: whoever takes it may at the same time be waiting for us to write.
    waiting: VecDeque<Typed>,
    reading: bool,
}

impl Terminal {
    async fn run(mut self, mut blocks: mpsc::Receiver<Block>, typed: mpsc::Sender<Typed>) -> Result<(), ReadlineError> {
        loop {
            let reading = self.reading && self.waiting.len() < TYPED;
            tokio::select! {
                biased;
                slot = typed.reserve(), if !self.waiting.is_empty() => match (slot, self.waiting.pop_front()) {
                    (Ok(slot), Some(line)) => slot.send(line),
                    _ => self.reading = false,
                },
                // Before more is written: readline also takes what was written out of its own queue, which has an end.
                event = self.readline.readline(), if reading => self.typed(event?),
                block = blocks.recv() => match block {
                    Some(block) => self.show(block.text, &mut blocks, reading)?,
                    None => return self.readline.flush(),
                }
            }
        }
    }

    fn typed(&mut self, event: ReadlineEvent) {
        self.waiting.push_back(match event {
            ReadlineEvent::Line(line) => {
                self.readline.add_history_entry(line.clone());
                Typed::Line(line)
            }
            ReadlineEvent::Eof => {
                self.reading = false;
                Typed::Ended
            }
            ReadlineEvent::Interrupted => Typed::Stop,
        });
    }

    /// Writes `text` and everything that waits beside it in one go, so that a burst redraws the prompt once.
    fn show(
        &mut self,
        mut text: String,
        blocks: &mut mpsc::Receiver<Block>,
        reading: bool,
    ) -> Result<(), ReadlineError> {
        while text.len() < GATHERED
            && let Ok(block) = blocks.try_recv()
        {
            text.push_str(&block.text);
        }
        self.writer.write_all(text.as_bytes())?;
        if reading { Ok(()) } else { self.readline.flush() }
    }
}

fn failed(error: ReadlineError) -> Error {
    match error {
        // A terminal that is gone is the end of the chat, as a closed pipe is.
        ReadlineError::IO(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            Error::Terminal("it is gone".to_owned())
        }
        ReadlineError::IO(error) => Error::Terminal(os::reason(&error)),
        ReadlineError::Closed => Error::Task("the line editor"),
    }
}
