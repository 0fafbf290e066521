//! The chat of the tutorials, plus two things that its readers most often forget: `TCP_NODELAY`,
//! and a channel that is large enough. One task for each client, a `tokio::sync::broadcast` channel
//! between them, one `send` for each message.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_websockets::{Message, ServerBuilder};

use crate::Outcome;

/// More than the maximum number of messages in flight in any measurement: a chat that loses
/// messages is not measured.
const RING: usize = 4096;

/// Serves for ever; prints its address on stdout.
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
                        // Without receivers it returns an error, which does not matter.
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
