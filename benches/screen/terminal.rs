//! A terminal with the client in it, and an observer of its screen.

use std::{
    io::{Read as _, Write},
    num::NonZeroU16,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::{Outcome, SIZE};

/// The timeout of every step.
const DEADLINE: Duration = Duration::from_secs(10);

/// The client in a terminal. Dropping it kills it.
pub(crate) struct Terminal {
    shown: Arc<(Mutex<vt100::Parser>, Condvar)>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    /// The directories of its settings and its state.
    _home: tempfile::TempDir,
}

impl Terminal {
    pub(crate) fn start(arguments: &[&str]) -> Outcome<Self> {
        let home = tempfile::TempDir::new()?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_client"));
        command.args(arguments);
        for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.env("HOME", home.path());
        command.env("TERM", "xterm-256color");
        let (columns, rows) = SIZE;
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|error| error.to_string())?;
        let child = pair.slave.spawn_command(command).map_err(|error| error.to_string())?;
        let writer = pair.master.take_writer().map_err(|error| error.to_string())?;
        let mut reader = pair.master.try_clone_reader().map_err(|error| error.to_string())?;
        let length = |side| NonZeroU16::new(side).ok_or("a screen has a size");
        let screen = vt100::Parser::new(length(rows)?, length(columns)?, 0);
        let shown = Arc::new((Mutex::new(screen), Condvar::new()));
        let watched = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            // On Linux, reading a pseudo-terminal whose program has ended returns an error.
            while let Ok(length @ 1..) = reader.read(&mut chunk) {
                watched.0.lock().unwrap_or_else(PoisonError::into_inner).process(&chunk[..length]);
                watched.1.notify_all();
            }
        });
        Ok(Self { shown, writer, child, _master: pair.master, _home: home })
    }

    pub(crate) fn id(&self) -> Outcome<u32> {
        Ok(self.child.process_id().ok_or("the client has ended")?)
    }

    /// Types keys, and returns how long it takes until the row with the cursor is `row`.
    pub(crate) fn press(&mut self, keys: &str, row: &str) -> Outcome<Duration> {
        let begin = Instant::now();
        self.writer.write_all(keys.as_bytes())?;
        self.writer.flush()?;
        self.wait(row, |screen| {
            let (_, columns) = screen.size();
            let typed = screen.rows(0, columns.get()).nth(usize::from(screen.cursor_position().0));
            typed.is_some_and(|typed| typed.trim_end() == row)
        })?;
        Ok(begin.elapsed())
    }

    /// Waits until `text` is on the screen.
    pub(crate) fn shows(&self, text: &str) -> Outcome<()> {
        self.wait(text, |screen| screen.contents().contains(text))
    }

    fn wait(&self, what: &str, is_it: impl Fn(&vt100::Screen) -> bool) -> Outcome<()> {
        let shown = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.shown.1.wait_timeout_while(shown, DEADLINE, |parser| !is_it(parser.screen()));
        let (parser, result) = waiting.unwrap_or_else(PoisonError::into_inner);
        if result.timed_out() {
            return Err(format!("waited for {what:?}, and the screen is:\n{}", parser.screen().contents()).into());
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
