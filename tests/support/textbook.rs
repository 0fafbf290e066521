//! The chat of the tutorials: a server and a client that know neither our subprotocol nor our line
//! format.
//!
//! Ours must work with both. They are as short and as careless as such programs are.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc},
    task::JoinHandle,
};
use tokio_websockets::{ClientBuilder, Message, ServerBuilder};

use super::{DEADLINE, within};

/// A running textbook server. Dropping it stops it.
pub struct TextbookServer {
    /// The address it listens on.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl TextbookServer {
    /// Returns a server on a free port: it sends every text to all clients, including the sender.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        let task = tokio::spawn(async move {
            let (everyone, _) = broadcast::channel::<String>(16);
            let mut clients = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                clients.spawn(serve(stream, everyone.clone()));
            }
        });
        Self { address, task }
    }

    /// Returns the URL to connect to.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for TextbookServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, everyone: broadcast::Sender<String>) {
    let Ok((_, mut socket)) = ServerBuilder::new().accept(stream).await else { return };
    let mut said = everyone.subscribe();
    loop {
        tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(message)) => {
                    if let Some(text) = message.as_text() {
                        drop(everyone.send(text.to_owned()));
                    }
                }
                _ => return,
            },
            Ok(text) = said.recv() => {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A connected textbook client. Dropping it closes it.
pub struct TextbookClient {
    lines: mpsc::Sender<String>,
    seen: mpsc::Receiver<String>,
    task: JoinHandle<()>,
}

impl TextbookClient {
    /// Returns a client connected to `url`.
    pub async fn connect(url: &str) -> Self {
        let uri: Uri = url.parse().expect("a URL");
        let what = format!("the textbook client to connect to {url}");
        let (mut socket, _) = within(&what, ClientBuilder::from_uri(uri).connect()).await.expect(&what);
        let (lines, mut typed) = mpsc::channel::<String>(16);
        let (screen, seen) = mpsc::channel(1024);
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    line = typed.recv() => match line {
                        Some(line) => socket.send(Message::text(line)).await.expect("send a line"),
                        None => return,
                    },
                    incoming = socket.next() => match incoming {
                        Some(Ok(message)) => {
                            if let Some(text) = message.as_text()
                                && screen.send(text.to_owned()).await.is_err()
                            {
                                return;
                            }
                        }
                        _ => return,
                    },
                }
            }
        });
        Self { lines, seen, task }
    }

    /// Types `line`.
    pub async fn say(&self, line: &str) {
        self.lines.send(line.to_owned()).await.expect("the textbook client is still there");
    }

    /// Returns the next text that arrives.
    pub async fn line(&mut self) -> String {
        within("a text at the textbook client", self.seen.recv()).await.expect("the textbook client is still there")
    }

    /// Returns the next text that contains `part`. Skips the texts before it.
    pub async fn line_with(&mut self, part: &str) -> String {
        let mut skipped = Vec::new();
        let search = async {
            while let Some(line) = self.seen.recv().await {
                if line.contains(part) {
                    return Some(line);
                }
                skipped.push(line);
            }
            None
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.ok().flatten().unwrap_or_else(|| panic!("the textbook client waited for {part:?}, got {skipped:#?}"))
    }
}

impl Drop for TextbookClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}
