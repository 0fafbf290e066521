//! What differs between operating systems, and what people are told about its errors. The only
//! place with `cfg(unix)`.

mod descriptors;
mod editor;
mod lossy;
mod program;
mod signals;
mod terminal;

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub use self::descriptors::{open_descriptors, raise_descriptors};
pub use self::editor::Editor;
pub use self::lossy::{LAST_WORDS, LossyWriter, last_words};
pub use self::program::command;
pub use self::signals::Signals;
pub use self::terminal::{TerminalBytes, TerminalWaker, stay_raw};

/// Connections that the kernel keeps until they are accepted; more than its own limit counts as
/// that. A restart brings everybody back within a second, and whoever does not fit waits a second
/// for the next try.
const BACKLOG: u32 = 4096;

/// Binds a listening socket to the first of the addresses of `host` that can be had.
///
/// # Errors
/// Why the last of them could not be had.
pub async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host((host, port)).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a server which was just stopped can be started again. On Windows it would let two
    // have the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Writes as much of `bytes` as the socket takes at once, and returns how many bytes that was. They
/// leave with what is written next or with the end of the stream, which must be soon: with it they
/// are one segment instead of two.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when the socket takes nothing now, [`io::ErrorKind::Unsupported`]
/// but on Linux, and whatever else send(2) has.
pub fn send_before_end(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        use rustix::net::{SendFlags, send};
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        stream.try_io(tokio::io::Interest::WRITABLE, || Ok(send(stream, bytes, flags)?))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (stream, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Returns how long the machine has been up, or since some moment before the first call: a clock
/// that nobody sets. On Linux it counts what the machine slept; where it does not, a machine that
/// wakes seems to be one whose time of day was set ahead.
#[must_use]
pub fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }
    #[cfg(not(target_os = "linux"))]
    {
        static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        FIRST.get_or_init(std::time::Instant::now).elapsed()
    }
}

/// Returns what resolves with the number of the signal that asks the program to end: SIGHUP, and
/// whatever stops a service, on Unix, Ctrl-C as SIGINT elsewhere. From this call on they do not end
/// the program by themselves. Cancel-safe. An interrupt by the key of a terminal that an [`Editor`]
/// has is not among them.
///
/// What was started to outlive its terminal, as by `nohup`, is left alone by SIGHUP.
///
/// # Errors
/// When the signals cannot be watched.
pub fn end_requested() -> io::Result<impl Future<Output = u8> + Send> {
    let mut stops = Signals::stops()?;
    #[cfg(unix)]
    let mut hangups = if ignores_hangup() { None } else { Some(Signals::hangups()?) };
    #[cfg(not(unix))]
    let mut hangups = None::<Signals>;
    Ok(async move {
        let hung_up = async {
            match &mut hangups {
                Some(hangups) => hangups.number().await,
                None => std::future::pending().await,
            }
        };
        let stopped = async {
            loop {
                let number = stops.number().await;
                if !editor::is_for_editor(number) {
                    return number;
                }
            }
        };
        tokio::select! {
            number = stopped => number,
            number = hung_up => number,
        }
    })
}

/// Returns whether the program was started with SIGHUP ignored. Elsewhere than on Linux nobody
/// tells, and it counts as ignored where nobody is at a terminal.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    if cfg!(target_os = "linux") {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        // Bit 0 is signal 1.
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    } else {
        use std::io::IsTerminal as _;
        !io::stdin().is_terminal()
    }
}

/// Tells when the terminal on stdin is gone, also where the leader of its session lives on, so that
/// no SIGHUP comes: what reads keys may not notice. On Linux; elsewhere it tells nothing.
#[derive(Debug)]
pub struct TerminalWatch {
    #[cfg(target_os = "linux")]
    stdin: Option<tokio::net::unix::pipe::Receiver>,
}

impl TerminalWatch {
    /// Starts to watch; where it cannot be watched, nothing is ever told. It wants a runtime of
    /// tokio.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsFd as _;
            use tokio::net::unix::pipe::Receiver;
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            // Unchecked, because it is no pipe, and the check makes it non-blocking; nothing is
            // read here.
            Self { stdin: stdin.and_then(Receiver::from_owned_fd_unchecked).ok() }
        }
        #[cfg(not(target_os = "linux"))]
        Self {}
    }

    /// Resolves when the terminal is gone. Cancel-safe.
    pub async fn gone(&self) {
        #[cfg(target_os = "linux")]
        if let Some(stdin) = &self.stdin
            && stdin.ready(tokio::io::Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Default for TerminalWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells when the program goes on after it was stopped, by whomever.
#[derive(Debug)]
pub struct Continued {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Continued {
    /// Starts to watch: for SIGCONT on Unix, for nothing elsewhere.
    ///
    /// # Errors
    /// When the signal cannot be watched.
    pub fn watch() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { signal: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Resolves when the program has gone on. Cancel-safe.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Stops the program and what it was started with, as Ctrl-Z does where a terminal is not in raw
/// mode; resolves when it goes on. Where nobody could make it go on, or there is no such thing, it
/// does not stop.
pub async fn suspend() {
    #[cfg(unix)]
    {
        let Ok(mut continued) = Continued::watch() else { return };
        if rustix::process::kill_current_process_group(rustix::process::Signal::TSTP).is_ok() {
            // A process group that has no shell is never stopped, and then never goes on.
            drop(tokio::time::timeout(std::time::Duration::from_millis(200), continued.next()).await);
        }
    }
}

/// Watches whether anybody can still read what is written to stdout, so that a program in a pipe
/// ends when the next one has, and not only when it writes again.
#[derive(Debug)]
pub struct StdoutWatch {
    #[cfg(target_os = "linux")]
    stdout: Option<tokio::net::unix::pipe::Sender>,
}

impl StdoutWatch {
    /// Returns the watch; where stdout is nothing that can be watched, such as a file, it never
    /// sees anything.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsFd as _;
            use tokio::net::unix::pipe::Sender;
            let stdout = io::stdout().as_fd().try_clone_to_owned();
            // Unchecked, because the check makes stdout non-blocking, for whoever else has it too;
            // nothing is written here.
            Self { stdout: stdout.and_then(Sender::from_owned_fd_unchecked).ok() }
        }
        #[cfg(not(target_os = "linux"))]
        Self {}
    }

    /// Resolves when nobody can read stdout any more. Cancel-safe.
    pub async fn reader_gone(&self) {
        #[cfg(target_os = "linux")]
        if let Some(stdout) = &self.stdout
            && stdout.ready(tokio::io::Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Default for StdoutWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens the file at `path` to read and write, and creates it where there is none, so that only its
/// owner may read it (mode 0600 on Unix). What is in it stays, and so does the mode of a file that
/// is there.
///
/// # Errors
/// When it cannot be opened or created.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates the directory at `path`, and those above it, where there are none; what is created only
/// its owner may enter (mode 0700 on Unix).
///
/// # Errors
/// When it cannot be created.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates the directory at `path`, which only its owner may enter (mode 0700 on Unix).
///
/// # Errors
/// When it cannot be created, or there is something of that name.
pub fn create_new_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Returns what went wrong in words: lower case, without the system's number.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error ").next().unwrap_or_default();
    let mut chars = words.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_lower_case_and_has_no_number() {
        let refused = io::Error::from_raw_os_error(if cfg!(target_os = "linux") { 111 } else { 61 });
        assert_eq!(reason(&refused), "connection refused");
    }
}
