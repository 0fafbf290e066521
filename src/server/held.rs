//! A stream that keeps back what is written to it when it is told to, so that the answer to a handshake and the first words after
//! it leave in one write: two of them cost a connection more than all that is decided about it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes leave when it is flushed, but not once something is in `keeps`.
#[derive(Debug)]
pub(crate) struct Held<S, T> {
    inner: S,
    unsent: Vec<u8>,
    keeps: Arc<OnceLock<T>>,
}

impl<S, T> Held<S, T> {
    pub(crate) fn new(inner: S, keeps: Arc<OnceLock<T>>) -> Self {
        Self { inner, unsent: Vec::new(), keeps }
    }

    /// Returns the stream and what it has not sent.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.inner, self.unsent)
    }
}

impl<S: AsyncWrite + Unpin, T> Held<S, T> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.unsent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin, T> AsyncRead for Held<S, T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, T> AsyncWrite for Held<S, T> {
    /// Takes all of `bytes`: whoever writes here writes one short answer.
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unsent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.keeps.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_written_leaves_with_a_flush_until_it_is_kept() {
        let (ours, mut theirs) = duplex(64);
        let keeps = Arc::new(OnceLock::new());
        let mut stream = Held::new(ours, Arc::clone(&keeps));
        stream.write_all(b"one").await.unwrap();
        stream.flush().await.unwrap();
        keeps.set(()).unwrap();
        stream.write_all(b"two").await.unwrap();
        stream.flush().await.unwrap();
        let (ours, unsent) = stream.into_parts();
        drop(ours);
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.unwrap();
        assert_eq!((&sent[..], &unsent[..]), (&b"one"[..], &b"two"[..]));
    }
}
