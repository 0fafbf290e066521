//! How long a sender waits for its echo, through the whole server, with the store on disk and in
//! memory. Prints a table. `cargo bench --bench echo -- [--quick]`.
#![expect(clippy::print_stdout, reason = "the table is the product")]

use std::{
    error::Error,
    net::SocketAddr,
    time::{Duration, Instant},
};

use broadcast_chat::{
    protocol::{Hex, SUBPROTOCOL},
    server::{self, Config},
    store::{Keep, Store},
};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Uri, header::SEC_WEBSOCKET_PROTOCOL};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_websockets::{ClientBuilder, Message};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(if is_quick { 200 } else { 2_000 }))
}

async fn run(lines: usize) -> Outcome<()> {
    let directory = tempfile::TempDir::new()?;
    println!("{:<36}{:>12}{:>12}{:>12}", "echoes", "a second", "p50", "p99");
    for senders in [1, 10, 100] {
        // In alternation, so that both have the same conditions.
        for (name, log) in [
            ("on disk", Store::open(&directory.path().join(format!("{senders}.db")), Keep::default())?),
            ("in memory", Store::memory(Hex([0; 8]))),
        ] {
            let (waits, took) = echoes(log.clone(), senders, lines).await?;
            log.close().await;
            print(&format!("{senders} senders, {name}"), waits, took);
        }
    }
    Ok(())
}

/// Makes this many senders, each in a room of its own, send their lines one after the other.
/// Returns the latency of each line.
async fn echoes(log: Store, senders: usize, lines: usize) -> Outcome<(Vec<Duration>, Duration)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let config = Config { rate: 0, max_per_address: 0, connect_rate: 0, ..Config::default() };
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, config, log, async { drop(stopped.await) }));
    let begin = Instant::now();
    let running: Vec<_> = (0..senders).map(|number| tokio::spawn(sender(address, number, lines))).collect();
    let mut waits = Vec::new();
    for running in running {
        waits.extend(running.await??);
    }
    let took = begin.elapsed();
    drop(stop);
    serving.await??;
    Ok((waits, took))
}

async fn sender(address: SocketAddr, number: usize, lines: usize) -> Outcome<Vec<Duration>> {
    let uri: Uri = format!("ws://{address}/room-{number}").parse()?;
    let builder = ClientBuilder::from_uri(uri);
    let (mut stream, _) =
        builder.add_header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL))?.connect().await?;
    stream.send(Message::text(r#"{"type":"hello"}"#)).await?;
    let mut waits = Vec::with_capacity(lines);
    for line in 0..lines {
        let key = format!(r#""key":"{line}""#);
        let begin = Instant::now();
        stream.send(Message::text(format!(r#"{{"type":"say",{key},"text":"{}"}}"#, "x".repeat(100)))).await?;
        loop {
            let message = stream.next().await.ok_or("the server closed the connection")??;
            if message.as_text().is_some_and(|text| text.contains(&key)) {
                break;
            }
        }
        waits.push(begin.elapsed());
    }
    stream.send(Message::text(r#"{"type":"quit"}"#)).await?;
    while let Some(Ok(_)) = stream.next().await {}
    Ok(waits)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
fn print(name: &str, mut waits: Vec<Duration>, took: Duration) {
    waits.sort_unstable();
    let at = |hundredth: usize| waits.get(waits.len() * hundredth / 100).copied().unwrap_or_default();
    let rate = waits.len() as f64 / took.as_secs_f64();
    println!("{name:<36}{rate:>12.0}{:>12.1?}{:>12.1?}", at(50), at(99));
}
