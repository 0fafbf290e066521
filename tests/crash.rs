//! The server is killed with `kill -9` while people chat, at random moments and exactly when an
//! echo is read, and is started again. No message that was sent or seen is lost, duplicated or
//! reordered.

mod support;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use support::{
    DEADLINE,
    chatter::{Chatter, all_see_all, check_no_news, check_views},
    folder::Folder,
    process::{Process, Signal},
    proxy::{Fate, Proxy},
    seed::{Chance, seed},
    server::start_with,
    within,
    writer::{Moment, Seen, Task, Writer},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// Clients that write all the time.
const WRITERS: usize = 4;

/// How often the server is killed.
const KILLS: usize = 25;

/// A server with a file, on a fixed port.
struct Durable {
    process: Process,
    address: SocketAddr,
    folder: Folder,
}

impl Durable {
    async fn start() -> Self {
        let folder = Folder::new();
        let mut process = Self::process("127.0.0.1:0", &folder);
        let address = process.address().await;
        Self { process, address, folder }
    }

    fn process(listen: &str, folder: &Folder) -> Process {
        let file = folder.file("chat.db");
        let file = file.to_str().expect("a path that is UTF-8");
        Process::server(&["--listen", listen, "--rate", "0", "--db", file])
    }

    async fn stop(&mut self, signal: Signal) {
        self.process.signal(signal).await;
        self.process.exit().await;
    }

    async fn restart(&mut self) {
        self.process = Self::process(&self.address.to_string(), &self.folder);
        assert_eq!(self.process.address().await, self.address);
    }
}

/// Running writers.
struct Writers {
    task: watch::Sender<Task>,
    address: watch::Sender<SocketAddr>,
    moments: mpsc::UnboundedReceiver<Moment>,
    running: Vec<JoinHandle<Writer>>,
}

impl Writers {
    fn start(address: SocketAddr) -> Self {
        let (task, task_of_all) = watch::channel(Task::Talk);
        let (address, address_of_all) = watch::channel(address);
        let (moments_out, moments) = mpsc::unbounded_channel();
        let running = (0..WRITERS)
            .map(|number| {
                let nick = format!("writer-{number}");
                let writer = Writer::new(&nick, address_of_all.clone(), task_of_all.clone(), moments_out.clone());
                tokio::spawn(writer.run())
            })
            .collect();
        Self { task, address, moments, running }
    }

    /// Waits until `count` more lines were echoed, or sent.
    async fn after(&mut self, count: u64, wanted: &Moment) {
        // Earlier reports are not this moment.
        while self.moments.try_recv().is_ok() {}
        for _ in 0..=count {
            while self.moment().await != *wanted {}
        }
    }

    async fn moment(&mut self) -> Moment {
        let Ok(moment) = timeout(DEADLINE, self.moments.recv()).await else {
            for writer in &mut self.running {
                if writer.is_finished() {
                    // Shows why it ended.
                    writer.await.expect("the writer goes on");
                }
            }
            panic!("the writers stand still")
        };
        moment.expect("the writers go on")
    }

    /// Stops all writers, and returns what they know.
    async fn finish(mut self) -> Vec<Writer> {
        self.task.send_replace(Task::Stop);
        let (mut all, mut quiet) = (0, 0);
        while quiet < WRITERS {
            if let Moment::Quiet(said) = self.moment().await {
                all += said;
                quiet += 1;
            }
        }
        self.task.send_replace(Task::SeeAll(all));
        let mut writers = Vec::new();
        for writer in self.running {
            writers.push(within("a writer to see all", writer).await.expect("the writer ends well"));
        }
        writers
    }
}

/// Returns all messages of the server, as a new client that requests all receives them.
async fn history(address: SocketAddr, count: usize) -> Vec<Seen> {
    // A different nick each time, because the nick of a client that has left is held for a while.
    static READERS: AtomicU32 = AtomicU32::new(1);
    let (_task, task) = watch::channel(Task::SeeAll(count));
    let (_address, address) = watch::channel(address);
    let (moments, _unheard) = mpsc::unbounded_channel();
    let nick = format!("reader-{}", READERS.fetch_add(1, Ordering::Relaxed));
    within("the history", Writer::new(&nick, address, task, moments).run()).await.seen
}

/// Checks that everybody saw the same messages, and that these are all that were sent. Returns
/// their number.
fn check(writers: &[Writer]) -> usize {
    let seen = &writers[0].seen;
    assert!(seen.is_sorted_by(|a, b| a.id < b.id), "ids increase strictly");
    assert!(seen.is_sorted_by(|a, b| a.at <= b.at), "time does not go back");
    for writer in writers {
        assert!(writer.seen == *seen, "{} saw {:?}, {} {seen:?}", writer.nick, writer.seen, writers[0].nick);
        let said: Vec<_> = seen.iter().filter(|it| it.nick == writer.nick).map(|it| it.text.clone()).collect();
        assert_eq!(said, writer.said, "what {} said", writer.nick);
    }
    assert_eq!(seen.len(), writers.iter().map(|writer| writer.said.len()).sum::<usize>());
    seen.len()
}

#[expect(clippy::print_stderr, reason = "for whoever runs the tests with --nocapture")]
fn report(writers: &[Writer], interruptions: usize) {
    let welcomes: usize = writers.iter().map(|writer| writer.welcomes).sum();
    let all = writers[0].seen.len();
    eprintln!("{all} messages through {interruptions} interruptions, with {welcomes} connections: 0 lost, 0 doubled");
}

/// Waits for a moment in the middle of something: just when an echo was read, or a line sent.
async fn some_moment(chance: &mut Chance, writers: &mut Writers) {
    let moment = if chance.percent(50) { Moment::Echoed } else { Moment::Said };
    let count = chance.number(0..60);
    writers.after(count, &moment).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_doubles_and_reorders_nothing() {
    let mut chance = Chance::new(seed());
    let mut server = Durable::start().await;
    let mut writers = Writers::start(server.address);
    for _ in 0..KILLS {
        some_moment(&mut chance, &mut writers).await;
        server.stop(Signal::Kill).await;
        server.restart().await;
        writers.address.send_replace(server.address);
    }
    let writers = writers.finish().await;
    let all = check(&writers);
    assert_eq!(history(server.address, all).await, writers[0].seen, "the history is what was seen");
    // And once more from the file alone.
    server.stop(Signal::Kill).await;
    server.restart().await;
    assert_eq!(history(server.address, all).await, writers[0].seen, "the file has what was seen");
    report(&writers, KILLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_reset_at_any_moment_lose_double_and_reorder_nothing() {
    let mut chance = Chance::new(seed());
    let server = start_with(&["--rate", "0"]).await;
    let proxy = Proxy::start(server.address).await;
    let mut writers = Writers::start(proxy.address);
    for _ in 0..KILLS {
        some_moment(&mut chance, &mut writers).await;
        proxy.decide(if chance.percent(50) { Fate::Reset } else { Fate::CutAfterSent(chance.index(1000)) });
    }
    let writers = writers.finish().await;
    let all = check(&writers);
    assert_eq!(history(server.address, all).await, writers[0].seen, "the history is what was seen");
    report(&writers, KILLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_type_on_while_the_server_is_away_and_are_told_of_nobody() {
    for signal in [Signal::Kill, Signal::Term] {
        let mut server = Durable::start().await;
        let mut people = vec![
            Chatter::plain(server.address, "ada").await,
            Chatter::plain(server.address, "bob").await,
            Chatter::json(server.address, "eve").await,
        ];
        for person in &mut people {
            person.says().await;
        }
        all_see_all(&mut people).await;
        let before: Vec<_> = people.iter().map(|person| person.news.len()).collect();
        for person in &mut people {
            person.says().await;
        }
        server.stop(signal).await;
        for person in &mut people {
            person.says().await;
            person.loses_connection().await;
            person.says().await;
        }
        server.restart().await;
        for person in &mut people {
            person.says().await;
        }
        all_see_all(&mut people).await;
        for person in &mut people {
            person.says().await;
        }
        all_see_all(&mut people).await;
        check_no_news(&people, &before);
        for person in &mut people {
            person.finish().await;
        }
        check_views(&people);
    }
}
