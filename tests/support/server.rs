//! Our own server, for tests of its protocol.

use std::net::SocketAddr;

use super::process::Process;

/// A running server. Dropping it kills it.
pub struct Server {
    /// The address it listens on.
    pub address: SocketAddr,
    /// The program itself.
    pub process: Process,
}

/// Returns a server on a free port with default settings.
pub async fn start() -> Server {
    start_with(&[]).await
}

/// Returns a server on a free port with further `arguments`.
pub async fn start_with(arguments: &[&str]) -> Server {
    let mut process = Process::server(&[&["--listen", "127.0.0.1:0"], arguments].concat());
    let address = process.address().await;
    Server { address, process }
}

/// Returns an address where nobody listens.
pub fn unused_address() -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("its address").to_string()
}
