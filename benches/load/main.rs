//! The cost of our server beside servers that were written for comparison. Prints tables of ratios.
//!
//! `cargo bench --bench load -- [--quick] [--csv FILE] [WHAT...]`; without `WHAT` everything. The
//! servers run in alternation, so that all have the same conditions; a figure is the median of the
//! rounds.
#![expect(clippy::print_stdout, reason = "the tables are the product")]

mod fleet;
mod frames;
mod process;
mod reference;
mod report;
mod what;

use std::{error::Error, path::PathBuf};

use clap::Parser;

use self::report::Report;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measure the server and the client beside servers that were written for comparison.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run a shorter and smaller version, with rough figures
    #[arg(long)]
    quick: bool,
    /// Also write every figure to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Only the tables with this text in their title
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// What to measure: throughput, latency, memory, idle, churn, scaling, cores, client;
    /// everything by default
    what: Vec<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    // A reference server is this same program.
    if let [_, serve, name, ..] = std::env::args().collect::<Vec<_>>().as_slice()
        && serve == "serve"
    {
        return reference::serve(name);
    }
    let arguments = Arguments::parse();
    if let Some(unknown) = arguments.what.iter().find(|name| !what::ALL.iter().any(|(known, _)| known == name)) {
        return Err(format!("nothing is called {unknown}").into());
    }
    let mut report = Report::new(arguments.quick, arguments.only);
    for (name, measure) in what::ALL {
        if arguments.what.is_empty() || arguments.what.iter().any(|wanted| wanted == name) {
            measure(&mut report)?;
        }
    }
    if let Some(unknown) = report.unknown() {
        return Err(format!("no table has {unknown:?} in its title").into());
    }
    if let Some(path) = arguments.csv {
        std::fs::write(&path, report.csv()).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
