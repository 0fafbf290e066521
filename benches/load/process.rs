//! The measured process: start, resource usage, and stop.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread::JoinHandle,
    time::Duration,
};

use crate::Outcome;

/// Clock ticks a second in `/proc` (`USER_HZ`): 100 on every Linux.
const TICKS: u64 = 100;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our server with its store in memory.
    Memory,
    /// Our server with its store on disk.
    Disk,
    Limit,
    Textbook,
    Bun,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "ours, in memory",
            Self::Disk => "ours, on disk",
            Self::Limit => "practical limit",
            Self::Textbook => "textbook",
            Self::Bun => "Bun's publish",
        }
    }
}

/// The cores that a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    /// Only the first; the generator has the others.
    One,
    All,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    /// The thread that reads its output.
    reader: Option<JoinHandle<()>>,
    /// The directory of its store.
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server; `SERVER` in the environment names another build of ours to measure.
    pub(crate) fn start(kind: Kind, cores: Cores) -> Outcome<Self> {
        let folder = tempfile::TempDir::new()?;
        place_generator(cores)?;
        let theirs = if cores == Cores::One { "0".to_owned() } else { format!("0-{}", *LAST_CORE) };
        let mut words = ["taskset", "-c", &theirs].map(String::from).to_vec();
        let own = std::env::current_exe()?;
        let own = own.to_string_lossy().into_owned();
        match kind {
            Kind::Memory | Kind::Disk => {
                words.push(std::env::var("SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_server").to_owned()));
                let flags = "--listen 127.0.0.1:0 --rate 0 --max-connections 0 --max-per-address 0 --log warn --db";
                words.extend(flags.split(' ').map(String::from));
                let file = folder.path().join("chat.db").to_string_lossy().into_owned();
                words.push(if kind == Kind::Disk { file } else { ":memory:".to_owned() });
            }
            Kind::Limit => words.extend([own, "serve".to_owned(), "limit".to_owned()]),
            Kind::Textbook => words.extend([own, "serve".to_owned(), "textbook".to_owned()]),
            Kind::Bun => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load/reference/bun.js");
                words.extend(["bun".to_owned(), script.to_string_lossy().into_owned()]);
            }
        }
        let mut command = Command::new(&words[0]);
        // An environment variable instead of a flag: an earlier build of ours does not know the
        // flag.
        command.env("CHAT_CONNECT_RATE", "0");
        let mut child = command.args(&words[1..]).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().ok_or("the server said nothing")??;
        let address = first.rsplit("ws://").next().ok_or("no address")?.parse()?;
        // Read and discard the rest, so that the server never waits for us.
        let reader = Some(std::thread::spawn(move || lines.for_each(drop)));
        Ok(Self { kind, address, child, reader, _folder: folder })
    }

    /// Returns whether this kind can be started here.
    pub(crate) fn is_here(kind: Kind) -> bool {
        kind != Kind::Bun
            || Command::new("bun").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }

    /// Returns the CPU time of all threads since the start, in user and kernel mode; exact to 10
    /// ms.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        cpu_of(self.child.id())
    }

    /// Returns the resident memory, in bytes.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        resident_of(self.child.id())
    }

    /// Returns the peak resident memory, in bytes.
    pub(crate) fn most_resident(&self) -> Outcome<u64> {
        status(self.child.id(), "VmHWM:")
    }
}

/// Places the generator on the cores that a server with one core does not use. By default the
/// kernel puts a woken thread beside the thread that wakes it, and each write of the server then
/// makes it wait for the generator.
pub(crate) fn place_generator(cores: Cores) -> Outcome<()> {
    let last = *LAST_CORE;
    let first = if cores == Cores::One { last.min(1) } else { 0 };
    let own = std::process::id().to_string();
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--pid", "--cpu-list", &format!("{first}-{last}"), &own]).stdout(Stdio::null());
    if command.status()?.success() { Ok(()) } else { Err("taskset could not place the generator".into()) }
}

/// Read before the generator is placed: later it would only count the generator's cores.
static LAST_CORE: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(0, |all| all.get() - 1));

impl Drop for Server {
    fn drop(&mut self) {
        // The process is gone in either case.
        self.child.kill().ok();
        self.child.wait().ok();
        // `taskset` places all threads of the generator at once, and none may end meanwhile.
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

/// Returns the CPU time that a process has used.
pub(crate) fn cpu_of(process: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may contain anything.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS))
}

/// Returns the resident memory of a process, in bytes.
pub(crate) fn resident_of(process: u32) -> Outcome<u64> {
    status(process, "VmRSS:")
}

fn status(process: u32, field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("the kernel does not say")?;
    let kilobytes: u64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
