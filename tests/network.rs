//! Our programs through a network that drops, resets, cuts inside a frame, refuses and goes silent.
//! Every client sees every line once and in the same order, and nobody is told of the faults.

mod support;

use support::{
    chatter::{Chatter, all_see_all, check_no_news, check_views},
    proxy::{Fate, Proxy},
    seed::{Chance, seeds},
    server::{Server, start_with},
};

/// Three people, each behind a proxy.
struct Network {
    /// Dropped last.
    people: Vec<Chatter>,
    proxies: Vec<Proxy>,
    /// How many presence lines each had when everybody was there.
    before: Vec<usize>,
    _server: Server,
}

impl Network {
    async fn start() -> Self {
        let server = start_with(&["--rate", "0"]).await;
        let mut proxies = Vec::new();
        for _ in 0..3 {
            proxies.push(Proxy::start(server.address).await);
        }
        let mut people = vec![
            Chatter::plain(proxies[0].address, "ada").await,
            Chatter::json(proxies[1].address, "bob").await,
            Chatter::plain(proxies[2].address, "eve").await,
        ];
        // A message arrives after the presence of everybody who was there before it, so these lines
        // are old.
        for person in &mut people {
            person.says().await;
        }
        all_see_all(&mut people).await;
        let before = people.iter().map(|person| person.news.len()).collect();
        Self { people, proxies, before, _server: server }
    }

    async fn end(mut self) {
        all_see_all(&mut self.people).await;
        for person in &mut self.people {
            person.finish().await;
            // The others may be told that a client that ends has left.
            person.news.retain(|news| !news.contains("left"));
        }
        check_views(&self.people);
    }
}

/// Faults of one run: each makes the affected client wait longer before it connects again.
const FAULTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_survive_whatever_a_network_does_and_nobody_is_told() {
    for seed in seeds(&[1]) {
        let mut chance = Chance::new(seed);
        let mut network = Network::start().await;
        for _ in 0..FAULTS {
            let (talks, victim) = (chance.number(1..6), chance.index(3));
            let refuses = chance.percent(30);
            // With few messages a cut may never happen, and a client that does not reconnect is not
            // refused.
            let fate = match chance.index(if refuses { 2 } else { 5 }) {
                0 => Fate::Drop,
                1 => Fate::Reset,
                2 => Fate::CutAfterSaid(chance.index(300)),
                _ => Fate::CutAfterSent(chance.index(1500)),
            };
            if refuses {
                network.proxies[victim].refuse().await;
            }
            let strikes = chance.number(0..talks);
            for talk in 0..talks {
                if talk == strikes {
                    network.proxies[victim].decide(fate);
                }
                for person in &mut network.people {
                    person.says().await;
                }
            }
            if refuses {
                network.people[victim].loses_connection().await;
                network.people[victim].says().await;
                network.proxies[victim].allow().await;
            }
            all_see_all(&mut network.people).await;
            check_no_news(&network.people, &network.before);
        }
        network.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_half_open_is_noticed_and_nobody_is_told() {
    let mut network = Network::start().await;
    network.proxies[0].decide(Fate::Stall);
    for person in &mut network.people {
        person.says().await;
    }
    // 20 s of silence and 10 s for the answer to a ping; then the client sends the line again, and
    // nothing is missed.
    all_see_all(&mut network.people).await;
    check_no_news(&network.people, &network.before);
    network.end().await;
}
