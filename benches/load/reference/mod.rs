//! What we are measured against: written for the purpose, each in a process of its own.

mod limit;
mod textbook;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use crate::Outcome;

/// Serves as the reference of that name, for ever.
pub(crate) fn serve(name: &str) -> Outcome<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    match name {
        "limit" => limit::serve(address),
        "textbook" => textbook::serve(address),
        _ => Err(format!("there is no reference called {name}").into()),
    }
}

/// Says what our server says in its first line.
fn say_where(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on ws://{address}")?;
    stdout.flush()
}
