//! How much our server costs, beside servers that were written to be compared with: prints tables of ratios.
//!
//! `cargo bench --bench load -- [--quick] [--csv FILE] [WHAT...]`; without `WHAT` all of it. Whatever is compared runs in turns,
//! so that all meet the machine in the same mood; a figure is the median of the rounds.
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

/// Measures the server and the client beside servers that were written to be compared with.
#[derive(Debug, Parser)]
struct Arguments {
    /// Shorter and smaller: shows that all of it works, and the figures roughly
    #[arg(long)]
    quick: bool,
    /// Writes every figure into this file, too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Only the tables with this in their title
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// What is measured: throughput, latency, memory, idle, churn, scaling, cores, client; all without it
    what: Vec<String>,
    /// Is given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    // A reference server is this very program.
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
