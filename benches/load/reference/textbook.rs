//! The chat of the tutorials, with what its readers forget most often: `TCP_NODELAY`, and a ring that is large enough. One task a
//! client, a `tokio::sync::broadcast` between them, a `send` a message.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_websockets::{Message, ServerBuilder};

use crate::Outcome;

/// Messages in flight at the most in any measurement, and then some: a chat that loses messages is not measured.
const RING: usize = 4096;

/// Serves for ever; says where on stdout.
pub(crate) fn serve(address: SocketAddr) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        super::say_where(listener.local_addr()?)?;
        let (everyone, _) = broadcast::channel::<String>(RING);
        for number in 1.. {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(client(stream, number, everyone.clone()));
        }
        Ok(())
    })
}

async fn client(stream: TcpStream, number: usize, everyone: broadcast::Sender<String>) {
    let Ok((_, mut socket)) = ServerBuilder::new().accept(stream).await else { return };
    let mut said = everyone.subscribe();
    if socket.send(Message::text("welcome")).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(message)) => {
                    if let Some(text) = message.as_text() {
                        // Nobody there is no error.
                        everyone.send(format!("guest-{number}: {text}")).ok();
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
