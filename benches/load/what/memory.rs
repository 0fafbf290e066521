//! The memory of a connection that only listens.

use std::time::Duration;

use super::throughput::{Talk, talk};
use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, number},
};

/// The number of messages that every new client is shown.
const HISTORY: u32 = 50;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let readers = report.choose(10_000, 2_000);
    let title = format!("Resident memory a connection, {readers} connections");
    Report::table(&title, &["idle", "after a burst", "all gone", "most at once"]);
    let mut rows = Vec::new();
    for (kind, speech) in [
        (Kind::Memory, Speech::Text),
        (Kind::Memory, Speech::Json),
        (Kind::Disk, Speech::Text),
        (Kind::Disk, Speech::Json),
        (Kind::Textbook, Speech::Text),
    ] {
        let server = Server::start(kind, Cores::One)?;
        let mut fleet = Fleet::new(server.address)?;
        fleet.call_all([Caller::new(speech)])?;
        for line in 0..HISTORY {
            fleet.chat(0, &format!("line {line}: {}", "x".repeat(90)))?;
        }
        fleet.settle(Duration::from_millis(300))?;
        let before = server.resident()?;
        let share = |now: u64| (number(now) - number(before)) / number(readers as u64);
        fleet.call_all(std::iter::repeat_n(Caller::new(speech).history(HISTORY), readers))?;
        fleet.settle(Duration::from_secs(1))?;
        let idle = share(server.resident()?);
        let burst = Talk { senders: 1, readers: readers + 1, window: 64, length: 100, speech };
        talk(&mut fleet, burst, Duration::from_millis(report.choose(1000, 500)))?;
        let most = share(server.most_resident()?);
        fleet.settle(Duration::from_secs(1))?;
        let after = share(server.resident()?);
        fleet.dismiss(1)?;
        fleet.settle(Duration::from_secs(1))?;
        let gone = share(server.resident()?);
        let name = format!("{}, {speech:?}", kind.name());
        rows.push((name.clone(), idle));
        Report::row(&name, &[idle, after, gone, most].map(|bytes| format!("{:.2} KB", bytes / 1e3)));
    }
    for (name, idle) in rows {
        report.keep("memory", &name, "bytes a connection", idle);
    }
    alone(report)?;
    full_house(report)
}

/// Each person is in a room of their own: the memory of a connection and a small room together.
fn alone(report: &mut Report) -> Outcome<()> {
    let readers: usize = report.choose(10_000, 2_000);
    Report::table("Resident memory a connection, each alone in a room", &["idle"]);
    for speech in [Speech::Text, Speech::Json] {
        let server = Server::start(Kind::Memory, Cores::One)?;
        let mut fleet = Fleet::new(server.address)?;
        let before = server.resident()?;
        fleet.call_all((0..readers).map(|index| Caller::new(speech).room(format!("room-{index}"))))?;
        fleet.settle(Duration::from_secs(1))?;
        let idle = (number(server.resident()?) - number(before)) / number(readers as u64);
        Report::row(&format!("{speech:?}"), &[format!("{:.2} KB", idle / 1e3)]);
        report.keep("memory", &format!("{speech:?}, alone in a room"), "bytes a connection", idle);
    }
    Ok(())
}

/// As many as one process can hold.
fn full_house(report: &Report) -> Outcome<()> {
    let readers = report.choose(19_000, 3_000);
    Report::table("A full house", &["connections", "resident"]);
    for speech in [Speech::Text, Speech::Json] {
        let server = Server::start(Kind::Memory, Cores::One)?;
        let mut fleet = Fleet::new(server.address)?;
        fleet.call_all(std::iter::repeat_n(Caller::new(speech), readers))?;
        fleet.settle(Duration::from_secs(1))?;
        let burst = Talk { senders: 1, readers, window: 8, length: 100, speech };
        talk(&mut fleet, burst, Duration::from_millis(200))?;
        let resident = format!("{:.0} MB", number(server.resident()?) / 1e6);
        Report::row(&format!("{speech:?}, all heard a burst"), &[fleet.open().to_string(), resident]);
    }
    Ok(())
}
