//! The cost of an idle server: pings, spread over their interval.

use std::time::Duration;

use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::Report,
};

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let readers = report.choose(10_000, 2_000);
    // Longer than the ping interval.
    let length = Duration::from_secs(report.choose(60, 6));
    Report::table(&format!("CPU of an idle server, {readers} connections, {length:?}"), &["of a core"]);
    for speech in [Speech::Text, Speech::Json] {
        let server = Server::start(Kind::Memory, Cores::One)?;
        let mut fleet = Fleet::new(server.address)?;
        fleet.call_all(std::iter::repeat_n(Caller::new(speech), readers))?;
        fleet.settle(Duration::from_secs(1))?;
        let before = server.cpu()?;
        fleet.idle(length)?;
        let share = server.cpu()?.saturating_sub(before).as_secs_f64() / length.as_secs_f64();
        Report::row(&format!("{speech:?}"), &[format!("{:.2} %", share * 100.0)]);
        report.keep("idle", &format!("{speech:?}"), "share of a core", share);
    }
    Ok(())
}
