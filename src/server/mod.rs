//! The server: takes a bound listener and a future that says when to stop, and serves until then.

mod admission;
mod handshake;
mod hub;
mod rate_limit;
mod session;
mod turns;
mod websocket;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

pub use self::handshake::origin::{AllowedOrigin, Origin};
use self::{
    admission::{Admission, Caps, ConnectionLimiter, LimitReached, Permit, Refusals, network},
    handshake::negotiate::Terms,
    rate_limit::Rate,
    session::Shared,
    turns::Turns,
    websocket::Socket,
};
use crate::{
    os,
    protocol::Limits,
    store::{Complaints, Store, StoreError, wall_clock},
};

/// If the last message is further in the future than this, the operator is warned: the clock is
/// wrong now, or was wrong then.
const TOLD_AHEAD: Duration = Duration::from_mins(1);

/// The settings that an operator may choose.
#[derive(Debug, Clone)]
pub struct Config {
    /// The maximum number of connections at one time; 0 means no cap.
    pub max_connections: u32,
    /// The maximum number of connections at one time from one address (an IPv6 /64 counts as one).
    /// As many lost connections from that address may keep their places. 0 means no cap.
    pub max_per_address: u32,
    /// The maximum number of new connections a second from one address; 0 means no limit.
    /// [`Limits::CONNECT_BURST`] seconds' worth may come at once.
    pub connect_rate: u32,
    /// The maximum number of connections above the caps that are told so at one time.
    pub refusals: usize,
    /// The maximum number of messages a second from a connection; 0 means no limit.
    pub rate: u32,
    /// The number of messages that a connection may send at once.
    pub burst: u32,
    /// The origins whose pages may connect, besides the server's own.
    pub allow_origins: Vec<AllowedOrigin>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: Limits::CONNECTIONS,
            max_per_address: Limits::PER_ADDRESS,
            connect_rate: Limits::CONNECT_RATE,
            refusals: Limits::REFUSALS,
            rate: Limits::RATE,
            burst: Limits::BURST,
            allow_origins: Vec::new(),
        }
    }
}

impl Config {
    /// Lowers the caps to what this number of file descriptors allows. A client above the cap is
    /// then told so. Without it, the system would refuse its connection and the client would wait
    /// without an answer.
    pub fn fit(&mut self, descriptors: u64) -> Fit {
        /// Reserved for the files that the store opens later, and for a connection that is accepted
        /// only to be closed.
        const OWN: u64 = 16;
        /// One descriptor in this many is reserved for connections that are refused.
        const SHARE: u64 = 8;
        /// With fewer connections than this, a server is not useful.
        const FEWEST: u64 = 4;
        let left = descriptors.saturating_sub(OWN);
        let refusals = (left / SHARE).max(1).min(self.refusals as u64);
        let connections = left.saturating_sub(refusals);
        if connections < FEWEST {
            return Fit::TooFew;
        }
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        self.refusals = usize::try_from(refusals).unwrap_or(self.refusals);
        let is_too_much = self.max_connections > connections;
        if is_too_much || self.max_connections == 0 {
            self.max_connections = connections;
        }
        if is_too_much { Fit::Fewer } else { Fit::All }
    }
}

/// What the number of file descriptors allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// All of [`Config::max_connections`].
    All,
    /// Fewer connections, which are now the cap.
    Fewer,
    /// Only a few connections. It is not worth starting the server.
    TooFew,
}

/// A byte stream that carries a connection.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Returns the local address that the peer has connected to, if there is one.
    fn local_ip(&self) -> Option<IpAddr> {
        None
    }

    /// Writes as much of `bytes` as the socket takes at once, and returns the number of bytes
    /// written. The bytes may be held back until more is written or the stream ends, so that they
    /// leave together. The caller must do one of the two soon.
    ///
    /// # Errors
    /// The error of the system; [`io::ErrorKind::Unsupported`] if bytes cannot be held back.
    fn send_before_end(&self, bytes: &[u8]) -> io::Result<usize> {
        let _ = bytes;
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Transport for TcpStream {
    fn local_ip(&self) -> Option<IpAddr> {
        self.local_addr().ok().map(|address| address.ip())
    }

    fn send_before_end(&self, bytes: &[u8]) -> io::Result<usize> {
        os::send_before_end(self, bytes)
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {}

/// A connection as the listener accepts it: TCP alone, before the handshake of any layer above.
pub trait Accepted: Send + 'static {
    /// The stream that carries HTTP and WebSocket.
    type Stream: Transport;

    /// Does the handshake of the layer above TCP, such as TLS. The task of the connection runs it
    /// after admission. It shares the deadline of the HTTP request, [`Limits::HANDSHAKE`].
    ///
    /// # Errors
    /// The error of the handshake. The connection is then closed without an answer.
    fn into_stream(self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl<T: Transport> Accepted for T {
    type Stream = T;

    async fn into_stream(self) -> io::Result<T> {
        Ok(self)
    }
}

/// A source of connections.
pub trait Listen: Send + Sync {
    /// A connection.
    type Accepted: Accepted;

    /// Returns the next connection and the address of its peer. Does not wait for anything that the
    /// peer sends. Cancel-safe.
    ///
    /// # Errors
    /// The error of the system. The next call may succeed.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Accepted, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Accepted = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Without it the kernel delays small writes by up to 40 ms. It fails only if the peer has
        // already gone.
        stream.set_nodelay(true).ok();
        Ok((stream, peer))
    }
}

/// Why the server could not continue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be read at the start.
    #[error("cannot read the message database: {0}")]
    Store(#[from] StoreError),
    /// The hub ended. Only a defect can cause this.
    #[error("the hub has failed")]
    Hub,
}

/// Serves connections of `listener` over `log` until `shutdown` resolves. Then it tells all
/// clients, and returns when all sessions have ended or [`Limits::DRAIN`] has passed.
///
/// Not cancel-safe: if the future is dropped, the sessions end without a close frame.
///
/// # Errors
/// An [`Error`] if the server cannot start or continue. A failed `accept` is not an error: it is
/// logged, and the server tries again after a short wait.
pub async fn serve(
    listener: impl Listen,
    config: Config,
    store: Store,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let at = store.last_at().await?;
    let ahead = Duration::from_millis(at.0.saturating_sub(wall_clock().0));
    if ahead >= TOLD_AHEAD {
        warn!(
            ?ahead,
            "the last message is of a time to come; what is said until then has its time, for times do not fall"
        );
    }
    let (hub, run) = hub::task::open(store.clone(), store.last()?, at, config.max_per_address);
    let mut task = tokio::spawn(run);
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared {
        hub,
        store,
        started: Instant::now(),
        stop: stop.clone(),
        rate: Rate::new(config.rate, config.burst),
        complaints: Complaints::default(),
        pages: Turns::new(Store::PAGES_AT_ONCE),
        searches: Turns::new(1),
        origins: config.allow_origins,
    });
    let door = ConnectionLimiter::new(Caps {
        connections: config.max_connections,
        per_address: config.max_per_address,
        connect_rate: config.connect_rate,
        refusals: config.refusals,
    });
    let sessions = TaskTracker::new();
    let mut refusals = Refusals::default();
    let served = tokio::select! {
        () = accept(&listener, &door, &shared, &sessions, &mut refusals) => Ok(()),
        () = shutdown => Ok(()),
        _ = &mut task => Err(Error::Hub),
    };
    drop((listener, shared));
    log_refusals(refusals.rest());
    info!(connections = sessions.len(), "stopping");
    stop.cancel();
    sessions.close();
    let drained = timeout(Limits::DRAIN, async {
        sessions.wait().await;
        // The hub ends by itself when all its handles are dropped. If it ended by a defect, that is
        // logged already.
        if served.is_ok() {
            drop((&mut task).await);
        }
    });
    if drained.await.is_err() {
        warn!(connections = sessions.len(), "stopped before these had ended");
    }
    served
}

/// Accepts connections until it is cancelled. If file descriptors have run out, they become free
/// when somebody leaves, so it waits a little after an error.
async fn accept(
    listener: &impl Listen,
    door: &ConnectionLimiter,
    shared: &Arc<Shared>,
    sessions: &TaskTracker,
    refusals: &mut Refusals,
) {
    const FIRST_PAUSE: Duration = Duration::from_millis(10);
    const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    let mut pause = FIRST_PAUSE;
    loop {
        let due = refusals.due();
        let accepted = tokio::select! {
            biased;
            () = sleep_until(shared.started + due.unwrap_or_default()), if due.is_some() => None,
            accepted = listener.accept() => Some(accepted),
        };
        let now = shared.started.elapsed();
        log_refusals(refusals.take(now));
        let (stream, peer) = match accepted {
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                warn!(%error, "cannot accept a connection");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            None => continue,
        };
        pause = FIRST_PAUSE;
        let (full, pass) = match door.admit(peer.ip(), now) {
            Admission::Admitted(pass) => (None, Some(pass)),
            Admission::Refused(full, pass) => (Some(full), Some(pass)),
            Admission::Ignored(full) => (Some(full), None),
        };
        if let Some(full) = full {
            refusals.count(full);
            debug!(%peer, answered = pass.is_some(), "refused: {full}");
        }
        // An ignored connection is closed here, without any further work.
        if let Some(pass) = pass {
            sessions.spawn(connection(stream, peer, full, pass, Arc::clone(shared)));
        }
    }
}

fn log_refusals(refused: impl IntoIterator<Item = (LimitReached, u64)>) {
    for (full, count) in refused {
        info!(count, "refused connections: {}", full.bound());
    }
}

/// Serves one connection to its end, or tells it why it is refused.
async fn connection(
    accepted: impl Accepted,
    peer: SocketAddr,
    full: Option<LimitReached>,
    _pass: Permit,
    shared: Arc<Shared>,
) {
    // Boxed, so that the memory of the handshake is freed when the handshake is done.
    let Some((mut socket, opening)) = Box::pin(open(accepted, full, &shared)).await else {
        return debug!(%peer, "answered");
    };
    debug!(%peer, room = %opening.room, dialect = ?opening.dialect, "connected");
    let end = session::run(&mut socket, opening, network(peer.ip()), &shared).await;
    debug!(%peer, ?end, "disconnected");
}

/// Answers a request. Returns `None` if no handshake was accepted, or if the server stops.
async fn open<A: Accepted>(
    accepted: A,
    full: Option<LimitReached>,
    shared: &Shared,
) -> Option<(Socket<A::Stream>, Box<handshake::negotiate::HandshakeRequest>)> {
    let opening = async {
        let deadline = Instant::now() + Limits::HANDSHAKE;
        let stream = timeout_at(deadline, accepted.into_stream()).await.ok()?.ok()?;
        let is_loopback = stream.local_ip().is_some_and(|ip| ip.to_canonical().is_loopback());
        let terms = Terms { origins: &shared.origins, is_loopback, full };
        handshake::http::open(stream, terms, deadline).await
    };
    let handshake::http::Opened { stream, unsent, opening } = tokio::select! {
        opened = opening => opened?,
        () = shared.stop.cancelled() => return None,
    };
    Some((Socket::new(stream, unsent), Box::new(opening)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        sync::Mutex,
    };

    use super::*;
    use crate::protocol::Hex;

    #[test]
    fn caps_are_lowered_to_what_the_descriptors_suffice_for_and_some_are_kept_for_refusals() {
        let fit = |max_connections, descriptors| {
            let mut config = Config { max_connections, ..Config::default() };
            let fit = config.fit(descriptors);
            assert!(fit == Fit::TooFew || u64::from(config.max_connections) + config.refusals as u64 <= descriptors);
            (fit, config.max_connections, config.refusals)
        };
        assert_eq!(fit(10_000, 1_000_000), (Fit::All, 10_000, 256));
        assert_eq!(fit(0, 1_000_000), (Fit::All, 1_000_000 - 16 - 256, 256), "no cap is as many as fit");
        assert_eq!(fit(10_000, 1000), (Fit::Fewer, 861, 123));
        assert_eq!(fit(100, 1000), (Fit::All, 100, 123));
        assert_eq!(fit(10_000, 40), (Fit::Fewer, 21, 3));
        assert_eq!(fit(10_000, 21), (Fit::Fewer, 4, 1));
        assert_eq!([20, 0].map(|descriptors| fit(10_000, descriptors).0), [Fit::TooFew; 2]);
    }

    /// Fails several times, then returns one connection, then never returns.
    struct Failing {
        failures: AtomicU32,
        stream: Mutex<Option<DuplexStream>>,
    }

    impl Listen for Failing {
        type Accepted = DuplexStream;

        async fn accept(&self) -> io::Result<(DuplexStream, SocketAddr)> {
            if self.failures.fetch_add(1, Ordering::Relaxed) < 10 {
                return Err(io::Error::other("too many open files"));
            }
            match self.stream.lock().await.take() {
                Some(stream) => Ok((stream, ([127, 0, 0, 1], 1).into())),
                None => std::future::pending().await,
            }
        }
    }

    struct OneStalled(AtomicU32, Mutex<Option<DuplexStream>>);

    impl Listen for OneStalled {
        type Accepted = Either;

        async fn accept(&self) -> io::Result<(Either, SocketAddr)> {
            let peer = ([127, 0, 0, 1], 1).into();
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                return Ok((Either::Stalled, peer));
            }
            match self.1.lock().await.take() {
                Some(stream) => Ok((Either::Whole(stream), peer)),
                None => std::future::pending().await,
            }
        }
    }

    enum Either {
        /// The peer begins the handshake and never completes it.
        Stalled,
        Whole(DuplexStream),
    }

    impl Accepted for Either {
        type Stream = DuplexStream;

        async fn into_stream(self) -> io::Result<DuplexStream> {
            match self {
                Self::Stalled => std::future::pending().await,
                Self::Whole(stream) => Ok(stream),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_delays_no_other_connection_and_has_a_deadline() {
        let (mut ours, theirs) = duplex(4096);
        let listener = OneStalled(AtomicU32::new(0), Mutex::new(Some(theirs)));
        let config = Config { max_connections: 2, ..Config::default() };
        let store = Store::memory(Hex([1; 8]));
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, config, store, stop.clone().cancelled_owned()));
        ours.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let began = Instant::now();
        let mut answer = [0; 13];
        ours.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 ");
        assert!(began.elapsed() < Limits::HANDSHAKE, "it waited for the stalled one");
        // A stopping server waits for its connections, unless their deadline has passed.
        sleep(Limits::HANDSHAKE).await;
        let stopping = Instant::now();
        drop(ours);
        stop.cancel();
        served.await.unwrap().unwrap();
        assert!(stopping.elapsed() < Limits::DRAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_fails_is_asked_again() {
        let (mut ours, theirs) = duplex(4096);
        let listener = Failing { failures: AtomicU32::new(0), stream: Mutex::new(Some(theirs)) };
        let store = Store::memory(Hex([1; 8]));
        let served = tokio::spawn(serve(listener, Config::default(), store, std::future::pending()));
        ours.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        ours.shutdown().await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        served.abort();
    }
}
