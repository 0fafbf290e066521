//! Fifty clients chat, reconnect, search, page, rename, join and leave on a server that is killed
//! once a minute. Then the benchmark compares what everybody saw with the file, and the server's
//! resources at the beginning with those at the end.
//!
//! `cargo bench --bench soak -- [--quick] [--minutes N] [--seed N]`. It takes an hour, or a minute
//! with `--quick`. It fails if a message was lost, duplicated, reordered or rejected, or if memory
//! or descriptors have grown.
#![expect(clippy::print_stdout, reason = "the report is the product")]

mod ledger;
mod person;
mod program;
mod server;

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Parser;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use self::{
    ledger::Ledger,
    person::Person,
    program::Program,
    server::{Server, Usage},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Clients that implement the protocol themselves, and instances of our own client in a pipe.
const PEOPLE: usize = 46;
const PROGRAMS: usize = 4;

/// Their rooms: some are busier than others.
const ROOMS: [&str; 4] = ["lobby", "lobby", "rust", "tea"];

/// How long everybody may take to finish.
const ENDING: Duration = Duration::from_mins(1);

/// Descriptors that a server opens once it has work: its threads open the database at their first
/// read.
const OPENED_LATER: u64 = 8;

/// The limit for the server's memory and descriptors at the end, in percent of those before.
const GROWTH_PERCENT: u64 = 125;

/// Run clients for an hour on a server that is killed once a minute, and check what they saw.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run for one minute, with a kill every ten seconds
    #[arg(long)]
    quick: bool,
    /// How long the clients chat
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u64,
    /// Repeat the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The task of all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Chat,
    /// Send nothing more, wait for the last echo, and read to the end.
    Finish,
}

/// State that all clients share.
#[derive(Debug, Clone)]
struct World {
    address: std::net::SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    phase: watch::Receiver<Phase>,
}

impl World {
    /// Runs a function on the ledger.
    fn note<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        note(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> Outcome<()> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let (length, life) = if arguments.quick { (60, 10.0) } else { (60 * arguments.minutes, 60.0) };
    println!("{length} s, {PEOPLE} people and {PROGRAMS} programs, a kill every {life} s; repeat with --seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let folder = tempfile::TempDir::new()?;
    let mut server = Server::start(folder.path()).await?;
    let empty = server.usage()?;

    let (phase, of_all) = watch::channel(Phase::Chat);
    let world = World { address: server.address, ledger: Arc::default(), phase: of_all };
    let mut clients = JoinSet::new();
    for number in 0..PEOPLE {
        let person = Person::new(number, ROOMS[number % ROOMS.len()], world.clone(), rng.fork());
        clients.spawn(person.run());
    }
    for number in 0..PROGRAMS {
        let program = Program::start(number, ROOMS[number % ROOMS.len()], world.clone(), folder.path())?;
        clients.spawn(program.run());
    }

    let (end, mut lives) = (Instant::now() + Duration::from_secs(length), Vec::new());
    loop {
        // Avoid a fixed phase: the server may do something once a minute, too.
        sleep(Duration::from_secs_f64(life * (0.8 + 0.4 * rng.f64()))).await;
        let usage = server.usage()?;
        let known = world.note(|ledger| ledger.summary());
        println!("{usage}; {known}");
        lives.push(usage);
        if Instant::now() >= end || world.note(|ledger| ledger.has_failed()) {
            break;
        }
        server.kill_and_restart(folder.path()).await?;
    }

    phase.send_replace(Phase::Finish);
    if timeout(ENDING, async { while clients.join_next().await.is_some() {} }).await.is_err() {
        world.note(|ledger| ledger.fault(format!("some had not come to an end after {} s", ENDING.as_secs())));
    }
    let left = server.usage_when_empty(empty.descriptors + OPENED_LATER).await?;
    server.stop().await?;
    let ledger = std::mem::take(&mut *world.ledger.lock().unwrap_or_else(PoisonError::into_inner));
    let (checked, mut faults) = ledger.check(&folder.path().join("chat.db"))?;
    println!("{checked}");
    println!("everybody has left: {left}");
    faults.extend(growth(&lives));
    if left.descriptors > empty.descriptors + OPENED_LATER {
        faults.push(format!("descriptors: {} at the start, {} when all had left", empty.descriptors, left.descriptors));
    }
    if faults.is_empty() {
        println!("nothing was lost, doubled or reordered");
        return Ok(());
    }
    for fault in &faults {
        println!("FAULT: {fault}");
    }
    Err(format!("{} faults; repeat with --seed {seed}", faults.len()).into())
}

/// Compares the server's resources in the third quarter of its runs with those in the last. Before
/// that, the file is small, and the caches of the database (16 MB for the thread that writes, 2 MB
/// for each that reads) are not full.
fn growth(lives: &[Usage]) -> Option<String> {
    let quarter = Some(lives.len() / 4).filter(|quarter| *quarter >= 2)?;
    let (first, last) = lives[lives.len() - 2 * quarter..].split_at(quarter);
    let grew = |what: &str, of: fn(&Usage) -> u64| {
        let median = |lives: &[Usage]| {
            let mut values: Vec<_> = lives.iter().map(of).collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        let (before, after) = (median(first), median(last));
        println!("{what}: median of the third quarter of lives {before}, of the last {after}");
        (after > before * GROWTH_PERCENT / 100).then(|| format!("{what} grew from {before} to {after}"))
    };
    grew("resident bytes", |usage| usage.resident).or_else(|| grew("descriptors", |usage| usage.descriptors))
}
