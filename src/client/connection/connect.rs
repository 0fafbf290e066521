//! One attempt to connect: name resolution, dialling and the opening handshake, each with a
//! timeout.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use tokio_websockets::Error as WebSocketError;

use super::handshake::{self, Established};
use crate::{client::address::Address, os, protocol::Limits};

/// The timeout for resolving the name and for connecting to one of its addresses.
const DIAL: Duration = Duration::from_secs(10);

/// The reason for a name that does not resolve.
const UNKNOWN_HOST: &str = "the host is not known";

/// How to reach a server.
pub trait Dial: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Returns a new connection. The future is dropped if it takes longer than 10 s.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    fn dial(&self, address: &Address) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Dials over TCP and tries all addresses of the host in turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

/// The reason why there is no connection. The message is shown to the user.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name did not resolve, or no address of it accepted the connection.
    #[error("cannot connect to {address}: {reason}")]
    Dial {
        /// The address of the server.
        address: Box<Address>,
        /// The reason for the failure.
        reason: String,
        /// Whether the host answered but nothing listens on the port.
        refused: bool,
    },
    /// The server did not answer the handshake with a WebSocket connection.
    #[error("cannot connect to {address}: {reason}")]
    Handshake {
        /// The address of the server.
        address: Box<Address>,
        /// The reason for the failure.
        reason: String,
    },
    /// The server repeatedly sent a frame larger than we accept.
    #[error("{0}, again and again")]
    TooBig(String),
    /// Another connection took over this session, and the server closed ours.
    #[error("this session goes on in another connection")]
    TakenOver,
}

impl ConnectError {
    /// Returns what the user can do about the error.
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
/// Returns a [`ConnectError`] if dialling or the handshake fails.
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
        // The remaining addresses share the remaining time, so that a dead address does not hide a
        // working one.
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

/// Maps a failed name resolution to the error for an unknown host.
pub(super) fn resolved<T>(found: io::Result<T>) -> io::Result<T> {
    found.map_err(|_| io::Error::other(UNKNOWN_HOST))
}

/// Describes `error` for the user.
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
