//! Whether more cores deliver more. The generator needs cores, too, so it does as little as it can:
//! one client listens, the kernel discards what the others receive, and the generator sleeps
//! between two polls, so that no write has to wake it.

use std::time::{Duration, Instant};

use super::throughput::{PATIENCE, Sample, middle};
use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, number},
};

/// The time between two polls: fewer messages arrive meanwhile than are in flight, and they fit in
/// the sockets.
pub(super) const NAP: Duration = Duration::from_micros(500);

#[derive(Debug, Clone, Copy)]
struct Talk {
    senders: usize,
    readers: usize,
    /// How many messages of each sender are in flight: sent, and not yet received by the client
    /// that listens.
    window: u32,
}

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let (rounds, length) = (report.choose(5, 2), Duration::from_millis(report.choose(1500, 400)));
    let title = "Cores: one and all of them, a light generator on all but the first, and on all";
    if !report.wants(title) {
        return Ok(());
    }
    Report::table(title, &["one: deliveries/s", "all of one", "one: CPU s/M", "all of one"]);
    for (name, talk) in [
        ("1 to 1,000, 1,024 under way", Talk { senders: 1, readers: 1_000, window: 1024 }),
        ("100 to 1,000, 16 each", Talk { senders: 100, readers: 1_000, window: 16 }),
        // Too few for two cores: they are done before the generator polls again.
        ("100 to 100, 16 each", Talk { senders: 100, readers: 100, window: 16 }),
        ("100 to 100, 32 each", Talk { senders: 100, readers: 100, window: 32 }),
    ] {
        let mut stages = [Cores::One, Cores::All].map(|cores| (cores, Vec::new()));
        // One after the other: the generator runs on the cores that the server does not use.
        for _ in 0..rounds {
            for (cores, samples) in &mut stages {
                let server = Server::start(Kind::Memory, *cores)?;
                let mut fleet = Fleet::new(server.address)?;
                fleet.call_all(std::iter::repeat_n(Caller::new(Speech::Text), talk.readers))?;
                fleet.settle(Duration::from_millis(300))?;
                fleet.deafen(1);
                play(&server, &mut fleet, talk, length / 4)?;
                samples.push(play(&server, &mut fleet, talk, length)?);
            }
        }
        let [one, all] = stages.map(|(_, samples)| (middle(&samples, |s| s.rate), middle(&samples, |s| s.cost)));
        let cells = [
            format!("{:.2} M", one.0 / 1e6),
            format!("{:.2}", all.0 / one.0),
            format!("{:.3}", one.1),
            format!("{:.2}", all.1 / one.1),
        ];
        Report::row(name, &cells);
        report.keep("cores", name, "deliveries of all to one", all.0 / one.0);
        report.keep("cores", name, "CPU of all to one", all.1 / one.1);
    }
    Ok(())
}

/// Makes the senders send for `length`, and until every client has received as many bytes as the
/// one that listens.
fn play(server: &Server, fleet: &mut Fleet, talk: Talk, length: Duration) -> Outcome<Sample> {
    let (cpu, begin) = (server.cpu()?, Instant::now());
    let mut heard: Vec<u32> = (0..talk.senders).map(|sender| fleet.number(sender)).collect();
    let (mut messages, mut last) = (0_u64, Instant::now());
    loop {
        let over = begin.elapsed() >= length;
        let mut under_way = 0;
        for (sender, heard) in heard.iter().enumerate() {
            let missing = fleet.number(sender) - heard;
            if !over && missing < talk.window {
                fleet.say(sender, talk.window - missing, 100)?;
            }
            under_way += fleet.number(sender) - heard;
        }
        if under_way == 0 && fleet.deaf_have_got_all() {
            break;
        }
        let before = messages;
        fleet.turn(Duration::from_millis(100), &mut |arrival| {
            messages += 1;
            heard[arrival.sender] = arrival.number + 1;
        })?;
        if messages > before {
            last = Instant::now();
        } else if last.elapsed() > PATIENCE {
            return Err(format!("{under_way} messages, or some of their deliveries, are missing").into());
        }
        std::thread::sleep(NAP);
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let deliveries = number(messages * talk.readers as u64);
    let cpu = server.cpu()?.saturating_sub(cpu).as_secs_f64();
    Ok(Sample { rate: deliveries / elapsed, cost: cpu / deliveries * 1e6 })
}
