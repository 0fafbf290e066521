//! The cost of connecting and leaving, for the clients that do it and for the others.

use std::time::{Duration, Instant};

use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, median, number, percentile},
};

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    cycles(report)?;
    crowds(report)?;
    bystanders(report)
}

/// Connects and closes, again and again.
fn cycles(report: &mut Report) -> Outcome<()> {
    let title = "Cycles: connect and close, one at a time";
    if !report.wants(title) {
        return Ok(());
    }
    let (rounds, cycles) = (report.choose(7, 3), report.choose(8_000, 300));
    let candidates = [
        (Kind::Textbook, Speech::Text),
        (Kind::Limit, Speech::Text),
        (Kind::Memory, Speech::Text),
        (Kind::Memory, Speech::Json),
    ];
    let mut servers = Vec::new();
    for (kind, speech) in candidates {
        let server = Server::start(kind, Cores::One)?;
        let fleet = Fleet::new(server.address)?;
        servers.push((server, fleet, speech, Vec::new()));
    }
    for _ in 0..rounds {
        for (server, fleet, speech, costs) in &mut servers {
            let before = server.cpu()?;
            // One at a time: no other client is there to be notified.
            for _ in 0..cycles {
                fleet.call_all([Caller::new(*speech)])?;
                fleet.dismiss(0)?;
            }
            fleet.settle(Duration::from_millis(200))?;
            costs.push(server.cpu()?.saturating_sub(before).as_secs_f64() / number(cycles));
        }
    }
    Report::table(title, &["CPU a cycle", "of the textbook"]);
    let textbook = median(&servers[0].3);
    for (server, _, speech, costs) in &servers {
        let cost = median(costs);
        let name = format!("{}, {speech:?}", server.kind.name());
        Report::row(&name, &[format!("{:.0} us", cost * 1e6), format!("{:.2}", cost / textbook)]);
        report.keep("cycle", &name, "CPU seconds", cost);
    }
    Ok(())
}

/// Many clients join one room and leave it. The cost of each must not grow with their number.
fn crowds(report: &mut Report) -> Outcome<()> {
    let title = "Crowds join one room and leave";
    if !report.wants(title) {
        return Ok(());
    }
    Report::table(title, &["CPU a head, text", "CPU a head, JSON"]);
    for crowd in report.choose(vec![1_000, 3_000, 10_000], vec![300, 3_000]) {
        let mut cells = Vec::new();
        for speech in [Speech::Text, Speech::Json] {
            let server = Server::start(Kind::Memory, Cores::One)?;
            let mut fleet = Fleet::new(server.address)?;
            let before = server.cpu()?;
            fleet.call_all(std::iter::repeat_n(Caller::new(speech), crowd))?;
            fleet.dismiss(0)?;
            fleet.settle(Duration::from_secs(1))?;
            let cost = server.cpu()?.saturating_sub(before).as_secs_f64() / number(crowd as u64);
            cells.push(format!("{:.0} us", cost * 1e6));
            report.keep(&format!("crowd {speech:?}"), &crowd.to_string(), "CPU seconds a head", cost);
        }
        Report::row(&format!("{crowd} heads"), &cells);
    }
    Ok(())
}

/// Two people chat while thousands join. Measures the latency of their messages.
fn bystanders(report: &mut Report) -> Outcome<()> {
    let newcomers: u32 = report.choose(5_000, 1_000);
    let title = format!(
        "Storm: two talk while {newcomers} come in within {}",
        report.choose("a second", "a fifth of a second")
    );
    if !report.wants(&title) {
        return Ok(());
    }
    Report::table(&title, &["p50", "p99", "longest", "it took"]);
    for kind in [Kind::Memory, Kind::Disk, Kind::Textbook] {
        let server = Server::start(kind, Cores::One)?;
        let mut two = Fleet::new(server.address)?;
        let elsewhere = || Caller::new(Speech::Text).room("elsewhere");
        two.call_all([elsewhere(), elsewhere()])?;
        let address = server.address;
        let storm = std::thread::spawn(move || storm(address, newcomers));
        let (mut took, mut said_at) = (Vec::new(), Vec::new());
        while !storm.is_finished() {
            said_at.push(Instant::now());
            two.say(0, 1, 100)?;
            let mut heard = 0;
            while heard < 2 {
                two.turn(Duration::from_millis(100), &mut |arrival| {
                    heard += 1;
                    took.extend(said_at.get(arrival.number as usize).map(|at| at.elapsed().as_secs_f64()));
                })?;
            }
            two.idle(Duration::from_millis(2))?;
        }
        let (lasted, _stay) = storm.join().map_err(|_| "the storm failed")??;
        let cells = [percentile(&took, 50), percentile(&took, 99), percentile(&took, 100)];
        let mut cells = cells.map(|seconds| format!("{:.1} ms", seconds * 1e3)).to_vec();
        cells.push(format!("{lasted:.2?}"));
        Report::row(kind.name(), &cells);
        report.keep("bystanders", kind.name(), "longest seconds", percentile(&took, 100));
    }
    Ok(())
}

/// Connects this many clients, five every millisecond. Returns the time it took, and the
/// connections.
fn storm(server: std::net::SocketAddr, newcomers: u32) -> Outcome<(Duration, Fleet)> {
    let begin = Instant::now();
    let mut fleet = Fleet::new(server)?;
    let mut called = 0;
    while fleet.open() < newcomers as usize {
        while called < newcomers && begin.elapsed() >= Duration::from_millis(1) * (called / 5) {
            fleet.call(Caller::new(Speech::Text))?;
            called += 1;
        }
        fleet.turn(Duration::from_millis(1), &mut |_| {})?;
        if begin.elapsed() > Duration::from_mins(1) {
            return Err("the newcomers did not come in".into());
        }
    }
    Ok((begin.elapsed(), fleet))
}
