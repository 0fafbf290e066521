//! Maximum throughput. Every sender keeps a fixed number of messages in flight, and the kernel
//! reports the server's CPU time. CPU a delivery is the figure that is stable on a shared machine.

use std::time::{Duration, Instant};

use crate::{
    Outcome,
    fleet::{Caller, Fleet, Speech},
    process::{Cores, Kind, Server},
    report::{Report, median, number},
};

/// If no echo arrives for this long, a message is lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The shape of the traffic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) senders: usize,
    pub(crate) readers: usize,
    /// How many messages of each sender are in flight: sent, and not yet echoed to it.
    pub(crate) window: u32,
    /// Bytes of text.
    pub(crate) length: usize,
    pub(crate) speech: Speech,
}

/// The result of one round.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// CPU seconds of the server for a million deliveries.
    pub(crate) cost: f64,
}

/// One server with its clients.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) fleet: Fleet,
    talk: Talk,
}

impl Stage {
    /// Starts a server and connects all clients.
    pub(crate) fn set(kind: Kind, cores: Cores, talk: Talk) -> Outcome<Self> {
        let server = Server::start(kind, cores)?;
        let mut fleet = Fleet::new(server.address)?;
        fleet.call_all(std::iter::repeat_n(Caller::new(talk.speech), talk.readers))?;
        fleet.settle(Duration::from_millis(300))?;
        Ok(Self { server, fleet, talk })
    }

    /// Makes the senders send for `length`, and until everything has arrived everywhere.
    pub(crate) fn play(&mut self, length: Duration) -> Outcome<Sample> {
        let (cpu, begin) = (self.server.cpu()?, Instant::now());
        let deliveries = talk(&mut self.fleet, self.talk, length)?;
        let cpu = self.server.cpu()?.saturating_sub(cpu).as_secs_f64();
        let deliveries = number(deliveries);
        Ok(Sample { rate: deliveries / begin.elapsed().as_secs_f64(), cost: cpu / deliveries * 1e6 })
    }
}

/// Makes the senders send, and returns the number of deliveries.
pub(crate) fn talk(fleet: &mut Fleet, talk: Talk, length: Duration) -> Outcome<u64> {
    let begin = Instant::now();
    let first: Vec<u32> = (0..talk.senders).map(|sender| fleet.number(sender)).collect();
    let mut echoed = first.clone();
    let (mut deliveries, mut last) = (0_u64, Instant::now());
    loop {
        let over = begin.elapsed() >= length;
        let mut said = 0;
        for sender in 0..talk.senders {
            let under_way = fleet.number(sender) - echoed[sender];
            if !over && under_way < talk.window {
                fleet.say(sender, talk.window - under_way, talk.length)?;
            }
            said += u64::from(fleet.number(sender) - first[sender]);
        }
        if over && deliveries == said * talk.readers as u64 {
            return Ok(deliveries);
        }
        let before = deliveries;
        fleet.turn(Duration::from_millis(100), &mut |arrival| {
            deliveries += 1;
            if arrival.reader == arrival.sender {
                echoed[arrival.sender] = arrival.number + 1;
            }
        })?;
        if deliveries > before {
            last = Instant::now();
        } else if last.elapsed() > PATIENCE {
            let missing = said * talk.readers as u64 - deliveries;
            return Err(format!("{missing} deliveries are missing").into());
        }
    }
}

/// Runs several servers in alternation, and returns the samples of each.
pub(crate) fn in_turns(stages: &mut [Stage], rounds: usize, length: Duration) -> Outcome<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::new(); stages.len()];
    for stage in stages.iter_mut() {
        stage.play(length / 4)?;
    }
    for _ in 0..rounds {
        for (stage, samples) in stages.iter_mut().zip(&mut samples) {
            samples.push(stage.play(length)?);
        }
    }
    Ok(samples)
}

/// Returns the median of a figure.
pub(crate) fn middle(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    median(&samples.iter().map(figure).collect::<Vec<_>>())
}

/// How many bytes JSON adds to a text of ours. The limit knows no JSON, so it is given frames of
/// the same length.
const FRAME_OVERHEAD: usize = 125;

/// The rows of the table.
const TALKS: [(&str, Talk); 8] = [
    ("1 to 1,000", Talk { senders: 1, readers: 1000, window: 64, length: 100, speech: Speech::Text }),
    ("1 to 1,000, 1 KiB", Talk { senders: 1, readers: 1000, window: 64, length: 1024, speech: Speech::Text }),
    ("10 to 100", Talk { senders: 10, readers: 100, window: 64, length: 100, speech: Speech::Text }),
    ("100 to 100", Talk { senders: 100, readers: 100, window: 1, length: 100, speech: Speech::Text }),
    ("100 to 100, 1 KiB", Talk { senders: 100, readers: 100, window: 1, length: 1024, speech: Speech::Text }),
    ("1 to 1,000, JSON", Talk { senders: 1, readers: 1000, window: 64, length: 100, speech: Speech::Json }),
    ("1 to 1,000, 1 KiB, JSON", Talk { senders: 1, readers: 1000, window: 64, length: 1024, speech: Speech::Json }),
    ("100 to 100, JSON", Talk { senders: 100, readers: 100, window: 1, length: 100, speech: Speech::Json }),
];

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let rounds = report.choose(5, 3);
    let length = Duration::from_millis(report.choose(1200, 400));
    let all = [Kind::Limit, Kind::Memory, Kind::Disk, Kind::Bun, Kind::Textbook];
    for (name, talk) in TALKS {
        let title =
            format!("Throughput, {name} ({} bytes, {} under way)", talk.length, talk.window as usize * talk.senders);
        if !report.wants(&title) {
            continue;
        }
        Report::table(&title, &["deliveries/s", "of the limit", "CPU s/M", "of the limit"]);
        let speaks = |kind: &Kind| match kind {
            Kind::Limit | Kind::Memory | Kind::Disk => true,
            Kind::Bun | Kind::Textbook => talk.speech == Speech::Text,
        };
        let kinds = all.iter().copied().filter(|kind| speaks(kind) && Server::is_here(*kind));
        let set = |kind| match (kind, talk.speech) {
            (Kind::Limit, Speech::Json) => Stage::set(
                kind,
                Cores::One,
                Talk { speech: Speech::Text, length: talk.length + FRAME_OVERHEAD, ..talk },
            ),
            _ => Stage::set(kind, Cores::One, talk),
        };
        let mut stages = kinds.map(set).collect::<Outcome<Vec<_>>>()?;
        let samples = in_turns(&mut stages, rounds, length)?;
        let limit = samples.first().map(|samples| (middle(samples, |s| s.rate), middle(samples, |s| s.cost)));
        let (limit_rate, limit_cost) = limit.unwrap_or_default();
        for (stage, samples) in stages.iter().zip(&samples) {
            let kind = stage.server.kind.name();
            let (rate, cost) = (middle(samples, |s| s.rate), middle(samples, |s| s.cost));
            let ratio = |figure: f64, limit: f64| format!("{:.2}", figure / limit);
            let cells = [
                format!("{:.2} M", rate / 1e6),
                ratio(rate, limit_rate),
                format!("{cost:.3}"),
                ratio(cost, limit_cost),
            ];
            Report::row(kind, &cells);
            report.keep(&format!("throughput {name}"), kind, "deliveries a second", rate);
            report.keep(&format!("throughput {name}"), kind, "CPU seconds a million", cost);
        }
    }
    Ok(())
}
