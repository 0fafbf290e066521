//! A user of our client program, who sends numbered lines and remembers everything that was shown.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;

use super::{process::Process, within};

/// How long it may take until all lines are shown. A client that lost several connections waits
/// long before it retries, and one with a half-open connection has to detect that first.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running client.
pub struct Chatter {
    /// Its nick.
    pub nick: &'static str,
    /// The program.
    pub process: Process,
    /// The lines it has sent, in order, as the others see them.
    pub said: Vec<String>,
    /// The lines it was shown, in order: `nick: text`.
    pub seen: Vec<String>,
    /// Presence lines, as the program prints them, after its own arrival.
    pub news: Vec<String>,
    json: bool,
}

impl Chatter {
    /// Returns a client in the lobby of the server at `address`.
    pub async fn plain(address: SocketAddr, nick: &'static str) -> Self {
        let mut process = Process::client(&[&address.to_string(), "--nick", nick]);
        process.stdout.line_with("#lobby").await;
        Self { nick, process, said: Vec::new(), seen: Vec::new(), news: Vec::new(), json: false }
    }

    /// Returns a client with JSON output, in the lobby of the server at `address`.
    pub async fn json(address: SocketAddr, nick: &'static str) -> Self {
        let mut process = Process::client(&[&address.to_string(), "--nick", nick, "--json"]);
        process.stdout.line_with("\"type\":\"live\"").await;
        Self { nick, process, said: Vec::new(), seen: Vec::new(), news: Vec::new(), json: true }
    }

    /// Sends the next numbered line.
    pub async fn says(&mut self) {
        let line = format!("{} {}", self.nick, self.said.len());
        self.process.write_line(&line).await;
        self.said.push(format!("{}: {line}", self.nick));
    }

    /// Waits until `count` lines have been shown.
    pub async fn sees(&mut self, count: usize) {
        let watch = async {
            while self.seen.len() < count {
                let line = self.process.stdout.recv().await;
                let Some(line) = line else { panic!("{} ended after {:#?}", self.nick, self.seen) };
                self.take(&line);
            }
        };
        let all = tokio::time::timeout(PATIENCE, watch).await;
        all.unwrap_or_else(|_| panic!("{} saw {} of {count} lines in {PATIENCE:?}", self.nick, self.seen.len()));
    }

    /// Waits until the client reports that the connection is lost.
    pub async fn loses_connection(&mut self) {
        if self.json {
            let lost = async {
                loop {
                    let line = self.process.stdout.recv().await.expect("the client goes on");
                    self.take(&line);
                    if line.contains("\"type\":\"disconnected\"") {
                        break;
                    }
                }
            };
            within("the connection to be lost", lost).await;
        } else {
            self.process.stderr.line_with("lost").await;
        }
    }

    /// Closes the input. Returns when the program has ended with success and all its output is
    /// read.
    pub async fn finish(&mut self) {
        self.process.close_stdin();
        for line in self.process.stdout.rest().await {
            self.take(&line);
        }
        let status = self.process.exit().await;
        assert!(status.success(), "{}: {status}: {:#?}", self.nick, self.process.stderr.rest().await);
    }

    fn take(&mut self, line: &str) {
        if self.json {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
            match event["type"].as_str() {
                Some("message") => {
                    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                    self.seen.push(format!("{}: {}", text("nick"), text("text")));
                }
                // A person who came back after a server restart is reported to programs, and is not
                // presence news.
                Some("presence") if ["joined", "left", "renamed"].iter().any(|what| event.get(what).is_some()) => {
                    self.news.push(line.to_owned());
                }
                _ => {}
            }
        } else if line.starts_with("* ") {
            self.news.push(line.to_owned());
        } else if let Some((_, message)) = line.split_once(' ') {
            // The time comes before it.
            self.seen.push(message.to_owned());
        }
    }
}

/// Checks that everybody has seen the same lines, each line of everybody once, and in the order of
/// its author.
///
/// # Panics
/// Panics if they have not.
pub fn check_views(people: &[Chatter]) {
    let first = &people[0];
    for person in people {
        assert_eq!(person.seen, first.seen, "{} and {} saw the same", person.nick, first.nick);
        let prefix = format!("{}: ", person.nick);
        let said: Vec<_> = first.seen.iter().filter(|line| line.starts_with(&prefix)).cloned().collect();
        assert_eq!(said, person.said, "what {} said", person.nick);
    }
    let all: usize = people.iter().map(|person| person.said.len()).sum();
    assert_eq!(first.seen.len(), all, "nobody said anything else");
}

/// Waits until everybody has seen all lines.
pub async fn all_see_all(people: &mut [Chatter]) {
    let all = people.iter().map(|person| person.said.len()).sum();
    for person in people {
        person.sees(all).await;
    }
}

/// Checks that nobody was told of a join, a leave or a nick change after the beginning.
///
/// # Panics
/// Panics if somebody was.
pub fn check_no_news(people: &[Chatter], before: &[usize]) {
    for (person, before) in people.iter().zip(before) {
        assert_eq!(person.news[*before..], [] as [&str; 0], "{} was told of a lost connection", person.nick);
    }
}
