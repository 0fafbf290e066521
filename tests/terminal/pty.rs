//! A pseudo-terminal with a program in it. A test can type into it and read its screen.

use std::{
    io::{Read as _, Write},
    num::NonZeroU16,
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::watch;

use super::support::{DEADLINE, folder::Folder};

/// A terminal. Dropping it kills the program in it.
pub(crate) struct Pty {
    screen: Arc<Mutex<vt100::Parser>>,
    /// Everything the program has written.
    bytes: Arc<Mutex<Vec<u8>>>,
    /// How many bytes the program has written.
    written: watch::Receiver<usize>,
    writer: Box<dyn Write + Send>,
    master: Option<Box<dyn MasterPty + Send>>,
    /// Whether to close the terminal as soon as the program writes something.
    closing: Arc<AtomicBool>,
    child: Box<dyn Child + Send + Sync>,
    home: Arc<Folder>,
}

impl Pty {
    /// Returns a terminal that runs our client.
    pub(crate) fn client(columns: u16, rows: u16, arguments: &[&str]) -> Self {
        let mut command = vec![env!("CARGO_BIN_EXE_client")];
        command.extend(arguments);
        Self::start(columns, rows, &command)
    }

    /// Returns a terminal that runs `command`, without the settings of the user who runs the tests.
    pub(crate) fn start(columns: u16, rows: u16, command: &[&str]) -> Self {
        Self::start_in(Arc::new(Folder::new()), columns, rows, command)
    }

    /// Returns the program's home directory, in which another program can be started later.
    pub(crate) fn home(&self) -> Arc<Folder> {
        Arc::clone(&self.home)
    }

    /// Does the same as [`Self::start`], with an existing home directory.
    pub(crate) fn start_in(home: Arc<Folder>, columns: u16, rows: u16, command: &[&str]) -> Self {
        let mut builder = CommandBuilder::new(command[0]);
        builder.args(&command[1..]);
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            let is_ours = ["CHAT_", "XDG_"].iter().any(|ours| name.starts_with(ours));
            if is_ours || ["NO_COLOR", "COLORTERM", "COLORFGBG"].contains(&name.as_ref()) {
                builder.env_remove(&variable);
            }
        }
        builder.env("TERM", "xterm-256color");
        builder.env("LC_ALL", "C.UTF-8");
        builder.env("HOME", home.file("."));
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let child = pair.slave.spawn_command(builder).expect("start the program");
        let writer = pair.master.take_writer().expect("write to the terminal");
        let mut reader = pair.master.try_clone_reader().expect("read from the terminal");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(rows), side(columns), 0)));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (count, written) = watch::channel(0);
        let (shown, log) = (Arc::clone(&screen), Arc::clone(&bytes));
        let closing = Arc::new(AtomicBool::new(false));
        let closes = Arc::clone(&closing);
        std::thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            // On Linux, reading a pseudo-terminal whose program has ended returns an error.
            while let Ok(length @ 1..) = reader.read(&mut chunk) {
                log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&chunk[..length]);
                count.send_modify(|count| *count += length);
                if closes.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { screen, bytes, written, writer, master: Some(pair.master), closing, child, home }
    }

    /// Types `bytes`.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).and_then(|()| self.writer.flush()).expect("type");
    }

    /// Returns the rows of the screen.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.look(rows)
    }

    /// Returns the result of `look` on the screen.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }

    /// Waits until `is_it` is true for the screen.
    ///
    /// # Panics
    /// Panics after the deadline, and prints the screen.
    pub(crate) async fn wait(&mut self, what: &str, is_it: impl Fn(&vt100::Screen) -> bool) {
        let waiting = async {
            while !self.look(&is_it) {
                // A program that has ended writes no more; the deadline reports it.
                if self.written.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            let screen = self.rows().join("\n");
            panic!("waited {} s for {what}, and the screen is:\n{screen}", DEADLINE.as_secs());
        }
    }

    /// Returns how often the program has written `bytes`.
    pub(crate) fn count(&self, bytes: &str) -> usize {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).matches(bytes).count()
    }

    /// Waits until the program has written `bytes` that many times.
    pub(crate) async fn writes(&mut self, bytes: &str, times: usize) {
        let log = Arc::clone(&self.bytes);
        let count =
            move || String::from_utf8_lossy(&log.lock().unwrap_or_else(PoisonError::into_inner)).matches(bytes).count();
        self.wait(&format!("{bytes:?} to be written {times} times"), |_| count() >= times).await;
    }

    /// Waits until `text` is on the screen.
    pub(crate) async fn shows(&mut self, text: &str) {
        self.wait(&format!("{text:?}"), |screen| rows(screen).join("\n").contains(text)).await;
    }

    /// Waits until the row with the cursor is `text`.
    pub(crate) async fn typed(&mut self, text: &str) {
        self.wait(&format!("{text:?} to be the text being typed"), |screen| {
            rows(screen).get(usize::from(screen.cursor_position().0)).is_some_and(|row| row == text)
        })
        .await;
    }

    /// Closes the terminal while the program runs.
    ///
    /// # Panics
    /// Panics if the program does not draw what is typed.
    pub(crate) async fn hang_up(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // The program draws something new, which wakes the thread that reads it.
        self.write("x");
        let reader_ends = async { while self.written.changed().await.is_ok() {} };
        tokio::time::timeout(DEADLINE, reader_ends).await.expect("the program draws what is typed");
        self.writer = Box::new(std::io::sink());
        self.master = None;
    }

    /// Resizes the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen_mut().set_size(side(rows), side(columns));
        let master = self.master.as_ref().expect("the terminal is there");
        master.resize(size(columns, rows)).expect("resize the terminal");
    }

    /// Sends the signal with this name to the program.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("the program runs");
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(status.is_ok_and(|status| status.success()), "signal {name}");
    }

    /// Waits until the program has ended, and returns the exit code.
    ///
    /// # Panics
    /// Panics if it does not end.
    pub(crate) async fn exit(&mut self) -> u32 {
        let mut killer = self.child.clone_killer();
        let child = &mut self.child;
        let waiting = async {
            loop {
                if let Some(status) = child.try_wait().expect("wait for the program") {
                    return status.exit_code();
                }
                tokio::task::yield_now().await;
            }
        };
        let Ok(code) = tokio::time::timeout(DEADLINE, waiting).await else {
            drop(killer.kill());
            panic!("waited {} s for the program to end", DEADLINE.as_secs());
        };
        code
    }

    /// Waits until the program has ended and has restored the terminal, and returns the exit code.
    ///
    /// # Panics
    /// Panics if the terminal is not restored.
    pub(crate) async fn ended(&mut self) -> u32 {
        let code = self.exit().await;
        self.wait("the terminal to be given back", |screen| {
            !(screen.alternate_screen() || screen.bracketed_paste() || screen.hide_cursor())
        })
        .await;
        #[cfg(unix)]
        {
            let modes = self
                .master
                .as_ref()
                .and_then(|master| master.get_termios())
                .map(|modes| format!("{:?}", modes.local_flags))
                .unwrap_or_default();
            assert!(modes.contains("ICANON") && modes.contains("ECHO"), "the terminal is still in raw mode: {modes}");
        }
        code
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the rows of `screen` without trailing blanks.
fn rows(screen: &vt100::Screen) -> Vec<String> {
    let columns = screen.size().1.get();
    screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn side(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).expect("a screen has a size")
}
