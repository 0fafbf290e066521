//! A TCP proxy between our programs that simulates the faults of networks.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The fate of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Pass,
    /// Both ends are closed cleanly, as by a proxy that is restarted.
    Drop,
    /// Both ends are reset.
    Reset,
    /// It is half open: both ends stay, nothing is read and nothing is sent.
    Stall,
    /// The server may send this many more bytes, even if that is in the middle of a frame; then it
    /// is reset.
    CutAfterSent(usize),
    /// The client may send this many more bytes, even if that is in the middle of a frame; then it
    /// is reset.
    CutAfterSaid(usize),
}

/// A running proxy. Dropping it ends it and its connections.
pub struct Proxy {
    /// The address it listens on.
    pub address: SocketAddr,
    target: SocketAddr,
    connections: Connections,
    accepting: Option<JoinHandle<()>>,
}

/// Commands to the connections. The task of one that has ended does not receive them any more.
type Connections = Arc<Mutex<Vec<watch::Sender<Fate>>>>;

impl Proxy {
    /// Returns a proxy on a free port in front of `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let mut proxy = Self { address, target, connections: Connections::default(), accepting: None };
        proxy.accept(listener);
        proxy
    }

    /// Sets the fate of all existing connections; later ones work.
    pub fn decide(&self, fate: Fate) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.send(fate).is_ok());
    }

    /// Refuses new connections from now on; existing ones stay.
    pub async fn refuse(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The port is free when the task has ended. The task ends with an error because it was
            // aborted.
            accepting.await.ok();
        }
    }

    /// Accepts connections again.
    pub async fn allow(&mut self) {
        if self.accepting.is_none() {
            let listener = TcpListener::bind(self.address).await.expect("the port is still ours");
            self.accept(listener);
        }
    }

    fn accept(&mut self, listener: TcpListener) {
        let (target, connections) = (self.target, Arc::clone(&self.connections));
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (sender, fate) = watch::channel(Fate::Pass);
                connections.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
                // It ends when its sender is dropped, at the latest with the proxy.
                drop(tokio::spawn(carry(client, target, fate)));
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Forwards one connection until it ends; an error of either side ends both.
async fn carry(client: TcpStream, target: SocketAddr, fate: watch::Receiver<Fate>) {
    let Ok(server) = TcpStream::connect(target).await else {
        // There is no server: reset the client, as would happen without the proxy.
        drop(client.set_zero_linger());
        return;
    };
    drop(pass(client, server, fate).await);
}

async fn pass(mut client: TcpStream, mut server: TcpStream, mut fate: watch::Receiver<Fate>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut said, mut sent) = (vec![0; 4096], vec![0; 4096]);
    let (mut may_say, mut may_send) = (usize::MAX, usize::MAX);
    let mut stalled = false;
    loop {
        tokio::select! {
            biased;
            changed = fate.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                match *fate.borrow_and_update() {
                    Fate::Pass => stalled = false,
                    Fate::Drop => return Ok(()),
                    Fate::Reset => return reset(&client, &server),
                    Fate::Stall => stalled = true,
                    Fate::CutAfterSent(bytes) => may_send = bytes,
                    Fate::CutAfterSaid(bytes) => may_say = bytes,
                }
            }
            length = client.read(&mut said), if !stalled => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                let passes = length.min(may_say);
                server.write_all(&said[..passes]).await?;
                if passes < length {
                    return reset(&client, &server);
                }
                may_say -= passes;
            }
            length = server.read(&mut sent), if !stalled => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                let passes = length.min(may_send);
                client.write_all(&sent[..passes]).await?;
                if passes < length {
                    return reset(&client, &server);
                }
                may_send -= passes;
            }
        }
    }
}

fn reset(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_zero_linger()?;
    server.set_zero_linger()
}
