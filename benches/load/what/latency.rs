//! The latency of a message, at a rate that all servers can keep.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, median, percentile},
};

/// A message rate.
#[derive(Debug, Clone, Copy)]
struct Pace {
    senders: usize,
    readers: usize,
    /// Messages a second, all senders together.
    rate: u32,
}

const KINDS: [Kind; 4] = [Kind::Limit, Kind::Memory, Kind::Disk, Kind::Textbook];

/// With this many readers, one process cannot hold two groups, so the servers are measured one
/// after the other. With fewer, all stay connected and alternate in many short rounds, so that
/// other load on the machine affects each of them.
const CROWD: usize = 4_000;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let seconds = report.choose(15, 4);
    let crowd = report.choose(10_000, 2_000);
    for (name, pace) in [
        ("1 to many, 3 a second", Pace { senders: 1, readers: crowd, rate: 3 }),
        ("1 to 1,000, 20 a second", Pace { senders: 1, readers: 1_000, rate: 20 }),
        ("100 to 100, 300 a second", Pace { senders: 100, readers: 100, rate: 300 }),
    ] {
        let title = format!("Latency, {name}, {} readers", pace.readers);
        if !report.wants(&title) {
            continue;
        }
        let rounds = if pace.readers > CROWD { report.choose(3, 2) } else { seconds };
        let length = Duration::from_secs_f64(f64::from(seconds) / f64::from(rounds));
        let mut stages: Vec<_> = KINDS.iter().map(|kind| (*kind, None, Vec::new(), Vec::new())).collect();
        let mut syncs = Vec::new();
        for _ in 0..rounds {
            for (kind, stage, middles, tails) in &mut stages {
                let (_server, fleet) = match stage {
                    Some(stage) => stage,
                    None => stage.insert(set(*kind, pace)?),
                };
                let took = keep_pace(fleet, pace, length)?;
                middles.push(percentile(&took, 50));
                tails.push(percentile(&took, 99));
                if pace.readers > CROWD {
                    *stage = None;
                }
            }
            syncs.extend(syncs_at(pace, length / 4)?);
        }
        Report::table(&title, &["p50", "of the limit", "p99", "of the limit"]);
        let limit = (median(&stages[0].2), median(&stages[0].3));
        for (kind, _, middles, tails) in &stages {
            let (middle, tail) = (median(middles), median(tails));
            let cells = [
                format!("{:.2} ms", middle * 1e3),
                format!("{:.2}", middle / limit.0),
                format!("{:.2} ms", tail * 1e3),
                format!("{:.2}", tail / limit.1),
            ];
            Report::row(kind.name(), &cells);
            report.keep(&format!("latency {name}"), kind.name(), "p50 seconds", middle);
            report.keep(&format!("latency {name}"), kind.name(), "p99 seconds", tail);
        }
        let (middle, tail) = (percentile(&syncs, 50), percentile(&syncs, 99));
        let cells = [format!("{:.2} ms", middle * 1e3), String::new(), format!("{:.2} ms", tail * 1e3), String::new()];
        Report::row("one sync of the disk", &cells);
        report.keep(&format!("latency {name}"), "one sync", "p50 seconds", middle);
    }
    Ok(())
}

fn set(kind: Kind, pace: Pace) -> Outcome<(Server, Fleet)> {
    let server = Server::start(kind, Cores::One)?;
    let mut fleet = Fleet::new(server.address)?;
    fleet.call_all(std::iter::repeat_n(Caller::new(Speech::Text), pace.readers))?;
    fleet.settle(Duration::from_millis(300))?;
    Ok((server, fleet))
}

/// Returns how long it takes to write two pages to the end of a file and to sync them, at the
/// message rate.
fn syncs_at(pace: Pace, length: Duration) -> Outcome<Vec<f64>> {
    let mut file = tempfile::tempfile()?;
    let (begin, mut took) = (Instant::now(), Vec::new());
    while begin.elapsed() < length {
        std::thread::sleep(Duration::from_secs(1) / pace.rate);
        let begin = Instant::now();
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
        took.push(begin.elapsed().as_secs_f64());
    }
    Ok(took)
}

/// Makes the senders send in turn at the given rate, whatever comes back. Returns the latency of
/// each delivery, in seconds.
fn keep_pace(fleet: &mut Fleet, pace: Pace, length: Duration) -> Outcome<Vec<f64>> {
    let between = Duration::from_secs(1) / pace.rate;
    let first: Vec<u32> = (0..pace.senders).map(|sender| fleet.number(sender)).collect();
    let mut said_at: Vec<Vec<Instant>> = vec![Vec::new(); pace.senders];
    let mut took = Vec::new();
    let (begin, mut said, mut heard) = (Instant::now(), 0_u32, 0_usize);
    let most = u32::try_from(length.as_nanos() / between.as_nanos())?;
    while heard < said as usize * pace.readers || said < most {
        let due = begin + between * said;
        let left = due.saturating_duration_since(Instant::now());
        if said < most && left.is_zero() {
            let sender = said as usize % pace.senders;
            said_at[sender].push(Instant::now());
            fleet.say(sender, 1, 100)?;
            said += 1;
            continue;
        }
        fleet.turn(if said < most { left } else { Duration::from_millis(100) }, &mut |arrival| {
            heard += 1;
            let number = arrival.number - first[arrival.sender];
            let at = said_at[arrival.sender].get(number as usize);
            took.extend(at.map(|at| at.elapsed().as_secs_f64()));
        })?;
        if begin.elapsed() > length * 3 + Duration::from_secs(10) {
            return Err("messages are missing".into());
        }
    }
    Ok(took)
}
