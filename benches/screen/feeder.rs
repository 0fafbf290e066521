//! A fake server: it accepts clients, sends each some history, and sends it a fixed number of lines
//! a second.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use broadcast_chat::protocol::SUBPROTOCOL;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    time::{MissedTickBehavior, interval},
};
use tokio_websockets::{Message, ServerBuilder};

use crate::{Outcome, line, welcome};

/// A server. Dropping it stops it.
pub(crate) struct Feeder {
    pub(crate) address: SocketAddr,
    /// Lines a second: one at a time up to a thousand.
    rate: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Feeder {
    /// Starts a server that sends this many messages of history to each client.
    pub(crate) fn start(history: u64) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let rate = Arc::new(AtomicU32::new(0));
        let wanted = Arc::clone(&rate);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let wanted = Arc::clone(&wanted);
                // A client that disconnects ends its own feed.
                tokio::spawn(async move { drop(feed(stream, &wanted, history).await) });
            }
        });
        Ok(Self { address, rate, _runtime: runtime })
    }

    /// Sends this many lines a second from now on.
    pub(crate) fn say(&self, rate: u32) {
        self.rate.store(rate, Ordering::Relaxed);
    }
}

async fn feed(stream: TcpStream, rate: &AtomicU32, history: u64) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let builder = ServerBuilder::new().add_header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL))?;
    let (request, mut stream) = builder.accept(stream).await?;
    let room = match request.uri().path().trim_matches('/') {
        "" => "lobby",
        room => room,
    };
    let [hello, welcome, live] = welcome(room);
    stream.send(Message::text(hello)).await?;
    stream.next().await.ok_or("no hello")??;
    stream.send(Message::text(welcome)).await?;
    for id in 1..=history {
        stream.feed(Message::text(line(id, room))).await?;
    }
    stream.send(Message::text(live)).await?;
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut due, mut id) = (0, history);
    loop {
        tokio::select! {
            message = stream.next() => drop(message.ok_or("the client has gone")??),
            _ = ticks.tick() => {
                due += rate.load(Ordering::Relaxed);
                while due >= 1000 {
                    (due, id) = (due - 1000, id + 1);
                    stream.send(Message::text(line(id, room))).await?;
                }
            }
        }
    }
}
