//! Whether a delivery costs the same with ten and with ten thousand readers, and in one room and in
//! a thousand.

use std::time::{Duration, Instant};

use super::{
    cores::NAP,
    throughput::{Stage, Talk, in_turns, middle},
};
use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, median, number},
};

/// The number of people in each room.
const AT_HOME: usize = 10;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    readers(report)?;
    rooms(report)
}

/// With few readers, a message costs mostly what it takes to read it; so the limit is shown beside
/// it.
fn readers(report: &mut Report) -> Outcome<()> {
    let (rounds, length) = (report.choose(5, 2), Duration::from_millis(report.choose(1500, 300)));
    let title = "Readers: one speaks, 64 under way";
    if !report.wants(title) {
        return Ok(());
    }
    Report::table(title, &["deliveries/s", "CPU s/M", "limit: CPU s/M", "of the limit"]);
    for readers in report.choose(vec![10, 100, 1_000, 10_000], vec![10, 1_000]) {
        let talk = Talk { senders: 1, readers, window: 64, length: 100, speech: Speech::Text };
        // One after the other: one process cannot hold two of the largest groups.
        let limit = in_turns(&mut [Stage::set(Kind::Limit, Cores::One, talk)?], rounds, length)?;
        let samples = in_turns(&mut [Stage::set(Kind::Memory, Cores::One, talk)?], rounds, length)?;
        let (rate, cost) = (middle(&samples[0], |s| s.rate), middle(&samples[0], |s| s.cost));
        let limit = middle(&limit[0], |s| s.cost);
        let cells = [
            format!("{:.2} M", rate / 1e6),
            format!("{cost:.3}"),
            format!("{limit:.3}"),
            format!("{:.2}", cost / limit),
        ];
        Report::row(&format!("{readers} readers"), &cells);
        report.keep("readers", &readers.to_string(), "CPU seconds a million", cost);
    }
    Ok(())
}

/// Ten people in every room. One of them sends again soon after its own echo. The generator sleeps
/// between two polls; otherwise the server would wake it for each of the many short writes.
fn rooms(report: &mut Report) -> Outcome<()> {
    let (rounds, length) = (report.choose(5, 2), Duration::from_millis(report.choose(1500, 300)));
    let title = "Rooms: ten people each, one message a room under way";
    if !report.wants(title) {
        return Ok(());
    }
    Report::table(title, &["deliveries/s", "CPU s/M", "limit: CPU s/M", "of the limit"]);
    for rooms in report.choose(vec![1, 10, 100, 1_000], vec![1, 100]) {
        // One after the other: one process cannot hold two of the largest groups.
        let (_, limit) = in_rooms(Kind::Limit, rooms, rounds, length)?;
        let (rate, cost) = in_rooms(Kind::Memory, rooms, rounds, length)?;
        let cells = [
            format!("{:.2} M", rate / 1e6),
            format!("{cost:.3}"),
            format!("{limit:.3}"),
            format!("{:.2}", cost / limit),
        ];
        Report::row(&format!("{rooms} rooms"), &cells);
        report.keep("rooms", &rooms.to_string(), "CPU seconds a million", cost);
        report.keep("rooms of the limit", &rooms.to_string(), "CPU seconds a million", limit);
    }
    Ok(())
}

/// Returns deliveries a second and CPU seconds a million.
fn in_rooms(kind: Kind, rooms: usize, rounds: usize, length: Duration) -> Outcome<(f64, f64)> {
    let server = Server::start(kind, Cores::One)?;
    let mut fleet = Fleet::new(server.address)?;
    // The first client of each room connects first, so that the senders are the first clients.
    let callers = (0..rooms * AT_HOME).map(|number| Caller::new(Speech::Text).room(format!("room-{}", number % rooms)));
    fleet.call_all(callers)?;
    fleet.settle(Duration::from_millis(300))?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (cpu, begin) = (server.cpu()?, Instant::now());
        let deliveries = number(talk_in_rooms(&mut fleet, rooms, length)?);
        costs.push(server.cpu()?.saturating_sub(cpu).as_secs_f64() / deliveries * 1e6);
        rates.push(deliveries / begin.elapsed().as_secs_f64());
    }
    Ok((median(&rates), median(&costs)))
}

fn talk_in_rooms(fleet: &mut Fleet, rooms: usize, length: Duration) -> Outcome<u64> {
    let begin = Instant::now();
    let (mut deliveries, mut said) = (0_u64, 0_u64);
    let mut ready: Vec<usize> = (0..rooms).collect();
    while begin.elapsed() < length || deliveries < said * AT_HOME as u64 {
        if begin.elapsed() < length {
            for sender in ready.drain(..) {
                fleet.say(sender, 1, 100)?;
                said += 1;
            }
        }
        fleet.turn(Duration::from_millis(100), &mut |arrival| {
            deliveries += 1;
            if arrival.reader == arrival.sender {
                ready.push(arrival.sender);
            }
        })?;
        std::thread::sleep(NAP);
        if begin.elapsed() > length + Duration::from_secs(30) {
            return Err("messages are missing".into());
        }
    }
    Ok(deliveries)
}
