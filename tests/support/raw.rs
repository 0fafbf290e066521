//! A byte-exact WebSocket peer and HTTP client, independent of the library that the programs use.
//!
//! It can send anything that a peer must not send. It validates what it receives: masked frames,
//! reserved bits, fragmented control frames and invalid UTF-8 fail the test.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{DEADLINE, within};

/// The subprotocol of the JSON dialect as a literal: a test must not take it from the code under
/// test.
pub const SUBPROTOCOL: &str = "broadcast-chat.v1";

/// The key of RFC 6455 section 1.3 and its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Opcodes of RFC 6455 section 5.2.
pub mod opcode {
    pub const CONTINUATION: u8 = 0x0;
    pub const TEXT: u8 = 0x1;
    pub const BINARY: u8 = 0x2;
    pub const CLOSE: u8 = 0x8;
    pub const PING: u8 = 0x9;
    pub const PONG: u8 = 0xa;
}

/// An HTTP response, as far as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The first line, without its line break.
    pub status_line: String,
    /// The status, or 0 if the response did not look like HTTP.
    pub status: u16,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body: `Content-Length` bytes, all chunks, or everything up to the end of the connection.
    pub body: Vec<u8>,
    /// Whether the head is complete and the body has the length that the head announced.
    pub complete: bool,
}

impl Answer {
    /// Returns the first header called `name`, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn parse(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default().to_owned();
        let mut words = status_line.split(' ');
        let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let status = words.next().and_then(|word| word.parse().ok()).filter(|_| is_http).unwrap_or_default();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { status_line, status, headers, body: Vec::new(), complete: false }
    }
}

/// One WebSocket frame as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends a message.
    pub fin: bool,
    /// See [`opcode`].
    pub opcode: u8,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns a whole text message.
    pub fn text(text: &str) -> Self {
        Self { fin: true, opcode: opcode::TEXT, payload: text.into() }
    }

    /// Returns a frame of any kind.
    pub fn new(fin: bool, opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin, opcode, payload: payload.into() }
    }

    /// Returns the bytes of this frame as a client sends it: masked, with the shortest length
    /// encoding.
    pub fn masked(&self) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let length = self.payload.len();
        let mut out = vec![u8::from(self.fin) << 7 | self.opcode];
        if let (Ok(short), true) = (u8::try_from(length), length < 126) {
            out.push(0x80 | short);
        } else if let Ok(medium) = u16::try_from(length) {
            out.push(0x80 | 0x7e);
            out.extend(medium.to_be_bytes());
        } else {
            out.push(0x80 | 0x7f);
            out.extend((length as u64).to_be_bytes());
        }
        out.extend(MASK);
        out.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }
}

/// A received event, with the frames of a message joined and pings already answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame; 1005 means one without a code (RFC 6455 section 7.1.5).
    Close(u16, String),
    /// The end of the connection, reset or not.
    End,
}

/// How to open a connection.
#[derive(Debug, Clone, Default)]
pub struct Opening<'a> {
    /// The request target, unchanged.
    pub target: &'a str,
    /// Subprotocols to offer.
    pub subprotocol: Option<&'a str>,
    /// Further header lines, such as `Origin: http://elsewhere`.
    pub headers: &'a [&'a str],
}

impl Opening<'_> {
    /// Returns the request.
    pub fn request(&self, address: SocketAddr) -> String {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n",
            self.target
        );
        if let Some(subprotocol) = self.subprotocol {
            request.extend(["Sec-WebSocket-Protocol: ", subprotocol, "\r\n"]);
        }
        for header in self.headers {
            request.extend([header, "\r\n"]);
        }
        request + "\r\n"
    }
}

/// One WebSocket connection.
pub struct RawPeer {
    socket: TcpStream,
    unread: Vec<u8>,
    /// The response to the opening handshake.
    pub answer: Answer,
}

impl RawPeer {
    /// Returns a connection in the text dialect to `target`, such as `/rust?nick=ada`.
    pub async fn connect(address: SocketAddr, target: &str) -> Self {
        Self::must_open(address, Opening { target, ..Opening::default() }).await
    }

    /// Returns a connection in the JSON dialect to `target`. The server's `hello` is not read yet.
    pub async fn connect_json(address: SocketAddr, target: &str) -> Self {
        let subprotocol = Some(SUBPROTOCOL);
        let peer = Self::must_open(address, Opening { target, subprotocol, ..Opening::default() }).await;
        assert_eq!(peer.answer.header("sec-websocket-protocol"), subprotocol, "{:?}", peer.answer);
        peer
    }

    /// Returns a connection in the JSON dialect that has sent `hello` as `nick`, and its `welcome`.
    pub async fn join(address: SocketAddr, target: &str, nick: &str) -> (Self, Value) {
        let mut peer = Self::connect_json(address, target).await;
        peer.event("hello").await;
        peer.send_json(&serde_json::json!({ "type": "hello", "nick": nick })).await;
        let welcome = peer.event("welcome").await;
        (peer, welcome)
    }

    async fn must_open(address: SocketAddr, opening: Opening<'_>) -> Self {
        Self::open(address, &opening)
            .await
            .unwrap_or_else(|answer| panic!("opening {}: expected 101, got {answer:?}", opening.target))
    }

    /// Returns an open connection, or the response that rejected it.
    pub async fn open(address: SocketAddr, opening: &Opening<'_>) -> Result<Self, Answer> {
        let what = format!("the answer to the opening handshake of {}", opening.target);
        let mut socket = connect(address).await;
        let mut unread = Vec::new();
        within(&what, socket.write_all(opening.request(address).as_bytes())).await.expect(&what);
        let answer = within(&what, read_answer(&mut socket, &mut unread)).await;
        if answer.status != 101 {
            return Err(answer);
        }
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT), "{answer:?}");
        Ok(Self { socket, unread, answer })
    }

    /// Sends `text` as one text message.
    pub async fn say(&mut self, text: &str) {
        self.send(&Frame::text(text)).await;
    }

    /// Sends `value` as one text message.
    pub async fn send_json(&mut self, value: &Value) {
        self.say(&value.to_string()).await;
    }

    /// Sends any frame.
    pub async fn send(&mut self, frame: &Frame) {
        self.send_bytes(&frame.masked()).await;
    }

    /// Sends a close frame and continues; see [`Self::closed`].
    pub async fn close(&mut self, code: u16, reason: &str) {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.send(&Frame::new(true, opcode::CLOSE, payload)).await;
    }

    /// Sends bytes unchanged.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        within("the server to take what was sent", self.socket.write_all(bytes)).await.expect("write to the server");
    }

    /// Sends as much of `bytes` as the server takes within `patience`, and returns whether that was
    /// everything.
    pub async fn try_send_bytes(&mut self, bytes: &[u8], patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.socket.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Returns the next frame as it is, or `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<Frame> {
        within("the next frame", self.read_frame()).await
    }

    /// Returns the next event from the server.
    pub async fn heard(&mut self) -> Heard {
        within("the next message", self.next()).await
    }

    /// Returns the next text message.
    pub async fn line(&mut self) -> String {
        match within("the next text message", self.skip_pongs()).await {
            Heard::Text(text) => text,
            other => panic!("waited for a text message, got {other:?}"),
        }
    }

    /// Returns the next text message that contains `part`. Skips the messages before it.
    pub async fn line_with(&mut self, part: &str) -> String {
        self.first(&format!("a text message with {part:?}"), |text| text.contains(part).then(|| text.to_owned())).await
    }

    /// Returns the next text message as JSON.
    pub async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
    }

    /// Returns the next event of the type `name`. Skips the events before it.
    pub async fn event(&mut self, name: &str) -> Value {
        self.first(&format!("an event of type {name}"), |text| {
            serde_json::from_str::<Value>(text).ok().filter(|event| event["type"] == name)
        })
        .await
    }

    /// Returns code and reason of the close frame. Skips what comes before it.
    pub async fn closed(&mut self) -> (u16, String) {
        within("a close frame", async {
            loop {
                match self.next().await {
                    Heard::Close(code, reason) => return (code, reason),
                    Heard::End => panic!("waited for a close frame, the connection ended without one"),
                    _ => {}
                }
            }
        })
        .await
    }

    /// Waits for the end of the connection. Skips what comes before it.
    pub async fn ended(&mut self) {
        within("the end of the connection", async { while self.next().await != Heard::End {} }).await;
    }

    /// Ends our half of the connection, without a close frame.
    pub async fn half_close(&mut self) {
        within("our half to close", self.socket.shutdown()).await.expect("shut down our half");
    }

    /// Returns the first text for which `wanted` returns something.
    async fn first<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut skipped = Vec::new();
        let search = async {
            loop {
                match self.skip_pongs().await {
                    Heard::Text(text) => match wanted(&text) {
                        Some(found) => return found,
                        None => skipped.push(text),
                    },
                    other => panic!("waited for {what}, got {other:?} after {skipped:#?}"),
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.unwrap_or_else(|_| panic!("waited {} s for {what}, got {skipped:#?}", DEADLINE.as_secs()))
    }

    async fn skip_pongs(&mut self) -> Heard {
        loop {
            match self.next().await {
                Heard::Pong(_) => {}
                heard => return heard,
            }
        }
    }

    /// Joins the frames of a message and answers pings.
    async fn next(&mut self) -> Heard {
        let mut begun: Option<Frame> = None;
        loop {
            let Some(frame) = self.read_frame().await else { return Heard::End };
            match frame.opcode {
                opcode::PING => {
                    // The server may already be gone; the next read shows that.
                    let pong = Frame::new(true, opcode::PONG, frame.payload).masked();
                    drop(self.socket.write_all(&pong).await);
                }
                opcode::PONG => return Heard::Pong(frame.payload),
                opcode::CLOSE => return close(&frame.payload),
                opcode::CONTINUATION => {
                    let message = begun.as_mut().expect("a continuation follows the beginning of a message");
                    message.payload.extend(frame.payload);
                    message.fin = frame.fin;
                }
                _ => assert!(begun.replace(frame).is_none(), "a message began inside another"),
            }
            match begun.take_if(|message| message.fin) {
                Some(Frame { opcode: opcode::TEXT, payload, .. }) => {
                    return Heard::Text(String::from_utf8(payload).expect("a text message is UTF-8"));
                }
                Some(Frame { opcode: opcode::BINARY, payload, .. }) => return Heard::Binary(payload),
                Some(other) => panic!("a message of an unknown kind: {other:?}"),
                None => {}
            }
        }
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = parse_frame(&self.unread) {
                self.unread.drain(..length);
                return Some(frame);
            }
            if !read_more(&mut self.socket, &mut self.unread).await {
                assert!(self.unread.is_empty(), "the connection ended inside a frame: {:?}", self.unread);
                return None;
            }
        }
    }
}

/// Returns the response to `request`, a complete HTTP request or any other bytes, sent unchanged.
///
/// Reads and writes concurrently, because a server may respond before it has read everything.
pub async fn http(address: SocketAddr, request: &[u8]) -> Answer {
    let first = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
    let (mut reader, mut writer) = connect(address).await.into_split();
    let write = async {
        // The response shows what the server did not read.
        drop(writer.write_all(request).await);
        std::future::pending::<()>().await;
    };
    let mut unread = Vec::new();
    within(&format!("the answer to {first:?}"), async {
        tokio::select! {
            answer = read_answer(&mut reader, &mut unread) => answer,
            () = write => unreachable!("pending for ever"),
        }
    })
    .await
}

async fn connect(address: SocketAddr) -> TcpStream {
    let what = format!("a connection to {address}");
    let socket = within(&what, TcpStream::connect(address)).await.expect(&what);
    socket.set_nodelay(true).expect("TCP_NODELAY");
    socket
}

/// Reads a response. Bytes after it stay in `unread`.
async fn read_answer(socket: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Answer {
    let head = loop {
        if let Some(at) = find(unread, b"\r\n\r\n") {
            break at;
        }
        if !read_more(socket, unread).await {
            return Answer::parse(unread);
        }
    };
    let mut answer = Answer::parse(&unread[..head]);
    unread.drain(..head + 4);
    if answer.status == 0 {
        return answer;
    }
    let chunked = answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let length = answer.header("content-length").map(str::parse::<usize>);
    if matches!(answer.status, 100..=199 | 204 | 304) {
        answer.complete = true;
        return answer;
    }
    loop {
        if chunked {
            if let Some((body, length)) = dechunk(unread) {
                (answer.body, answer.complete) = (body, true);
                unread.drain(..length);
                return answer;
            }
        } else if let Some(Ok(length)) = length
            && unread.len() >= length
        {
            (answer.body, answer.complete) = (unread.drain(..length).collect(), true);
            return answer;
        }
        if !read_more(socket, unread).await {
            // Without a length, the end of the connection is the end of the body (RFC 9112 section
            // 6.3).
            answer.complete = length.is_none() && !chunked;
            answer.body = std::mem::take(unread);
            return answer;
        }
    }
}

/// Returns whether more data arrived; `false` at the end of the connection, however it ended.
async fn read_more(socket: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> bool {
    match socket.read_buf(unread).await {
        Ok(count) => count > 0,
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => false,
        Err(error) => panic!("read from the server: {error}"),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns the body and the length of its chunks (RFC 9112 section 7.1), or `None` if it is
/// incomplete.
fn dechunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = at + find(&bytes[at..], b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..line]).expect("a chunk size is ASCII");
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size is hexadecimal");
        let data = line + 2;
        let chunk = bytes.get(data..data + size)?;
        bytes.get(data + size..data + size + 2)?;
        body.extend(chunk);
        at = data + size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

/// Returns the first frame and its length on the wire, or `None` if it is incomplete.
fn parse_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    assert_eq!(first & 0x70, 0, "no extension was agreed on, yet a reserved bit is set");
    assert_eq!(second & 0x80, 0, "a server must not mask (RFC 6455 section 5.1)");
    let (length, extended) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).expect("a length that fits"), 8),
        short => (usize::from(short), 0),
    };
    assert!(opcode < 8 || fin && length < 126, "a control frame is whole and short (RFC 6455 section 5.5)");
    let payload = rest.get(extended..extended + length)?.to_vec();
    Some((Frame { fin, opcode, payload }, 2 + extended + length))
}

fn close(payload: &[u8]) -> Heard {
    match payload {
        [] => Heard::Close(1005, String::new()),
        [high, low, reason @ ..] => {
            let reason = std::str::from_utf8(reason).expect("a close reason is UTF-8");
            Heard::Close(u16::from_be_bytes([*high, *low]), reason.to_owned())
        }
        [_] => panic!("a close frame of one byte"),
    }
}
