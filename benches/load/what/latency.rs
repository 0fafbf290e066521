//! How long a message is on its way, at a pace that everybody can keep.

use std::time::{Duration, Instant};

use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, median, percentile},
};

/// A pace.
#[derive(Debug, Clone, Copy)]
struct Pace {
    senders: usize,
    readers: usize,
    /// Messages a second, all senders together.
    rate: u32,
}

const KINDS: [Kind; 4] = [Kind::Limit, Kind::Memory, Kind::Disk, Kind::Textbook];

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let rounds = report.choose(3, 2);
    let length = Duration::from_secs(report.choose(5, 2));
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
        let mut waits = vec![(Vec::new(), Vec::new()); KINDS.len()];
        for _ in 0..rounds {
            // One after the other: two such crowds are more than one process may hold.
            for (kind, (middles, tails)) in KINDS.iter().zip(&mut waits) {
                let server = Server::start(*kind, Cores::One)?;
                let mut fleet = Fleet::new(server.address)?;
                fleet.call_all(std::iter::repeat_n(Caller::new(Speech::Text), pace.readers))?;
                fleet.settle(Duration::from_millis(300))?;
                let took = keep_pace(&mut fleet, pace, length)?;
                middles.push(percentile(&took, 50));
                tails.push(percentile(&took, 99));
            }
        }
        Report::table(&title, &["p50", "of the limit", "p99", "of the limit"]);
        let (limit_middle, limit_tail) = (median(&waits[0].0), median(&waits[0].1));
        for (kind, (middles, tails)) in KINDS.iter().zip(&waits) {
            let (middle, tail) = (median(middles), median(tails));
            let cells = [
                format!("{:.2} ms", middle * 1e3),
                format!("{:.2}", middle / limit_middle),
                format!("{:.2} ms", tail * 1e3),
                format!("{:.2}", tail / limit_tail),
            ];
            Report::row(kind.name(), &cells);
            report.keep(&format!("latency {name}"), kind.name(), "p50 seconds", middle);
            report.keep(&format!("latency {name}"), kind.name(), "p99 seconds", tail);
        }
    }
    Ok(())
}

/// Lets the senders speak by turns at their pace, whatever comes back, and returns how long each delivery took, in seconds.
fn keep_pace(fleet: &mut Fleet, pace: Pace, length: Duration) -> Outcome<Vec<f64>> {
    let between = Duration::from_secs(1) / pace.rate;
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
            let at = said_at[arrival.sender].get(arrival.number as usize);
            took.extend(at.map(|at| at.elapsed().as_secs_f64()));
        })?;
        if begin.elapsed() > length * 3 + Duration::from_secs(10) {
            return Err("messages are missing".into());
        }
    }
    Ok(took)
}
