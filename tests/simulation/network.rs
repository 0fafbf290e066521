//! The simulated network: a listener, a dialer, and streams that break where the test wants it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use broadcast_chat::{
    client::{address::Address, connection::Dial},
    server::{Listen, Transport},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// The port of the simulated server.
pub(crate) const PORT: u16 = 8080;

/// How many bytes the streams of one host may still send before they break, even if that is in the
/// middle of a frame. Clones share the same fuse.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fuse(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    left: Option<usize>,
    blown: bool,
    ready: bool,
}

impl Fuse {
    /// Lets `bytes` more through, and then nothing.
    pub(crate) fn light(&self, bytes: usize) {
        *self.state() = State { left: Some(bytes), ..State::default() };
    }

    /// Lets everything through, as at the beginning.
    pub(crate) fn replace(&self) {
        *self.state() = State::default();
    }

    /// Returns whether a server with this fuse listens.
    pub(crate) fn is_ready(&self) -> bool {
        self.state().ready
    }

    /// Returns whether a stream wanted to send after the fuse was used up.
    pub(crate) fn is_blown(&self) -> bool {
        self.state().blown
    }

    /// Returns how many of `wanted` bytes may be sent; none if the fuse is blown.
    fn allows(&self, wanted: usize) -> Option<usize> {
        let mut state = self.state();
        match state.left {
            None => Some(wanted),
            Some(0) => {
                state.blown = true;
                None
            }
            Some(left) => Some(wanted.min(left)),
        }
    }

    fn spend(&self, bytes: usize) {
        if let Some(left) = &mut self.state().left {
            *left = left.saturating_sub(bytes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a stream does when its fuse is blown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tear {
    /// It fails like a reset connection, and only this one: the next begins with a new fuse.
    Reset,
    /// It stalls, and so do all streams of the host: its process is dying between two instructions.
    Freeze,
}

/// A stream of the simulated network.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    fuse: Fuse,
    tear: Tear,
    torn: bool,
}

impl Wire {
    /// Returns how many of `wanted` bytes may be sent now.
    fn allows(&mut self, wanted: usize) -> Poll<io::Result<usize>> {
        if !self.torn {
            if let Some(allowed) = self.fuse.allows(wanted) {
                return Poll::Ready(Ok(allowed));
            }
            if self.tear == Tear::Freeze {
                return Poll::Pending;
            }
            self.torn = true;
            self.fuse.replace();
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.tear == Tear::Freeze {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let allowed = ready!(self.allows(buf.remaining()))?;
        let mut bytes = vec![0; allowed.min(4096)];
        let mut part = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        self.fuse.spend(part.filled().len());
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = ready!(self.allows(bytes.len()))?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]))?;
        self.fuse.spend(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The listener of the simulated server.
pub(crate) struct Listener {
    listener: TcpListener,
    fuse: Fuse,
}

impl Listener {
    /// Listens on [`PORT`] of the current host.
    pub(crate) async fn bind(fuse: Fuse) -> io::Result<Self> {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        fuse.replace();
        fuse.state().ready = true;
        Ok(Self { listener, fuse })
    }
}

impl Transport for Wire {}

impl Listen for Listener {
    type Accepted = Wire;

    async fn accept(&self) -> io::Result<(Wire, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((Wire { stream, fuse: self.fuse.clone(), tear: Tear::Freeze, torn: false }, peer))
    }
}

/// The dialer of a simulated client.
pub(crate) struct Dialer(pub(crate) Fuse);

impl Dial for Dialer {
    type Stream = Wire;

    async fn dial(&self, address: &Address) -> io::Result<Wire> {
        let stream = TcpStream::connect((address.host(), address.port())).await?;
        Ok(Wire { stream, fuse: self.0.clone(), tear: Tear::Reset, torn: false })
    }
}
