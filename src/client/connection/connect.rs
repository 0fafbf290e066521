//! One attempt to connect: resolve, dial, and the opening handshake, each under a deadline.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use tokio_websockets::Error as WebSocketError;

use super::handshake::{self, Established};
use crate::{client::address::Address, os, protocol::Limits};

/// For the name to be resolved and one of its addresses to answer.
const DIAL: Duration = Duration::from_secs(10);

/// What is said of a name that no address is known for.
const UNKNOWN_HOST: &str = "the host is not known";

/// How a server is reached.
pub trait Dial: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Returns a new connection. It is dropped where it takes longer than 10 s.
    ///
    /// # Errors
    /// Whatever the system says.
    fn dial(&self, address: &Address) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Over TCP: all addresses of the host are tried in turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

/// Why there is no connection; its words are for people.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name could not be resolved, or no address of it took the connection.
    #[error("cannot connect to {address}: {reason}")]
    Dial {
        /// Where.
        address: Box<Address>,
        /// What went wrong.
        reason: String,
        /// Whether somebody is there who does not listen at this port.
        refused: bool,
    },
    /// The server answered the handshake with something else than a connection.
    #[error("cannot connect to {address}: {reason}")]
    Handshake {
        /// Where.
        address: Box<Address>,
        /// What went wrong.
        reason: String,
    },
    /// What the server says is more than we take, each time.
    #[error("{0}, again and again")]
    TooBig(String),
    /// Another connection of this session came, and the server ended ours.
    #[error("this session goes on in another connection")]
    TakenOver,
}

impl ConnectError {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dial { address, refused: true, .. } if address.is_default() => {
                Some(format!("start one with: {}", os::command("server", "")))
            }
            Self::Dial { address, refused: true, .. } if address.is_local() => {
                let (host, port) = (address.host(), address.port());
                let host = if host == "localhost" { "127.0.0.1" } else { host };
                let listen = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                Some(format!("start one with: {}", os::command("server", &format!("--listen {listen}"))))
            }
            Self::Dial { reason, .. } if reason == UNKNOWN_HOST => {
                Some("check the name, and whether this machine has a network".to_owned())
            }
            _ => None,
        }
    }
}

/// Makes one connection.
///
/// # Errors
/// Whatever went wrong.
pub(super) async fn connect<D: Dial>(dialer: &D, address: &Address) -> Result<Established<D::Stream>, ConnectError> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let stream =
        timeout(DIAL, dialer.dial(address)).await.map_err(late).flatten().map_err(|error| ConnectError::Dial {
            address: Box::new(address.clone()),
            refused: error.kind() == io::ErrorKind::ConnectionRefused,
            reason: os::reason(&error),
        })?;
    let failed = |reason| ConnectError::Handshake { address: Box::new(address.clone()), reason };
    let done = timeout(Limits::HANDSHAKE, handshake::shake_hands(address, stream)).await;
    done.unwrap_or_else(|_| Err("the server does not answer the handshake".to_owned())).map_err(failed)
}

impl Dial for Tcp {
    type Stream = TcpStream;

    async fn dial(&self, address: &Address) -> io::Result<TcpStream> {
        dial(address).await
    }
}

async fn dial(address: &Address) -> io::Result<TcpStream> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let until = Instant::now() + DIAL;
    let resolved = timeout(DIAL, lookup_host((address.host(), address.port()))).await.map_err(late)?;
    let candidates: Vec<_> = self::resolved(resolved)?.collect();
    let mut last = io::Error::other("the host has no address");
    for (tried, candidate) in candidates.iter().enumerate() {
        // What is left is shared by those that are left, so that one dead address does not hide a
        // living one.
        let share = u32::try_from(candidates.len() - tried).unwrap_or(u32::MAX);
        let patience = until.saturating_duration_since(Instant::now()) / share;
        match timeout(patience, TcpStream::connect(candidate)).await.map_err(late).flatten() {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns what a name was resolved to, if it was.
pub(super) fn resolved<T>(found: io::Result<T>) -> io::Result<T> {
    found.map_err(|_| io::Error::other(UNKNOWN_HOST))
}

/// Says what `error` means to whoever wants to chat.
pub(super) fn explain(error: &WebSocketError) -> String {
    match error {
        WebSocketError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        WebSocketError::Io(error) => os::reason(error),
        WebSocketError::PayloadTooLong { len, max_len } => {
            format!("the server sent a frame of {len} bytes; the maximum is {max_len}")
        }
        WebSocketError::Protocol(error) => format!("the server broke the WebSocket protocol: {error}"),
        error => error.to_string(),
    }
}
