//! The whole chat in a simulated network: the real server and real clients. Connections part, stall
//! and break, and the server crashes. At the end everybody has seen the same lines, each once and
//! in order.
//!
//! The store survives a crash as a disk does: an append that returned is there. All random choices
//! come from a seed. Only the order in which `select!` polls its branches does not, unless tokio is
//! built with `--cfg tokio_unstable`.

mod network;
mod person;
#[path = "../support/mod.rs"]
mod support;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use broadcast_chat::{
    protocol::{Hex, Limits, Message, MessageId, RoomName},
    server::{self, Config},
    store::Store,
};
use network::{Fuse, Listener};
use person::Person;
use support::seed::{Chance, seeds};

/// The host name of the server.
const SERVER: &str = "server";

const NAMES: [&str; 4] = ["ada", "bob", "eve", "joe"];

/// One step of the simulation. Within a step, only a [`Fuse`] interrupts a host.
const TICK: Duration = Duration::from_millis(10);

/// The longest latency of a message when the network works.
const LATENCY: Duration = Duration::from_millis(50);

/// How long everybody may need to become quiet once the network works again: the longest backoff of
/// a client, and the time to detect a dead connection.
const QUIET: Duration = Duration::from_mins(3);

/// A fault, with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing passes between a client and the server, and data in flight is lost.
    Partition(usize),
    /// Nothing passes in one direction; `true` is towards the server.
    OneWay(usize, bool),
    /// Everything is held, and arrives when the link is released.
    Hold(usize),
    /// The client's connection is reset after this many bytes, even if that is in the middle of a
    /// frame.
    Reset(usize, usize),
    /// The network is slow.
    Slow,
    /// The server's process dies; its operating system closes the connections.
    Crash,
    /// The server's process dies after it has sent this many more bytes: between two clients, or
    /// inside a frame.
    CrashInside(usize),
    /// The server's machine loses power: no client is notified.
    PowerCut,
}

/// The whole simulation.
struct World {
    sim: turmoil::Sim<'static>,
    chance: Chance,
    log: Store,
    server_fuse: Fuse,
    people: Vec<Person>,
    /// The lines that each has typed.
    typed: Vec<Vec<String>>,
    /// When each types next.
    next_line: Vec<Duration>,
    /// The current faults, and when each ends.
    faults: Vec<(Fault, Duration)>,
    /// The number of faults so far.
    begun: usize,
}

impl World {
    /// Returns a server and its clients, all of them live.
    fn new(seed: u64, people: usize) -> Self {
        let mut chance = Chance::new(seed);
        // The clients' backoff uses the random generator of the thread, and the simulation is one
        // thread.
        fastrand::seed(seed);
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(UNIX_EPOCH + Duration::from_hours(24 * 365 * 50))
            .tick_duration(TICK)
            .simulation_duration(Duration::from_hours(2))
            .max_message_latency(LATENCY)
            .enable_random_order()
            .build();
        let log = Store::memory(Hex(chance.number(1..u64::MAX).to_be_bytes()));
        let server_fuse = Fuse::default();
        sim.host(SERVER, {
            let (log, fuse) = (log.clone(), server_fuse.clone());
            move || {
                let (log, fuse) = (log.clone(), fuse.clone());
                async move {
                    let listener = Listener::bind(fuse).await?;
                    server::serve(listener, Config::default(), log, std::future::pending()).await?;
                    Ok(())
                }
            }
        });
        // A client does not retry a first connection that fails.
        while !server_fuse.is_ready() {
            sim.step().expect("the server starts");
        }
        let people: Vec<_> = NAMES[..people]
            .iter()
            .map(|name| {
                let (person, program) = Person::new(name);
                sim.client(*name, program);
                person
            })
            .collect();
        let (typed, next_line) = (vec![Vec::new(); people.len()], vec![Duration::ZERO; people.len()]);
        let mut world = Self { sim, chance, log, server_fuse, people, typed, next_line, faults: Vec::new(), begun: 0 };
        world.until("everybody is there", Self::all_are_live);
        world
    }

    /// Lets everybody type for `length`, with the faults that `choose` returns.
    fn chat(&mut self, length: Duration, mut choose: impl FnMut(&mut Chance, usize) -> (Fault, Duration)) {
        let end = self.sim.elapsed() + length;
        let mut next_fault = self.sim.elapsed();
        while self.sim.elapsed() < end {
            let now = self.sim.elapsed();
            if now >= next_fault {
                next_fault = now + Duration::from_millis(self.chance.number(100..4000));
                let (fault, length) = choose(&mut self.chance, self.people.len());
                self.begin(fault, now + length);
            }
            self.type_lines(now);
            self.step();
        }
    }

    /// Starts `fault`, unless there is one in that place already.
    fn begin(&mut self, fault: Fault, until: Duration) {
        let place = fault.place(&self.people);
        if self.faults.iter().any(|(other, _)| other.place(&self.people) == place || matches!(other, Fault::PowerCut)) {
            return;
        }
        match fault {
            Fault::Partition(who) => self.sim.partition(self.people[who].name, SERVER),
            Fault::OneWay(who, true) => self.sim.partition_oneway(self.people[who].name, SERVER),
            Fault::OneWay(who, false) => self.sim.partition_oneway(SERVER, self.people[who].name),
            Fault::Hold(who) => self.sim.hold(self.people[who].name, SERVER),
            Fault::Reset(who, bytes) => self.people[who].fuse.light(bytes),
            Fault::Slow => self.sim.set_max_message_latency(40 * LATENCY),
            Fault::Crash => self.sim.crash(SERVER),
            Fault::CrashInside(bytes) => self.server_fuse.light(bytes),
            Fault::PowerCut => {
                for person in &self.people {
                    self.sim.partition(person.name, SERVER);
                }
                self.sim.crash(SERVER);
            }
        }
        self.begun += 1;
        self.faults.push((fault, until));
    }

    /// Ends `fault`.
    fn end(&mut self, fault: Fault) {
        match fault {
            // Release repairs a link after any fault.
            Fault::Partition(who) | Fault::OneWay(who, _) | Fault::Hold(who) => {
                self.sim.release(self.people[who].name, SERVER);
            }
            Fault::Reset(who, _) => self.people[who].fuse.replace(),
            Fault::Slow => self.sim.set_max_message_latency(LATENCY),
            Fault::Crash | Fault::CrashInside(_) => self.sim.bounce(SERVER),
            Fault::PowerCut => {
                for person in &self.people {
                    self.sim.release(person.name, SERVER);
                }
                self.sim.bounce(SERVER);
            }
        }
    }

    /// Lets each client type when it is time: single lines, and now and then a burst.
    fn type_lines(&mut self, now: Duration) {
        for who in 0..self.people.len() {
            if self.next_line[who] > now {
                continue;
            }
            let lines = if self.chance.percent(5) { self.chance.number(5..40) } else { 1 };
            for _ in 0..lines {
                let line = format!("{} {}", self.people[who].name, self.typed[who].len());
                self.people[who].types(&line);
                self.typed[who].push(line);
            }
            self.next_line[who] = now + Duration::from_millis(self.chance.number(10..1500) * lines);
        }
    }

    fn step(&mut self) {
        // A client that ends is a failure; its error says which and why.
        self.sim.step().unwrap_or_else(|error| panic!("at {:?}: {error}", self.sim.elapsed()));
        // A host that dies inside a write dies now, before anything else on it runs.
        if self.server_fuse.is_blown() {
            self.sim.crash(SERVER);
            self.server_fuse.replace();
        }
        let now = self.sim.elapsed();
        while let Some(at) = self.faults.iter().position(|(_, until)| *until <= now) {
            let (fault, _) = self.faults.swap_remove(at);
            self.end(fault);
        }
    }

    /// Ends all faults, waits until everybody has seen everything and is quiet, and checks what
    /// they have seen.
    fn settle(&mut self) {
        for (fault, _) in std::mem::take(&mut self.faults) {
            self.end(fault);
        }
        let all: usize = self.typed.iter().map(Vec::len).sum();
        self.until("everybody has seen every line", |world| {
            world.all_are_live() && world.people.iter().all(|person| person.screen().messages.len() >= all)
        });
        // A duplicate would arrive within this time.
        let quiet = self.sim.elapsed() + Duration::from_secs(5);
        while self.sim.elapsed() < quiet {
            self.step();
        }
        self.check();
        self.report();
    }

    /// Prints how many faults were survived.
    #[expect(clippy::print_stderr, reason = "for whoever runs the tests with --nocapture")]
    fn report(&self) {
        let lines: usize = self.typed.iter().map(Vec::len).sum();
        let connections: usize = self.people.iter().map(|person| person.screen().times_live).sum();
        let reconnects = connections - self.people.len();
        eprintln!("{lines} lines, {} faults, {reconnects} reconnects in {:?}", self.begun, self.sim.elapsed());
    }

    /// Returns what each client was told, to find the cause of a failure.
    fn troubles(&self) -> Vec<(&str, Vec<String>)> {
        self.people.iter().map(|person| (person.name, person.screen().told.clone())).collect()
    }

    fn check(&self) {
        let history = history(&self.log);
        let mut ids = history.iter().map(|message| message.id);
        assert!(ids.by_ref().is_sorted_by(|a, b| a < b), "ids increase strictly");
        for (person, typed) in self.people.iter().zip(&self.typed) {
            let said: Vec<_> =
                history.iter().filter(|message| message.nick.as_str() == person.name).map(text).collect();
            assert_eq!(said, typed.iter().map(String::as_str).collect::<Vec<_>>(), "what {} typed", person.name);
            let screen = person.screen();
            let begins = screen.messages.first().and_then(|first| history.iter().position(|it| it.id == first.id));
            let stretch = &history[begins.unwrap_or(0)..];
            assert!(
                screen.messages == stretch,
                "{} saw\n{:?}\nof\n{:?}\nand was told {:#?}",
                person.name,
                screen.messages.iter().map(text).collect::<Vec<_>>(),
                history.iter().map(text).collect::<Vec<_>>(),
                screen.told,
            );
        }
        let all: usize = self.typed.iter().map(Vec::len).sum();
        assert_eq!(history.len(), all, "nobody said anything else");
    }

    /// Steps until `fact` is true.
    fn until(&mut self, what: &str, fact: impl Fn(&Self) -> bool) {
        let deadline = self.sim.elapsed() + QUIET;
        while !fact(self) {
            self.step();
            if self.sim.elapsed() > deadline {
                let all: usize = self.typed.iter().map(Vec::len).sum();
                let state = self.people.iter().map(|person| {
                    let screen = person.screen();
                    let seen = screen.messages.len();
                    format!(
                        "{} is live: {}, saw {seen} of {all}, was told {:#?}",
                        person.name, screen.is_live, screen.told
                    )
                });
                panic!("waited {QUIET:?} until {what}: {}", state.collect::<Vec<_>>().join("\n"));
            }
        }
    }

    fn all_are_live(&self) -> bool {
        self.people.iter().all(|person| person.screen().is_live)
    }
}

impl Fault {
    /// Returns the place of the fault; two faults in one place would end each other.
    fn place<'a>(&self, people: &'a [Person]) -> &'a str {
        match self {
            Self::Partition(who) | Self::OneWay(who, _) | Self::Hold(who) | Self::Reset(who, _) => people[*who].name,
            Self::Slow => "network",
            Self::Crash | Self::CrashInside(_) | Self::PowerCut => SERVER,
        }
    }
}

/// Returns all messages of the lobby.
fn history(log: &Store) -> Vec<Arc<Message>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without a network");
    runtime.block_on(async {
        let mut history: Vec<Arc<Message>> = Vec::new();
        loop {
            let after = history.last().map_or(MessageId(0), |last| last.id);
            let page = log.page(&RoomName::lobby(), after, Limits::PAGE).await.expect("the log is whole");
            history.extend(page.messages);
            if !page.more {
                return history;
            }
        }
    })
}

fn text(message: &Arc<Message>) -> &str {
    message.text.as_ref().map_or("", |text| text.as_str())
}

/// Chooses one of the faults of a link.
fn of_a_link(chance: &mut Chance, people: usize) -> Fault {
    let who = chance.index(people);
    match chance.index(4) {
        0 => Fault::Partition(who),
        1 => Fault::OneWay(who, chance.percent(50)),
        2 => Fault::Hold(who),
        _ => Fault::Reset(who, chance.index(600)),
    }
}

/// Chooses one of the ways in which a server dies.
fn of_the_server(chance: &mut Chance) -> Fault {
    match chance.index(5) {
        0 => Fault::Crash,
        1 => Fault::PowerCut,
        _ => Fault::CrashInside(chance.index(2000)),
    }
}

#[test]
fn a_server_that_crashes_loses_doubles_and_reorders_nothing() {
    for seed in seeds(&[1, 2]) {
        let mut world = World::new(seed, 4);
        world.chat(Duration::from_mins(2), |chance, _| {
            (of_the_server(chance), Duration::from_millis(chance.number(500..9000)))
        });
        world.settle();
    }
}

#[test]
fn links_that_part_stall_and_tear_lose_double_and_reorder_nothing() {
    for seed in seeds(&[3, 4]) {
        let mut world = World::new(seed, 4);
        world.chat(Duration::from_mins(2), |chance, people| {
            let fault = if chance.percent(10) { Fault::Slow } else { of_a_link(chance, people) };
            (fault, Duration::from_millis(chance.number(100..40_000)))
        });
        world.settle();
    }
}

#[test]
fn whatever_goes_wrong_at_once_everybody_ends_with_the_same_history() {
    for seed in seeds(&[5, 6]) {
        let mut world = World::new(seed, 3);
        world.chat(Duration::from_mins(2), |chance, people| {
            let fault = match chance.index(10) {
                0 => Fault::Slow,
                1..4 => of_the_server(chance),
                _ => of_a_link(chance, people),
            };
            // Now and then longer than the grace.
            let longest = if chance.percent(10) { 100_000 } else { 15_000 };
            (fault, Duration::from_millis(chance.number(100..longest)))
        });
        world.settle();
    }
}

#[test]
fn a_short_drop_is_no_news_to_anybody() {
    for seed in seeds(&[7]) {
        let mut world = World::new(seed, 3);
        // Joins at the beginning are reported within the presence digest.
        world
            .until("the first digests", |world| world.people.iter().any(|person| !person.screen().presence.is_empty()));
        for _ in 0..100 {
            world.step();
        }
        let before: Vec<_> = world.people.iter().map(|person| person.screen().presence.len()).collect();
        world.chat(Duration::from_mins(2), |chance, people| {
            (of_a_link(chance, people), Duration::from_millis(chance.number(100..10_000)))
        });
        world.settle();
        for (person, before) in world.people.iter().zip(before) {
            let news = person.screen().presence.split_off(before);
            assert_eq!(news, [] as [&str; 0], "{} was told of a drop: {:#?}", person.name, world.troubles());
        }
    }
}
