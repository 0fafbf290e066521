//! The server program: arguments, the listening socket, signals, and the only place that prints an
//! error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fs,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use broadcast_chat::{
    os::{self, LossyWriter, Signals},
    protocol::{Hex, Limits, host::HostPort, when},
    server::{self, AllowedOrigin, Config, Fit},
    store::{Keep, OpenError, Salvaged, Store},
};
use clap::{CommandFactory as _, Parser, error::ErrorKind};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, level_filters::LevelFilter, warn};
use tracing_subscriber::EnvFilter;

/// The log targets: the library and this program.
const TARGETS: [&str; 2] = ["broadcast_chat", "server"];

/// The `--db` value that is not a file.
const MEMORY: &str = ":memory:";

/// A chat server: one port for terminals, programs and browsers.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// Address to listen on, HOST:PORT; port 0 selects a free one
    #[arg(long, value_name = "ADDR", env = "CHAT_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: Listen,
    /// History file, created if missing; :memory: keeps history only until the server stops
    /// [default: chat.db in the platform's data directory]
    #[arg(long, value_name = "PATH", env = "CHAT_DB")]
    db: Option<PathBuf>,
    /// Copy what is readable of a damaged file into the new file of --db, and exit; stop its server
    /// first
    #[arg(long, value_name = "FILE", requires = "db")]
    salvage: Option<PathBuf>,
    /// How long messages are kept, such as 90d, 12h or 1y, at least 1h; for ever by default
    #[arg(long, value_name = "AGE", env = "CHAT_KEEP", value_parser = age)]
    keep: Option<Duration>,
    /// How many messages are kept, over all rooms; those of the last ten minutes are always kept; 0
    /// for all
    #[arg(long, value_name = "N", env = "CHAT_KEEP_MESSAGES")]
    keep_messages: Option<u64>,
    /// Maximum number of connections; 0 for no limit
    #[arg(long, value_name = "N", env = "CHAT_MAX_CONNECTIONS", default_value_t = Limits::CONNECTIONS)]
    max_connections: u32,
    /// Maximum number of connections from one address (an IPv6 /64 is one); 0 for no limit
    #[arg(long, value_name = "N", env = "CHAT_MAX_PER_ADDRESS", default_value_t = Limits::PER_ADDRESS)]
    max_per_address: u32,
    /// New connections a second from one address, with a burst of 20 seconds' worth; further ones
    /// are rejected; 0 for no limit
    #[arg(long, value_name = "N", env = "CHAT_CONNECT_RATE", default_value_t = Limits::CONNECT_RATE)]
    connect_rate: u32,
    /// Messages a second from one connection; further ones wait; 0 for no limit
    #[arg(long, value_name = "N", env = "CHAT_RATE", default_value_t = Limits::RATE)]
    rate: u32,
    /// Messages at once from one connection before --rate applies; 0 for no limit
    #[arg(long, value_name = "N", env = "CHAT_BURST", default_value_t = Limits::BURST)]
    burst: u32,
    /// Let web pages of this origin connect, such as `https://chat.example`; * for all; repeat it,
    /// or separate several with commas
    #[arg(long, value_name = "ORIGIN", env = "CHAT_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// Log level on stderr: error, warn, info, debug, trace, or a filter such as
    /// `broadcast_chat=debug`
    #[arg(long, value_name = "FILTER", env = "CHAT_LOG", default_value = "info", value_parser = filter)]
    log: String,
}

/// The address to listen on.
#[derive(Debug, Clone)]
struct Listen {
    /// In the form that the resolver accepts.
    host: String,
    port: u16,
    /// As the user typed it.
    typed: String,
}

fn address(text: &str) -> Result<Listen, String> {
    let expected = "expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080";
    let read = HostPort::read(text).map_err(|error| format!("{error}; {expected}"))?;
    let port = read.port.ok_or_else(|| {
        let host = if read.host.contains(':') { format!("[{}]", read.resolvable()) } else { read.host.clone() };
        format!("the port is missing: {host}:8080")
    })?;
    Ok(Listen { host: read.resolvable(), port, typed: text.to_owned() })
}

/// The minimum of `--keep`. People still read messages that are younger.
const SHORTEST_KEEP: Duration = Duration::from_hours(1);

impl Arguments {
    /// Returns how much history is kept. As for every other limit here, 0 means no limit.
    fn keep(&self) -> Keep {
        Keep { age: self.keep, messages: self.keep_messages.filter(|most| *most > 0) }
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let words =
        "expected a length of time of 1h or more, such as 90d, 12h or 1y; without --keep messages are kept for ever";
    when::length(text).filter(|length| *length >= SHORTEST_KEEP).ok_or_else(|| words.to_owned())
}

/// Parses a log filter. Rejects a target that is not ours: `--log nonsense` would turn the log off.
fn filter(text: &str) -> Result<String, String> {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_target = |text: &str| {
        let name = text.split(['[', ':']).next().unwrap_or_default();
        TARGETS.contains(&name)
    };
    for part in text.split(',') {
        let (target, level) = match part.rsplit_once('=') {
            Some((target, level)) => (Some(target), Some(level)),
            None if is_level(part) => (None, Some(part)),
            None => (Some(part), None),
        };
        if !target.is_none_or(is_target) || !level.is_none_or(is_level) {
            return Err(format!(
                "nothing is logged as {part:?}; expected off, error, warn, info, debug or trace, or with a part of the server, such \
                 as {ours}=debug or {ours}::server::hub=trace, and commas between several",
                ours = TARGETS[0],
            ));
        }
    }
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.salvage.is_some() && arguments.db.as_deref() == Some(Path::new(MEMORY)) {
        let message = format!("--salvage saves in a file, and --db {MEMORY} is none");
        Arguments::command().bin_name(env!("CARGO_BIN_NAME")).error(ErrorKind::ArgumentConflict, message).exit();
    }
    // The chat continues even if nobody reads stderr or writing to it fails.
    let stderr = match LossyWriter::to(io::stderr()) {
        Ok(stderr) => stderr,
        Err(error) => {
            drop(writeln!(io::stderr(), "error: cannot start a thread: {}", os::reason(&error)));
            return ExitCode::FAILURE;
        }
    };
    let panics = stderr.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let trace = Backtrace::capture();
        let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
        panics.clone().write_all(format!("{panic}{trace}\n").as_bytes()).ok();
    }));
    let ended = run(arguments, stderr.clone());
    if let Err(failure) = &ended {
        stderr.clone().write_all(failure.lines().as_bytes()).ok();
    }
    stderr.finish(os::LAST_WORDS);
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[tokio::main]
async fn run(arguments: Arguments, stderr: LossyWriter) -> Result<(), Failure> {
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&arguments.log))
        .with_writer(move || stderr.clone())
        .with_ansi(ansi)
        .log_internal_errors(false)
        .init();
    // Run the server in a task. The future that `main` awaits runs on its own thread, so every new
    // connection would be handed to another thread.
    let ended = tokio::spawn(serve(arguments)).await;
    ended.unwrap_or_else(|error| Err(format!("the server has failed: {error}").into()))
}

/// An error in the form that is printed.
struct Failure {
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    fn lines(&self) -> String {
        let Self { message, hint } = self;
        let hint = hint.map_or(String::new(), |hint| format!("  hint: {hint}\n"));
        format!("error: {message}\n{hint}")
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Failure> {
    if let (Some(from), Some(to)) = (&arguments.salvage, &arguments.db) {
        return salvage(from, to);
    }
    let no_signals = |error: io::Error| format!("cannot watch for signals: {}", os::reason(&error));
    let mut hangups = Signals::hangups().map_err(no_signals)?;
    let _heard = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let name = hangups.next().await;
            info!("{name} changes nothing: there is no file to read or open again");
        }
    }));
    let files = os::raise_descriptors();
    let listen = &arguments.listen;
    let listener = os::listen(&listen.host, listen.port).await.map_err(|error| cannot_listen(&listen.typed, &error))?;
    let bound = listener.local_addr().map_err(|error| cannot_listen(&listen.typed, &error))?;
    let (log, place) = open_log(arguments.db.clone(), arguments.keep())?;
    let stored = log.count().await.map_err(|error| format!("cannot read the message database: {error}"))?;
    let mut config = Config {
        max_connections: arguments.max_connections,
        max_per_address: arguments.max_per_address,
        connect_rate: arguments.connect_rate,
        refusals: Limits::REFUSALS,
        rate: arguments.rate,
        burst: arguments.burst,
        allow_origins: arguments.allow_origin,
    };
    if let Some(limit) = files {
        let wanted = config.max_connections;
        // The store is already open, so its files are counted.
        match config.fit(limit.saturating_sub(os::open_descriptors())) {
            Fit::All => {}
            Fit::Fewer => {
                let fit = config.max_connections;
                warn!(
                    "only {fit} connections fit, not {wanted} (--max-connections): the system lets the server open {limit} \
                     files (ulimit -n, LimitNOFILE)"
                );
            }
            Fit::TooFew => {
                return Err(Failure {
                    message: format!("the system lets the server open {limit} files, too few for its connections"),
                    hint: Some("each connection is an open file; raise the limit: ulimit -n 1024, or LimitNOFILE=1024"),
                });
            }
        }
    }
    let mut stops = Signals::stops().map_err(no_signals)?;
    let stop = async move {
        let name = stops.next().await;
        info!("{name} has come");
    };
    if !bound.ip().to_canonical().is_loopback() {
        warn!("{bound} is open to the network, without encryption or passwords: whoever reaches it can read and write");
    }
    announce(bound, &place, stored);
    let served = server::serve(listener, config, log.clone(), stop).await;
    log.close().await;
    served.map_err(|error| error.to_string().into())
}

/// Opens the store, and returns it with a description of its location.
fn open_log(path: Option<PathBuf>, keep: Keep) -> Result<(Store, String), Failure> {
    if path.as_deref() == Some(Path::new(MEMORY)) {
        let mut epoch = [0; 8];
        getrandom::fill(&mut epoch).map_err(|error| format!("the system gives no random numbers: {error}"))?;
        return Ok((Store::memory(Hex(epoch)), "in memory, until the server stops".to_owned()));
    }
    let path = path.or_else(Store::default_path).ok_or_else(|| Failure {
        message: "there is no home directory to keep history in".to_owned(),
        hint: Some("say where: --db PATH, or keep nothing: --db :memory:"),
    })?;
    let log = Store::open(&path, keep).map_err(|error| Failure { message: error.to_string(), hint: error.hint() })?;
    Ok((log, format!("in {}", path.display())))
}

/// Copies what is readable of a damaged file to a new one, and prints how much that was. Fails if
/// there is nothing.
fn salvage(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: OpenError| Failure { message: error.to_string(), hint: error.salvage_hint() };
    let is_new = !to.exists();
    let salvaged = Store::salvage(from, to);
    if is_new && !salvaged.as_ref().is_ok_and(|salvaged| salvaged.messages > 0) {
        // The file has no messages and would prevent another attempt.
        drop(fs::remove_file(to));
    }
    let Salvaged { messages, holes } = salvaged.map_err(failed)?;
    if messages == 0 {
        let message = format!("no message of {} can be read", from.display());
        return Err(Failure { message, hint: Some("restore a backup") });
    }
    let (messages, holes) = (counted(messages, "message"), counted(holes, "place"));
    let words = format!("{messages} saved in {}; at {holes} messages could not be read", to.display());
    drop(writeln!(io::stdout(), "{words}"));
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn cannot_listen(address: &str, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            Some("is a server running already? stop it, or choose another port: --listen 127.0.0.1:8081")
        }
        io::ErrorKind::PermissionDenied => Some("ports below 1024 need root; try --listen 127.0.0.1:8080"),
        io::ErrorKind::AddrNotAvailable => Some("this machine does not have that address; 0.0.0.0 is all it has"),
        _ => None,
    };
    Failure { message: format!("cannot listen on {address}: {}", os::reason(error)), hint }
}

/// Prints where the server listens and how to join. Scripts read the first line.
fn announce(bound: SocketAddr, place: &str, stored: u64) {
    let join = if bound.to_string() == "127.0.0.1:8080" {
        String::new()
    } else {
        let ip = match bound {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        format!("ws://{ip}:{}", bound.port())
    };
    let messages = counted(stored, "message");
    let join = os::command("client", &join);
    let words = format!("listening on ws://{bound}\njoin with: {join}\nhistory is {place}: {messages}\n");
    // The chat continues even if the reader is gone or blocked.
    drop(LossyWriter::to(io::stdout()).and_then(|mut stdout| stdout.write_all(words.as_bytes())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(arguments: &[&str]) -> Option<Keep> {
        Arguments::try_parse_from([&["server"], arguments].concat()).ok().map(|arguments| arguments.keep())
    }

    #[test]
    fn no_number_deletes_everything() {
        assert_eq!(keep(&[]), Some(Keep::default()));
        assert_eq!(keep(&["--keep-messages", "0"]), Some(Keep::default()), "0 is no cap, as it is everywhere");
        assert_eq!(keep(&["--keep-messages", "3"]), Some(Keep { age: None, messages: Some(3) }));
        for age in ["0", "0d", "0s", "-1d", "1ms", "59m", "90"] {
            assert_eq!(keep(&["--keep", age]), None, "{age}");
        }
        assert_eq!(keep(&["--keep", "1h"]), Some(Keep { age: Some(Duration::from_hours(1)), messages: None }));
    }
}
