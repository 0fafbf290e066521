//! The opening handshake: reads the head of a request under limits and a deadline, and either hands
//! the stream over as a WebSocket's or gives a complete answer.

use bytes::BufMut as _;
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, timeout, timeout_at},
};

use crate::protocol::Limits;
use crate::server::{
    handshake::negotiate::{HandshakeRequest, Refusal, Terms, decide},
    handshake::request::Head,
    websocket::prefixed_stream::PrefixedStream,
};

/// A stream that became a WebSocket.
#[derive(Debug)]
pub(crate) struct Opened<S> {
    pub(crate) stream: PrefixedStream<S>,
    /// The answer that grants it: to be sent before anything else. It leaves with the first words
    /// after it, because two writes cost a connection more than all that is decided about it.
    pub(crate) unsent: Vec<u8>,
    pub(crate) opening: HandshakeRequest,
}

/// Serves one HTTP connection to its end, and returns the stream if it became a WebSocket.
///
/// Every refusal is a complete answer, followed by reading away what the peer still sends, since
/// closing on unread data would take the answer back. A head that is not complete by `deadline` is
/// cut off.
pub(crate) async fn open<S>(mut stream: S, terms: Terms<'_>, deadline: Instant) -> Option<Opened<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async {
        let (decided, early) = read_head(&mut stream, |head| decide(head, terms)).await?;
        if let Err(refusal) = &decided {
            stream.write_all(refusal.answer().as_bytes()).await.ok()?;
        }
        Some((decided, early))
    };
    let (decided, early) = timeout_at(deadline, handshake).await.ok()??;
    if let Ok((opening, unsent)) = decided {
        return Some(Opened { stream: PrefixedStream::new(&early, stream), unsent, opening });
    }
    linger(stream).await;
    None
}

/// Reads until a head is whole, or none. Returns what was decided about it, and what came after it
/// already; nothing if the peer went away.
async fn read_head<T>(
    stream: &mut (impl AsyncRead + Unpin),
    decide: impl Fn(Head<'_>) -> Result<T, Refusal>,
) -> Option<(Result<T, Refusal>, Vec<u8>)> {
    /// Most heads are shorter.
    const USUAL: usize = 1024;
    let mut bytes = Vec::with_capacity(USUAL);
    loop {
        let known = bytes.len();
        if stream.read_buf(&mut (&mut bytes).limit(Limits::HEAD - known)).await.ok()? == 0 {
            return None;
        }
        // The first bytes show whether somebody speaks another protocol.
        if known > 0 && bytes.len() < Limits::HEAD && !Head::may_end(&bytes, known) {
            continue;
        }
        match Head::read(&bytes, &decide) {
            Ok(None) => {}
            Ok(Some((length, decided))) => return Some((decided, bytes.split_off(length))),
            Err(status) => {
                let words = match status {
                    StatusCode::BAD_REQUEST => "this is not an HTTP/1.1 request",
                    StatusCode::URI_TOO_LONG => "the target of the request is too long",
                    _ => "the head of the request is too long",
                };
                return Some((Err(Refusal::new(status, words)), Vec::new()));
            }
        }
    }
}

/// Ends our half of the stream and reads away the other, for a while.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    /// A head that is over every limit and then some.
    const MOST: usize = 4 * 1024 * 1024;
    let read_away = async {
        stream.shutdown().await.ok()?;
        let (mut read, mut buffer) = (0, [0; 4096]);
        while read < MOST {
            match stream.read(&mut buffer).await.ok()? {
                0 => break,
                length => read += length,
            }
        }
        Some(())
    };
    // Either way there is nothing left to do for this stream.
    drop(timeout(Limits::CLOSE, Box::pin(read_away)).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms<'static> = Terms { origins: &[], is_loopback: false, full: None };

    const HANDSHAKE: &str = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn soon() -> Instant {
        Instant::now() + Limits::HANDSHAKE
    }

    #[tokio::test]
    async fn the_answer_that_grants_is_left_for_the_first_write_and_a_refusal_is_not() {
        let ask = async |target: &str| {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let bytes = format!("GET {target} HTTP/1.1\r\n{HANDSHAKE}hasty");
            // Byte by byte: a head may come in any number of pieces.
            let (opened, ()) = tokio::join!(open(ours, TERMS, soon()), async {
                for byte in bytes.bytes() {
                    theirs.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
                // It has nothing more to say, so that nobody waits for it.
                theirs.shutdown().await.unwrap();
            });
            let mut early = String::new();
            let unsent = match opened {
                Some(mut opened) => {
                    opened.stream.read_to_string(&mut early).await.unwrap();
                    opened.unsent
                }
                None => Vec::new(),
            };
            let mut sent = String::new();
            theirs.read_to_string(&mut sent).await.unwrap();
            (String::from_utf8(unsent).unwrap(), sent, early)
        };
        let (unsent, sent, early) = ask("/").await;
        assert!(unsent.starts_with("HTTP/1.1 101 ") && sent.is_empty(), "{unsent:?}, {sent:?}");
        assert_eq!(early, "hasty");
        let (unsent, sent, _) = ask("/a/b").await;
        assert!(sent.starts_with("HTTP/1.1 404 ") && unsent.is_empty(), "{unsent:?}, {sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_is_cut_and_another_protocol_is_told_at_once() {
        let begin = tokio::time::Instant::now();
        let (ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
        let answered = async {
            let mut answer = [0; 13];
            theirs.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 400 ");
            assert!(begin.elapsed().is_zero());
            drop(theirs);
        };
        assert!(tokio::join!(open(ours, TERMS, soon()), answered).0.is_none());
        let (ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let begin = tokio::time::Instant::now();
        assert!(open(ours, TERMS, soon()).await.is_none());
        assert_eq!(begin.elapsed(), Limits::HANDSHAKE);
    }
}
