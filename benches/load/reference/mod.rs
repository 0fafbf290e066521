//! The servers to compare with: written for this benchmark, each in its own process.

mod limit;
mod textbook;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use crate::Outcome;

/// Runs the reference server of that name, for ever.
pub(crate) fn serve(name: &str) -> Outcome<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    match name {
        "limit" => limit::serve(address),
        "textbook" => textbook::serve(address),
        _ => Err(format!("there is no reference called {name}").into()),
    }
}

/// Prints the same first line as our server.
fn say_where(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on ws://{address}")?;
    stdout.flush()
}
