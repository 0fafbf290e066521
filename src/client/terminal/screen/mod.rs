//! The terminal as a whole screen: taken over, drawn on, and given back as it was found, however
//! the program ends.
//!
//! Frames leave through a thread, so that a terminal that takes nothing for a while does not keep
//! the connections from living. A frame is what differs from the one before it; so the next is
//! drawn only when that one has been written.

mod canvas;
pub mod osc;
mod reader;
pub mod terminal;

use std::{
    io::{self, Write as _},
    panic,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossterm::{
    cursor::Show,
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    queue,
    style::ResetColor,
    terminal::{
        DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode, size,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
};
use tokio::{sync::mpsc, time::timeout};

use self::terminal::Keyboard;
pub use self::{
    canvas::Canvas,
    reader::{Reader, Reading},
};
use crate::client::Error;
use crate::{
    client::{
        picture::{Picture, bears_links},
        terminal::keys::Answer,
    },
    os,
};

/// How long a terminal may take for the frame that is under way when the program ends or is
/// suspended.
const PATIENCE: Duration = Duration::from_secs(1);

/// The title is put aside on the way in and put back on the way out (xterm's window operations 22
/// and 23).
const KEEP_TITLE: &str = "\u{1b}[22;2t";
const TITLE_BACK: &str = "\u{1b}[23;2t";

/// On the alternate screen terminals send arrows for the wheel where they are told to (xterm's mode
/// 1007): so it scrolls, and the mouse still selects.
const KEEP_WHEEL: &str = "\u{1b}[?1007s";
const WHEEL_SENDS_ARROWS: &str = "\u{1b}[?1007h";
/// On, which it is by default in most terminals, and then as it was found, where the terminal has
/// kept that.
const WHEEL_BACK: &str = "\u{1b}[?1007h\u{1b}[?1007r";

/// Whether the terminal is ours; what a panic has to know.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// How the terminal tells keys while it is ours; a panic has to know that, too.
static KEYBOARD: Mutex<Keyboard> = Mutex::new(Keyboard::Plain);

/// The screen of the terminal, ours for as long as this lives.
#[derive(Debug)]
pub struct Screen {
    canvas: Canvas,
    frames: mpsc::Sender<Vec<u8>>,
    written: mpsc::Receiver<io::Result<()>>,
    /// Whether a frame is under way.
    busy: bool,
    /// Whether somebody else has the terminal.
    lent: bool,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it cannot be put into raw mode, or no thread can be started.
    pub fn enter() -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Terminal(os::reason(&error));
        restore_on_panic();
        let (frames, frames_in) = mpsc::channel(1);
        let (written_out, written) = mpsc::channel(1);
        thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || write_frames(frames_in, &written_out))
            .map_err(failed)?;
        let (width, height) = size().unwrap_or_default();
        let variable = |name| std::env::var(name).unwrap_or_default();
        let links = bears_links(&variable("TERM"), !variable("TMUX").is_empty(), &variable("VTE_VERSION"));
        let canvas = Canvas::new(Size { width, height }).with_links(links);
        let screen = Self { canvas, frames, written, busy: false, lent: false };
        take().map_err(failed)?;
        Ok(screen)
    }

    /// Returns whether a frame can be drawn now: the one before it has been written.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.busy && !self.lent
    }

    /// Returns what to write to a terminal that gave this `answer`, so that it tells keys as well
    /// as it can.
    #[must_use]
    pub fn heard(&self, answer: &Answer) -> &'static [u8] {
        let mut keyboard = KEYBOARD.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(better) = terminal::keyboard(answer, *keyboard).filter(|_| TAKEN.load(Ordering::SeqCst)) else {
            return b"";
        };
        *keyboard = better;
        better.taking(true)
    }

    /// Draws the next frame, with `extras` written before it, such as a bell; nothing is written
    /// where nothing has changed.
    pub fn draw(&mut self, extras: &[u8], draw: impl FnOnce(Rect, &mut Buffer) -> Picture) {
        let mut bytes = extras.to_vec();
        bytes.extend(self.canvas.paint(draw));
        if !bytes.is_empty() {
            // There is room for one, and none is under way; an ended thread says why by `written`.
            self.busy = self.frames.try_send(bytes).is_ok();
        }
    }

    /// Resolves when the frame under way has been written. Cancel-safe.
    ///
    /// # Errors
    /// When it could not be.
    pub async fn written(&mut self) -> Result<(), Error> {
        let result = self.written.recv().await;
        self.busy = false;
        match result {
            Some(result) => result.map_err(|error| Error::Output(os::reason(&error))),
            None => Err(Error::Task("the screen")),
        }
    }

    /// Takes note of the terminal's size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.canvas.resize(Size { width, height });
    }

    /// Draws everything anew next time, whatever is on the screen.
    pub fn forget(&mut self) {
        self.canvas.forget();
    }

    /// Gives the terminal back, stops the program as Ctrl-Z does, and takes the terminal again when
    /// it goes on.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub async fn suspend(&mut self) -> Result<(), Error> {
        self.settle().await;
        self.give_back();
        os::suspend().await;
        self.resume()
    }

    /// Gives the terminal back, so that another program may have it, and draws nothing until
    /// [`Self::resume`].
    pub async fn lend(&mut self) {
        self.settle().await;
        self.give_back();
        self.lent = true;
    }

    /// Returns whether another program has the terminal.
    #[must_use]
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// Takes the terminal again after the program was stopped, or another program had it: whoever
    /// had it meanwhile may have left it otherwise.
    ///
    /// # Errors
    /// When it cannot be taken.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.lent = false;
        take().map_err(|error| Error::Terminal(os::reason(&error)))?;
        let (width, height) = size().unwrap_or_default();
        self.canvas.resize(Size { width, height });
        Ok(())
    }

    /// Gives the terminal back as it was found, after the frame that is under way.
    pub async fn leave(mut self) {
        self.settle().await;
    }

    async fn settle(&mut self) {
        if self.busy {
            // What cannot be written by now is not needed any more.
            drop(timeout(PATIENCE, self.written()).await);
        }
    }

    fn give_back(&self) {
        // A terminal that still takes nothing would not take its restoring either, and nobody could
        // end the program.
        give_back(!self.busy);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn write_frames(mut frames: mpsc::Receiver<Vec<u8>>, written: &mpsc::Sender<io::Result<()>>) {
    while let Some(frame) = frames.blocking_recv() {
        let mut stdout = io::stdout().lock();
        let result = stdout.write_all(&frame).and_then(|()| stdout.flush());
        drop(stdout);
        if written.blocking_send(result).is_err() {
            return;
        }
    }
}

fn take() -> io::Result<()> {
    // It keeps the mode that was found, and does nothing when it has been called before.
    enable_raw_mode()?;
    os::stay_raw()?;
    write(&taking(!TAKEN.swap(true, Ordering::SeqCst))?)
}

/// Returns what makes the terminal ours; what was found is kept only when it is not ours already.
fn taking(keeps: bool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if keeps {
        bytes.extend_from_slice(KEEP_TITLE.as_bytes());
        bytes.extend_from_slice(KEEP_WHEEL.as_bytes());
    }
    bytes.extend_from_slice(WHEEL_SENDS_ARROWS.as_bytes());
    queue!(bytes, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, DisableLineWrap)?;
    // Each screen of a terminal has a keyboard of its own.
    bytes.extend_from_slice(keyboard().taking(keeps));
    Ok(bytes)
}

/// Gives the terminal back, once; of the screen only what needs no writing, unless it `listens`.
fn give_back(listens: bool) {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // There is nobody to tell, and nothing else to try.
    if listens {
        drop(write(&restoring()));
    }
    drop(disable_raw_mode());
}

fn keyboard() -> Keyboard {
    *KEYBOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn restoring() -> Vec<u8> {
    let mut bytes = keyboard().returning().to_vec();
    // Cannot fail: a Vec takes everything.
    drop(queue!(
        bytes,
        EndSynchronizedUpdate,
        ResetColor,
        EnableLineWrap,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    ));
    bytes.extend_from_slice(WHEEL_BACK.as_bytes());
    bytes.extend_from_slice(TITLE_BACK.as_bytes());
    bytes
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Sees to it that the words of a panic are read on a terminal that has been given back. A panic of
/// a task that somebody awaits is told by whoever does, so its words do not go over the screen.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let owner = thread::current().id();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == owner {
                give_back(true);
            }
            if !TAKEN.load(Ordering::SeqCst) {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_wheel_sends_arrows_while_the_terminal_is_ours() {
        let modes = |bytes: Vec<u8>| {
            let text = text(bytes);
            let modes = text.split('\u{1b}').filter_map(|sequence| sequence.strip_prefix("[?1007"));
            modes.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(modes(taking(true).unwrap()), ["s", "h"]);
        assert_eq!(modes(taking(false).unwrap()), ["h"], "what was found is not forgotten for what is ours");
        assert_eq!(modes(restoring()), ["h", "r"]);
    }

    #[test]
    fn the_keyboard_is_asked_for_on_our_screen_and_given_back_before_it_is_left() {
        for (mine, asks, keeps_on, returns) in [
            (Keyboard::Plain, "", "", ""),
            (Keyboard::Kitty, "\u{1b}[>5u", "\u{1b}[=5u", "\u{1b}[<u"),
            (Keyboard::Xterm, "\u{1b}[>4;1m\u{1b}[m", "\u{1b}[>4;1m\u{1b}[m", "\u{1b}[>4m\u{1b}[m"),
        ] {
            *KEYBOARD.lock().unwrap() = mine;
            assert!(text(taking(true).unwrap()).ends_with(asks));
            assert!(text(taking(false).unwrap()).ends_with(keeps_on));
            assert!(text(restoring()).starts_with(returns));
        }
        *KEYBOARD.lock().unwrap() = Keyboard::Plain;
    }
}
