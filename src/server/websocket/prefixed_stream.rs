//! A stream of which something was read too early: it is read again first.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::{Transport, websocket::frame_tracker::FrameTracker};

/// What is read ahead at the most.
const AHEAD: usize = 8 * 1024;

/// A stream that gives `head` before anything else it has to read. Writing goes straight through.
#[derive(Debug)]
pub(crate) struct PrefixedStream<S> {
    head: Bytes,
    inner: S,
    boundary: FrameTracker,
    /// What may still be read, where that is bounded.
    left: Option<usize>,
}

impl<S> PrefixedStream<S> {
    pub(crate) fn new(head: &[u8], inner: S) -> Self {
        // Copied out: even an empty slice keeps the whole buffer alive that it is of.
        Self { head: Bytes::copy_from_slice(head), inner, boundary: FrameTracker::default(), left: None }
    }

    /// Returns whether what was read from this so far ends where a message ends.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.boundary.is_at_rest()
    }

    /// Returns whether a message has too many frames. Then nothing more is read: who polls this
    /// must ask whenever it is pending. It is read again after [`Self::end_after`].
    pub(crate) fn has_too_many_frames(&self) -> bool {
        self.boundary.has_too_many_frames()
    }

    /// Ends what is read from this once it is so many bytes more, or a buffer above that.
    pub(crate) fn end_after(&mut self, count: usize) {
        self.left = Some(count);
    }
}

impl<S: AsyncRead + Unpin> PrefixedStream<S> {
    /// Waits until there is something to read, and reads it ahead; returns whether there was
    /// anything.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.head.is_empty() {
            let mut space = [MaybeUninit::uninit(); AHEAD];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            self.head = Bytes::copy_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(!self.head.is_empty()))
    }
}

impl<S: Transport> PrefixedStream<S> {
    /// Does as [`Transport::send_before_end`] does.
    pub(crate) fn send_before_end(&self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.send_before_end(bytes)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefixedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.left {
            Some(0) => return Poll::Ready(Ok(())),
            None if self.has_too_many_frames() => return Poll::Pending,
            Some(_) | None => {}
        }
        let before = buf.filled().len();
        if self.head.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        } else {
            let length = self.head.len().min(buf.remaining());
            buf.put_slice(&self.head[..length]);
            self.head.advance(length);
            if self.head.is_empty() {
                // Gives the copy back.
                self.head = Bytes::new();
            }
        }
        let read = &buf.filled()[before..];
        self.boundary.feed(read);
        self.left = self.left.map(|left| left.saturating_sub(read.len()));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefixedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::protocol::Limits;

    #[tokio::test]
    async fn what_was_read_too_early_is_read_first() {
        let mut stream = PrefixedStream::new(b"hello ", &b"world"[..]);
        let mut three = [0; 3];
        stream.read_exact(&mut three).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&three, rest.as_str()), (b"hel", "lo world"));
    }

    #[tokio::test]
    async fn after_too_many_frames_nothing_is_read_but_the_last_of_it() {
        let more = [0x00, 0x80, 0, 0, 0, 0].repeat(1000);
        let mut stream = PrefixedStream::new(&[0x01, 0x80, 0, 0, 0, 0], &more[..]);
        let mut buffer = [0; 60];
        let mut read = 0;
        while let Some(Ok(length @ 1..)) = stream.read(&mut buffer).now_or_never() {
            read += length;
        }
        assert!(stream.has_too_many_frames() && read / 6 <= usize::from(Limits::FRAMES) + 10, "{read}");
        stream.end_after(100);
        let mut last = Vec::new();
        stream.read_to_end(&mut last).await.unwrap();
        assert!((100..more.len() / 2).contains(&last.len()), "{}", last.len());
    }
}
