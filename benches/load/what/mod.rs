//! The measurements, one file each.

mod churn;
mod client;
mod cores;
mod idle;
mod latency;
mod memory;
mod scaling;
mod throughput;

use crate::{Outcome, report::Report};

/// Runs a measurement and prints it.
pub(crate) type Measure = fn(&mut Report) -> Outcome<()>;

/// All measurements, by name.
pub(crate) const ALL: [(&str, Measure); 8] = [
    ("throughput", throughput::measure),
    ("latency", latency::measure),
    ("memory", memory::measure),
    ("idle", idle::measure),
    ("churn", churn::measure),
    ("scaling", scaling::measure),
    ("cores", cores::measure),
    ("client", client::measure),
];
