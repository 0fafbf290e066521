//! The bytes of the terminal on stdin.

use std::{io, time::Duration};

/// What is typed, byte by byte as the terminal sends it; nothing between it and us has an opinion
/// on what a key is.
#[derive(Debug)]
pub struct TerminalBytes {
    #[cfg(unix)]
    woken: io::PipeReader,
}

/// Ends the reading of a [`TerminalBytes`] when it is dropped.
#[derive(Debug)]
pub struct TerminalWaker {
    #[cfg(unix)]
    _wakes: io::PipeWriter,
}

impl TerminalBytes {
    /// Returns the bytes of the terminal on stdin, and what ends their reading; nothing where
    /// terminals send no bytes, as on Windows.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn open() -> io::Result<Option<(Self, TerminalWaker)>> {
        #[cfg(unix)]
        {
            let (woken, wakes) = io::pipe()?;
            Ok(Some((Self { woken }, TerminalWaker { _wakes: wakes })))
        }
        #[cfg(not(unix))]
        Ok(None)
    }

    /// Waits for bytes, for so long at the most, and takes as many of them as there are and fit;
    /// returns how many, none when none came. It blocks.
    ///
    /// # Errors
    /// When the terminal is gone or cannot be read, and when the reading was ended.
    pub fn read(&mut self, bytes: &mut [u8], patience: Option<Duration>) -> io::Result<usize> {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let stdin = rustix::stdio::stdin();
            let mut watched = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
            let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
            match poll(&mut watched, patience.as_ref()) {
                Err(rustix::io::Errno::INTR) | Ok(0) => return Ok(0),
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            let (terminal, woken) = (watched[0].revents(), watched[1].revents());
            if !woken.is_empty() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if terminal.is_empty() {
                return Ok(0);
            }
            match rustix::io::read(stdin, bytes) {
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(0),
                Ok(0) if !terminal.contains(PollFlags::IN) => Err(io::ErrorKind::UnexpectedEof.into()),
                // Nobody has the terminal in raw mode just now.
                Ok(length) => Ok(length),
                Err(error) => Err(error.into()),
            }
        }
        #[cfg(not(unix))]
        {
            let _ = (bytes, patience);
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

/// Puts the terminal on stdin into raw mode again, in one step: a shell may have taken it out of
/// raw mode. Between two steps a key would be changed by the terminal, as Enter to Ctrl-J. Does
/// nothing on Windows.
///
/// # Errors
/// When stdin is not a terminal, or its mode cannot be set.
pub fn stay_raw() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let stdin = rustix::stdio::stdin();
        let mut mode = tcgetattr(stdin)?;
        mode.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &mode)?;
    }
    Ok(())
}
