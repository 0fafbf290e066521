//! One WebSocket of the server's, and what is known about the library under it: every wait on the
//! peer has a deadline, whole frames are written past the library while its own queue is empty, and
//! a close is said and heard out.

pub(super) mod frame_queue;
mod frame_tracker;
pub(super) mod prefixed_stream;
#[cfg(test)]
pub(super) mod tests;

use std::{
    future::poll_fn,
    io::IoSlice,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Buf as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout},
};
use tokio_websockets::{CloseCode, Error, Message, ServerBuilder, WebSocketStream, proto::ProtocolError};

use crate::protocol::Limits;
use crate::server::{Transport, websocket::frame_queue::FrameQueue, websocket::prefixed_stream::PrefixedStream};

/// What a peer did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// It said something.
    Text(Text),
    /// It showed that it is alive, and no more: a ping, a pong, an empty frame.
    Alive,
    /// It has got everything that was written before the ping that bore this number.
    Confirmed(u64),
    /// It sent something that is neither text nor control.
    Binary,
    /// It said goodbye; whether for good, its close code tells.
    Closed(u16),
    /// It is gone without a word, or broke the protocol, which it has been or will be told.
    Failed(Failed),
}

/// What a peer said. Not to be kept: it is a piece of the buffer that is read into.
#[derive(Debug)]
pub(crate) struct Text(Message);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_text().unwrap_or_default()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

/// How a peer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The connection is gone.
    Gone,
    /// A message over [`Limits::PAYLOAD`].
    TooBig,
    /// A message of more than [`Limits::FRAMES`].
    TooManyFrames,
    /// Not UTF-8 where it must be.
    NotText,
    /// Not a WebSocket frame.
    Protocol,
}

/// A write that did not end: the peer takes nothing, or is gone. Nothing more may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unwritten {
    /// Whether the deadline passed, rather than the connection.
    pub(crate) stalled: bool,
}

/// The server's end of a WebSocket.
///
/// The library keeps 8 KiB to read into, and most connections have nothing to say. So the library
/// is there only while something of the peer's is being read, or is still to be written because of
/// it.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    /// None only while one of the two becomes the other.
    stream: Option<Stream<S>>,
    /// Whether the library may have something to write by itself: an answer to a ping, or a part of
    /// one.
    has_queued: bool,
    /// The close code with which the peer has said goodbye.
    goodbye: Option<CloseCode>,
    /// What goes before the next write.
    unsent: Vec<u8>,
}

#[derive(Debug)]
enum Stream<S> {
    Awake(Box<WebSocketStream<PrefixedStream<S>>>),
    /// Nothing of the peer's is known but whole messages that were taken.
    Asleep(PrefixedStream<S>),
}

impl<S: Transport> Socket<S> {
    /// Takes over a stream whose opening handshake is done but for `unsent`, its answer.
    pub(crate) fn new(stream: PrefixedStream<S>, unsent: Vec<u8>) -> Self {
        Self { stream: Some(Stream::Asleep(stream)), has_queued: false, goodbye: None, unsent }
    }

    /// Returns what the peer does next. Cancel-safe, but an answer to a ping is written only by
    /// [`Self::flush`].
    pub(crate) async fn next(&mut self) -> Incoming {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Returns what the peer has done already, if anything.
    pub(crate) async fn next_now(&mut self) -> Option<Incoming> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(incoming) => Poll::Ready(Some(incoming)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Returns what the peer does next.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            match &mut self.stream {
                Some(Stream::Awake(library)) => match library.poll_next_unpin(cx) {
                    Poll::Ready(next) => return Poll::Ready(self.incoming(next)),
                    // The library would go on for as long as they come: it has no message to
                    // return.
                    Poll::Pending if library.get_ref().has_too_many_frames() => {
                        return Poll::Ready(Incoming::Failed(Failed::TooManyFrames));
                    }
                    Poll::Pending if self.has_queued || !library.get_ref().is_at_rest() => return Poll::Pending,
                    Poll::Pending => self.fall_asleep(),
                },
                Some(Stream::Asleep(stream)) => match ready!(stream.poll_readable(cx)) {
                    Ok(true) => drop(self.wake()),
                    Ok(false) | Err(_) => return Poll::Ready(Incoming::Failed(Failed::Gone)),
                },
                None => return Poll::Ready(Incoming::Failed(Failed::Gone)),
            }
        }
    }

    fn incoming(&mut self, next: Option<Result<Message, Error>>) -> Incoming {
        match next {
            None | Some(Err(Error::Io(_))) => Incoming::Failed(Failed::Gone),
            Some(Err(Error::PayloadTooLong { .. })) => Incoming::Failed(Failed::TooBig),
            Some(Err(Error::Protocol(ProtocolError::InvalidUtf8))) => Incoming::Failed(Failed::NotText),
            Some(Err(_)) => Incoming::Failed(Failed::Protocol),
            Some(Ok(message)) if message.is_ping() => {
                self.has_queued = true;
                Incoming::Alive
            }
            Some(Ok(message)) if message.is_pong() => {
                // Others than ours are a sign of life (RFC 6455 section 5.5.3).
                let number = <[u8; 8]>::try_from(&message.as_payload()[..]).map(u64::from_be_bytes);
                number.map_or(Incoming::Alive, Incoming::Confirmed)
            }
            Some(Ok(message)) => match message.as_close() {
                Some((code, _)) => {
                    self.goodbye = Some(code);
                    Incoming::Closed(code.into())
                }
                None if message.as_payload().is_empty() => Incoming::Alive,
                None if message.is_text() => Incoming::Text(Text(message)),
                None => Incoming::Binary,
            },
        }
    }

    fn fall_asleep(&mut self) {
        self.stream = self.stream.take().map(|stream| match stream {
            Stream::Awake(library) => Stream::Asleep(library.into_inner()),
            asleep @ Stream::Asleep(_) => asleep,
        });
    }

    fn wake(&mut self) -> Option<&mut WebSocketStream<PrefixedStream<S>>> {
        self.stream = self.stream.take().map(|stream| match stream {
            Stream::Asleep(stream) => {
                let limits = tokio_websockets::Limits::default().max_payload_len(Some(Limits::PAYLOAD));
                Stream::Awake(Box::new(ServerBuilder::new().limits(limits).serve(stream)))
            }
            awake @ Stream::Awake(_) => awake,
        });
        match &mut self.stream {
            Some(Stream::Awake(library)) => Some(library),
            _ => None,
        }
    }

    /// Keeps whole frames that leave with the next write, which must come soon.
    pub(crate) fn queue(&mut self, frames: &[u8]) {
        self.unsent.extend_from_slice(frames);
    }

    /// Writes as much of these whole frames as the socket takes at once, and returns how many bytes
    /// that was: none where something else has to go first. The rest must follow by
    /// [`Self::write`].
    pub(crate) async fn write_now(&mut self, frames: &[u8]) -> usize {
        let Some(stream) = self.nothing_first().filter(|_| !frames.is_empty()) else { return 0 };
        poll_fn(|cx| {
            // An error comes again with the rest.
            Poll::Ready(match Pin::new(&mut *stream).poll_write(cx, frames) {
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            })
        })
        .await
    }

    /// Returns the bare stream where nothing else has to be written first.
    fn nothing_first(&mut self) -> Option<&mut PrefixedStream<S>> {
        match &mut self.stream {
            Some(Stream::Asleep(stream)) if self.unsent.is_empty() => Some(stream),
            _ => None,
        }
    }

    /// Returns the bare stream, to be written to where the library has nothing to write.
    fn bare(&mut self) -> Option<&mut PrefixedStream<S>> {
        match &mut self.stream {
            Some(Stream::Awake(library)) => Some(library.get_mut()),
            Some(Stream::Asleep(stream)) => Some(stream),
            None => None,
        }
    }

    /// Writes whole frames, after those that were queued. Nobody is heard meanwhile. Not
    /// cancel-safe: a frame may be torn.
    pub(crate) async fn write(&mut self, frames: FrameQueue) -> Result<(), Unwritten> {
        let mut frames = self.begin_write(frames).await?;
        // Nearly always the socket takes all of it at once; only where it does not is a clock
        // needed.
        match poll_fn(|cx| Poll::Ready(self.poll_write(cx, &mut frames))).await {
            Poll::Ready(written) => written,
            Poll::Pending => Box::pin(self.write_in_time(frames)).await,
        }
    }

    async fn write_in_time(&mut self, mut frames: FrameQueue) -> Result<(), Unwritten> {
        let mut deadline = pin!(sleep(Limits::WRITE));
        poll_fn(|cx| {
            let before = frames.len();
            if let Poll::Ready(written) = self.poll_write(cx, &mut frames) {
                return Poll::Ready(written);
            }
            if frames.len() < before {
                deadline.as_mut().reset(Instant::now() + Limits::WRITE);
            }
            deadline.as_mut().poll(cx).map(|()| Err(Unwritten { stalled: true }))
        })
        .await
    }

    /// Returns these whole frames behind what has to go first, for [`Self::poll_write`].
    pub(crate) async fn begin_write(&mut self, mut frames: FrameQueue) -> Result<FrameQueue, Unwritten> {
        if !self.unsent.is_empty() {
            frames = FrameQueue::from(std::mem::take(&mut self.unsent)).followed_by(frames);
        }
        if frames.has_remaining() {
            self.flush().await?;
        }
        Ok(frames)
    }

    /// Writes what [`Self::begin_write`] returned, and takes off what is written. Whoever gives up
    /// hands in the rest by
    /// [`Self::give_up_write`]; until then nothing but these frames may be written.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, frames: &mut FrameQueue) -> Poll<Result<(), Unwritten>> {
        /// As many as are written together.
        const PARTS: usize = 64;
        const GONE: Unwritten = Unwritten { stalled: false };
        // What the library had to write is written, so whole frames may go past it.
        let Some(stream) = self.bare() else { return Poll::Ready(Err(GONE)) };
        while frames.has_remaining() {
            let mut stream = Pin::new(&mut *stream);
            let written = if let Some(frames) = frames.as_one() {
                ready!(stream.as_mut().poll_write(cx, frames))
            } else {
                let mut parts = [IoSlice::new(&[]); PARTS];
                let count = frames.chunks_vectored(&mut parts);
                ready!(stream.as_mut().poll_write_vectored(cx, &parts[..count]))
            };
            match written {
                Ok(0) | Err(_) => return Poll::Ready(Err(GONE)),
                Ok(written) => frames.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Keeps what is left of a write, so that it goes before a goodbye.
    pub(crate) fn give_up_write(&mut self, mut rest: FrameQueue) {
        self.unsent.resize(rest.len(), 0);
        rest.copy_to_slice(&mut self.unsent);
    }

    /// Returns whether the library has to write something before more may be read.
    pub(crate) fn has_queued(&self) -> bool {
        self.has_queued
    }

    /// Returns whether there are frames that leave with the next write.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Writes what the library has queued by itself: answers to pings. No frame of ours may be half
    /// written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwritten>> {
        if let Some(Stream::Awake(library)) = &mut self.stream
            && self.has_queued
        {
            ready!(library.poll_flush_unpin(cx)).map_err(|_| Unwritten { stalled: false })?;
            self.has_queued = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the library has queued by itself: answers to pings.
    pub(crate) async fn flush(&mut self) -> Result<(), Unwritten> {
        if let Some(Stream::Awake(library)) = &mut self.stream
            && self.has_queued
        {
            Box::pin(in_time(async { library.flush().await.map_err(drop) })).await?;
            self.has_queued = false;
        }
        Ok(())
    }

    /// Says goodbye with a code and a reason of at most 123 bytes, or with the peer's own where it
    /// has said goodbye, hears the peer out, and ends the stream, all under a deadline and a bound
    /// in bytes. Nothing can be done with it afterwards.
    pub(crate) async fn close(&mut self, code: CloseCode, reason: &str) {
        if let Some(code) = self.goodbye
            && !self.has_queued
        {
            return self.answer_goodbye(code).await;
        }
        let unsent = std::mem::take(&mut self.unsent);
        let is_answer = self.goodbye.is_some();
        let Some(library) = self.wake() else { return };
        let goodbye = async {
            library.get_mut().write_all(&unsent).await.ok()?;
            // An error means that the close frame is on its way already, or never will be.
            drop(library.send(Message::close(Some(code), reason)).await);
            drop(library.flush().await);
            if is_answer {
                return None;
            }
            library.get_mut().end_after(Limits::LAST_READ);
            while let Some(Ok(_)) = library.next().await {}
            let stream = library.get_mut();
            stream.shutdown().await.ok()?;
            let mut buffer = [0; 1024];
            while stream.read(&mut buffer).await.ok()? > 0 {}
            Some(())
        };
        drop(timeout(Limits::CLOSE, goodbye).await);
    }

    /// Says goodbye to a peer that has said it, and ends the stream. Nothing comes after a goodbye
    /// (RFC 6455 section 5.5.1), so nothing unread is there that would take ours back, and it is
    /// the server that ends the connection (section 7.1.1).
    async fn answer_goodbye(&mut self, code: CloseCode) {
        /// FIN, and the opcode of a close frame.
        const CLOSE: u8 = 0x88;
        let mut frames = std::mem::take(&mut self.unsent);
        match code {
            CloseCode::NO_STATUS_RECEIVED => frames.extend([CLOSE, 0]),
            code => {
                frames.extend([CLOSE, 2]);
                frames.extend(u16::from(code).to_be_bytes());
            }
        }
        let Some(stream) = self.bare() else { return };
        let sent = stream.send_before_end(&frames).unwrap_or(0);
        if sent < frames.len() {
            drop(timeout(Limits::CLOSE, stream.write_all(&frames[sent..])).await);
        }
        self.stream = None;
    }
}

async fn in_time(write: impl Future<Output = Result<(), ()>>) -> Result<(), Unwritten> {
    match timeout(Limits::WRITE, write).await {
        Ok(written) => written.map_err(|()| Unwritten { stalled: false }),
        Err(_) => Err(Unwritten { stalled: true }),
    }
}
