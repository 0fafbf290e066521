//! Typing while messages arrive: the line being typed in the last row of the terminal, and the chat above it.
//!
//! The terminal is put back as it was found when the task ends, however it ends.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
};

use crossterm::{
    event::{Event, EventStream, KeyCode, KeyEvent, KeyModifiers},
    terminal::{disable_raw_mode, enable_raw_mode, size},
};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};

use super::{
    Error,
    editor::{Editor, Outcome},
    input::Typed,
    output::{BLOCKS, Output},
    view::Block,
};
use crate::os;

/// Lines that were typed, or pasted, and wait to be taken; past it no more keys are read.
const TYPED: usize = 1000;

/// What one redraw shows at the most, in bytes, before the last block.
const GATHERED: usize = 64 * 1024;

/// To the beginning of the row, and everything from there on gone.
const CLEAR: &str = "\r\u{1b}[J";

/// A row that turns out wider than we think is cut by the terminal instead of being wrapped into another.
const WRAP_OFF: &str = "\u{1b}[?7l";
const WRAP_ON: &str = "\u{1b}[?7h";

/// What stands before the line, and what does where its beginning is out of sight.
const PROMPT: &str = "> ";
const SCROLLED: &str = "… ";

/// Takes over the terminal: what is typed comes out of the channel, what is written stands above the line being typed.
///
/// # Errors
/// When the terminal cannot be put into raw mode.
pub fn start() -> Result<(Output, mpsc::Receiver<Typed>), Error> {
    let failed = |error: io::Error| Error::Terminal(os::reason(&error));
    let raw = RawMode::enter().map_err(failed)?;
    let (blocks, blocks_in) = mpsc::channel(BLOCKS);
    let (typed_out, typed) = mpsc::channel(1);
    let (ended_out, ended) = oneshot::channel();
    let terminal = Terminal {
        _raw: raw,
        events: EventStream::new(),
        editor: Editor::default(),
        columns: usable(size().map_or(0, |(columns, _)| columns)),
        waiting: VecDeque::new(),
        reading: true,
    };
    tokio::spawn(async move {
        let result = terminal.run(blocks_in, typed_out).await.map_err(failed);
        // Nobody waits any more for what is on the screen.
        drop(ended_out.send(result));
    });
    Ok((Output::to(blocks, ended), typed))
}

struct Terminal {
    _raw: RawMode,
    events: EventStream,
    editor: Editor,
    columns: u16,
    /// What was entered and not taken yet: whoever takes it may at the same time be waiting for us to write.
    waiting: VecDeque<Typed>,
    reading: bool,
}

impl Terminal {
    async fn run(mut self, mut blocks: mpsc::Receiver<Block>, typed: mpsc::Sender<Typed>) -> io::Result<()> {
        self.draw("")?;
        loop {
            tokio::select! {
                slot = typed.reserve(), if !self.waiting.is_empty() => match (slot, self.waiting.pop_front()) {
                    (Ok(slot), Some(line)) => slot.send(line),
                    _ => self.reading = false,
                },
                event = self.events.next(), if self.reading && self.waiting.len() < TYPED => {
                    self.event(event.transpose()?.as_ref());
                    self.draw("")?;
                }
                block = blocks.recv() => match block {
                    Some(block) => self.show(block.text, &mut blocks)?,
                    None => return write(CLEAR),
                }
            }
        }
    }

    fn event(&mut self, event: Option<&Event>) {
        match event {
            Some(Event::Key(key)) => self.waiting.extend(typed(&mut self.editor, *key)),
            Some(Event::Resize(columns, _)) => self.columns = usable(*columns),
            Some(_) => {}
            None => self.waiting.push_back(Typed::Ended),
        }
        self.reading = self.waiting.back() != Some(&Typed::Ended);
    }

    /// Shows `text` and everything that waits beside it in one go, so that a burst draws the row once.
    fn show(&mut self, mut text: String, blocks: &mut mpsc::Receiver<Block>) -> io::Result<()> {
        while text.len() < GATHERED
            && let Ok(block) = blocks.try_recv()
        {
            text.push_str(&block.text);
        }
        self.draw(&text)
    }

    /// Draws `text` where the row was, and the row below it.
    fn draw(&self, text: &str) -> io::Result<()> {
        let text = text.replace('\n', "\r\n");
        if !self.reading {
            return write(&format!("{CLEAR}{text}"));
        }
        let layout = self.editor.layout(self.columns.saturating_sub(3), 1);
        let row = format!("{}{}", if layout.above == 0 { PROMPT } else { SCROLLED }, layout.rows.concat());
        let column = PROMPT.len() + usize::from(layout.cursor.0);
        write(&format!("{CLEAR}{text}{WRAP_OFF}{row}\r\u{1b}[{column}C{WRAP_ON}"))
    }
}

/// Gives `key` to the editor; returns what was entered, if anything was.
fn typed(editor: &mut Editor, key: KeyEvent) -> Option<Typed> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    // A line break inside a paste comes as Ctrl-J.
    let enters = control && key.code == KeyCode::Char('j');
    match editor.key(if enters { KeyCode::Enter.into() } else { key }) {
        Outcome::Submit(line) => Some(Typed::Line(line)),
        Outcome::Ignored if control && key.code == KeyCode::Char('c') => Some(Typed::Stop),
        Outcome::Ignored if control && key.code == KeyCode::Char('d') => Some(Typed::Ended),
        _ => None,
    }
}

/// Some terminals say that they have no columns; they are then as wide as the oldest ones.
fn usable(columns: u16) -> u16 {
    if columns == 0 { 80 } else { columns }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Raw mode, for as long as this lives.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nobody to tell, and nothing else to try.
        drop(disable_raw_mode());
    }
}
