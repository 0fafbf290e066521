//! One attempt to connect: resolve, dial, and the opening handshake, each under a deadline.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tokio_websockets::{ClientBuilder, Error as WebSocketError, WebSocketStream, upgrade};

use crate::{
    client::address::Address,
    os,
    wire::{Dialect, Limits, SUBPROTOCOL},
};

/// For the name to be resolved and one of its addresses to answer.
const DIAL: Duration = Duration::from_secs(10);

/// What a server may send before its answer to the handshake ends; the library itself would hold any amount.
const ANSWER: usize = 16 * 1024;

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

/// A connection whose opening handshake is done.
pub(super) struct Connection<S> {
    pub(super) stream: WebSocketStream<Budgeted<S>>,
    pub(super) dialect: Dialect,
}

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
                Some("start one with: cargo run --bin server".to_owned())
            }
            Self::Dial { address, refused: true, .. } if address.is_local() => {
                let (host, port) = (address.host(), address.port());
                let host = if host == "localhost" { "127.0.0.1" } else { host };
                let listen = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                Some(format!("start one with: cargo run --bin server -- --listen {listen}"))
            }
            _ => None,
        }
    }
}

/// Makes one connection.
///
/// # Errors
/// Whatever went wrong, also when the handshake broke the library.
pub(super) async fn connect<D: Dial>(dialer: &D, address: &Address) -> Result<Connection<D::Stream>, ConnectError> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let stream =
        timeout(DIAL, dialer.dial(address)).await.map_err(late).flatten().map_err(|error| ConnectError::Dial {
            address: Box::new(address.clone()),
            refused: error.kind() == io::ErrorKind::ConnectionRefused,
            reason: os::reason(&error),
        })?;
    let handshake = |reason| ConnectError::Handshake { address: Box::new(address.clone()), reason };
    let attempt = timeout(Limits::HANDSHAKE, shake_hands(address.clone(), stream));
    // A task of its own: a Sec-WebSocket-Accept that is too long panics inside the library.
    match AbortOnDropHandle::new(tokio::spawn(attempt)).await {
        Ok(Ok(done)) => done.map_err(handshake),
        Ok(Err(_)) => Err(handshake("the server does not answer the handshake".to_owned())),
        Err(_) => Err(handshake("the server's answer to the handshake is broken".to_owned())),
    }
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
    let candidates: Vec<_> = resolved.map_err(|_| io::Error::other("the host is not known"))?.collect();
    let mut last = io::Error::other("the host has no address");
    for (tried, candidate) in candidates.iter().enumerate() {
        // What is left is shared by those that are left, so that one dead address does not hide a living one.
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

async fn shake_hands<S>(address: Address, stream: S) -> Result<Connection<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Budgeted { stream, left: Some(ANSWER) };
    let builder = ClientBuilder::from_uri(address.uri().clone())
        .limits(tokio_websockets::Limits::default().max_payload_len(Some(Limits::INBOUND)))
        .add_header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL))
        .map_err(|error| explain(&error))?;
    let (mut stream, response) = builder.connect_on(stream).await.map_err(|error| explain(&error))?;
    stream.get_mut().left = None;
    let dialect = match response.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        None => Dialect::Text,
        Some(chosen) if chosen == SUBPROTOCOL => Dialect::Json,
        // RFC 6455 section 4.1: a subprotocol that was not offered fails the connection.
        Some(_) => return Err("the server chose a subprotocol that was not offered".to_owned()),
    };
    Ok(Connection { stream, dialect })
}

/// Says what `error` means to whoever wants to chat.
pub(super) fn explain(error: &WebSocketError) -> String {
    match error {
        WebSocketError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        WebSocketError::Io(error) => os::reason(error),
        WebSocketError::Upgrade(upgrade::Error::DidNotSwitchProtocols(status)) => status_in_words(*status),
        WebSocketError::Upgrade(upgrade::Error::WrongWebSocketAccept | upgrade::Error::MissingHeader(_)) => {
            "what answers there is not a WebSocket server".to_owned()
        }
        WebSocketError::Upgrade(upgrade::Error::Parsing(_)) => "what answers there does not speak HTTP".to_owned(),
        WebSocketError::PayloadTooLong { len, max_len } => {
            format!("the server sent a frame of {len} bytes, and {max_len} are the most")
        }
        WebSocketError::Protocol(error) => format!("the server broke the WebSocket protocol: {error}"),
        error => error.to_string(),
    }
}

fn status_in_words(status: u16) -> String {
    match status {
        401 => "the server wants to know who you are (401)".to_owned(),
        403 => "the server does not let you in (403)".to_owned(),
        404 => "there is no such room (404)".to_owned(),
        426 => "the server wants another version of the protocol (426)".to_owned(),
        429 => "the server says that you connect too often (429)".to_owned(),
        503 => "the server is full, or this address has too many connections (503)".to_owned(),
        200..=299 => format!("an HTTP server answers there, but no chat ({status})"),
        300..=399 => format!("the server points to another address ({status})"),
        _ => format!("the server refused with HTTP status {status}"),
    }
}

/// A stream that fails once more bytes were read than it has left; without a number it has no end.
pub(super) struct Budgeted<S> {
    stream: S,
    left: Option<usize>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Budgeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        if let Some(left) = &mut self.left {
            match left.checked_sub(read) {
                Some(rest) => *left = rest,
                None => return Poll::Ready(Err(io::Error::other("the server's answer to the handshake has no end"))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Budgeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
