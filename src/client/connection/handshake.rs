//! The client side of the opening handshake (RFC 6455 section 4.1): it sends the request and reads
//! the answer. The answer may be anything, so it is read under [`Limits`]. Only the text of a
//! refusal has a timeout here. The caller sets the timeout of the handshake.

use std::{io, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, header};
use httparse::{EMPTY_HEADER, Error, Response, Status};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    time::timeout,
};
use tokio_websockets::{ClientBuilder, WebSocketStream};

use crate::{
    client::address::Address,
    os,
    protocol::{
        Dialect, Limits, SUBPROTOCOL,
        handshake::{Headers, accept},
        sanitize,
    },
};

/// A connection after its opening handshake.
pub(super) struct Established<S> {
    pub(super) stream: WebSocketStream<BufReader<S>>,
    pub(super) dialect: Dialect,
}

/// The capacity of the read buffer, in bytes. It holds the usual answer, but is small enough that
/// most later reads bypass it.
const AHEAD: usize = 1024;

/// The limits on the text of a refusal: the bytes that are read, the characters that are shown, and
/// the time it may take.
const WORDS: usize = 1024;
const SHOWN: usize = 300;
const SOON: Duration = Duration::from_secs(1);

/// The longest wait that is accepted from a refusal, in seconds.
const LONGEST_WAIT: u32 = 24 * 60 * 60;

/// The result of parsing the head of an answer.
#[derive(Debug)]
enum Answer {
    Granted(Dialect),
    Refused(Refusal),
}

/// An answer that does not open a WebSocket.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    status: u16,
    /// The number of bytes of text that follow.
    words: usize,
    /// The number of seconds after which the server wants to be asked again.
    retry_after: Option<u32>,
}

/// Requests a WebSocket on `stream`. Returns it together with the dialect of the server.
///
/// # Errors
/// Returns the reason for the user if the handshake fails.
pub(super) async fn shake_hands<S>(address: &Address, stream: S) -> Result<Established<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let key = STANDARD.encode(nonce);
    let mut stream = BufReader::with_capacity(AHEAD, stream);
    let request = request(address, &key);
    let sent = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| os::reason(&error))?;
    let dialect = answer(&mut stream, &key).await?;
    let limits = tokio_websockets::Limits::default().max_payload_len(Some(Limits::INBOUND));
    Ok(Established { stream: ClientBuilder::new().limits(limits).take_over(stream), dialect })
}

fn request(address: &Address, key: &str) -> String {
    let uri = address.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
}

/// Reads the head of the answer. Leaves the bytes after it in the stream, but reads the text of a
/// refusal.
async fn answer<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, key: &str) -> Result<Dialect, String> {
    let mut head = Vec::with_capacity(AHEAD);
    loop {
        let chunk = stream.fill_buf().await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
            _ => os::reason(&error),
        })?;
        if chunk.is_empty() {
            return Err("the server closed the connection".to_owned());
        }
        let known = head.len();
        head.extend_from_slice(&chunk[..chunk.len().min(Limits::HEAD - known)]);
        let read = read(&head, key)?;
        stream.consume(read.as_ref().map_or(head.len(), |(length, _)| *length) - known);
        match read {
            Some((_, Answer::Granted(dialect))) => return Ok(dialect),
            Some((_, Answer::Refused(refusal))) => {
                let mut words = Vec::new();
                let most = u64::try_from(refusal.words.min(WORDS)).unwrap_or_default();
                // The text that has arrived before the timeout is better than none.
                drop(timeout(SOON, stream.take(most).read_to_end(&mut words)).await);
                return Err(refusal.in_words(&String::from_utf8_lossy(&words)));
            }
            None if head.len() == Limits::HEAD => {
                return Err("the server's answer to the handshake has no end".to_owned());
            }
            None => {}
        }
    }
}

/// Parses the head at the beginning of `bytes`. Returns its length and its meaning, or `None` if
/// more bytes are needed.
///
/// # Errors
/// Returns the reason for the user if the bytes are not a head or the head is invalid.
fn read(bytes: &[u8], key: &str) -> Result<Option<(usize, Answer)>, String> {
    let mut headers = [EMPTY_HEADER; Limits::HEADERS];
    let mut response = Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(Status::Complete(length)) => {
            let status = response.code.unwrap_or_default();
            Ok(Some((length, decide(status, Headers(response.headers), key)?)))
        }
        Ok(Status::Partial) => Ok(None),
        Err(Error::TooManyHeaders) => Err("the server's answer to the handshake has too many headers".to_owned()),
        Err(_) => Err("what answers there does not speak HTTP".to_owned()),
    }
}

/// Interprets the head of an answer. Makes the checks that a client must make (RFC 6455 section
/// 4.1).
fn decide(status: u16, headers: Headers<'_>, key: &str) -> Result<Answer, String> {
    if status != 101 {
        return Ok(Answer::Refused(Refusal::new(status, headers)));
    }
    let is_granted = headers.has_token(&header::UPGRADE, "websocket")
        && headers.has_token(&header::CONNECTION, "upgrade")
        && headers.only(&header::SEC_WEBSOCKET_ACCEPT).is_some_and(|given| given == accept(key.as_bytes()).as_bytes());
    if !is_granted {
        return Err("what answers there is not a WebSocket server".to_owned());
    }
    let has_any = |name: &HeaderName| headers.all(name).any(|value| !value.is_empty());
    if has_any(&header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the server chose an extension that was not offered".to_owned());
    }
    match headers.only(&header::SEC_WEBSOCKET_PROTOCOL) {
        Some(chosen) if chosen == SUBPROTOCOL.as_bytes() => Ok(Answer::Granted(Dialect::Json)),
        _ if has_any(&header::SEC_WEBSOCKET_PROTOCOL) => {
            Err("the server chose a subprotocol that was not offered".to_owned())
        }
        _ => Ok(Answer::Granted(Dialect::Text)),
    }
}

impl Refusal {
    fn new(status: u16, headers: Headers<'_>) -> Self {
        let text = |name| headers.only(name).and_then(|value| std::str::from_utf8(value).ok()).map(str::trim);
        // Do not show an HTML page: it is for a browser.
        let is_text = text(&header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/plain"));
        let length = text(&header::CONTENT_LENGTH).and_then(|length| length.parse().ok()).filter(|_| is_text);
        let retry_after = text(&header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        Self {
            status,
            words: length.unwrap_or(0),
            retry_after: retry_after.filter(|seconds| (1..=LONGEST_WAIT).contains(seconds)),
        }
    }

    /// Returns the refusal for the user, in the words of the server if it sent any.
    fn in_words(self, said: &str) -> String {
        let said = sanitize::line(said);
        let said = said.trim();
        let mut shown: String = said.chars().take(SHOWN).collect();
        if shown.len() < said.len() {
            shown.push('…');
        }
        let status = self.status;
        let words = if shown.is_empty() || (200..400).contains(&status) {
            in_words(status)
        } else {
            format!("refused: {shown} ({status})")
        };
        match self.retry_after {
            Some(seconds) => format!("{words}; try again in {seconds} s"),
            None => words,
        }
    }
}

fn in_words(status: u16) -> String {
    match status {
        401 => "the server wants to know who you are (401)".to_owned(),
        403 => "the server does not let you in (403)".to_owned(),
        404 => "there is no such room (404)".to_owned(),
        426 => "the server wants another version of the protocol (426)".to_owned(),
        429 => "the server says that you connect too often (429)".to_owned(),
        503 => "the server is full, or this address has too many connections (503)".to_owned(),
        200..=299 => format!("an HTTP server answers there, but no chat ({status})"),
        300..=399 => format!("the server points to another address ({status})"),
        _ => format!("the server refused with HTTP status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                           Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    /// Returns the result for an answer that arrives in pieces of `size` bytes, and the bytes after
    /// it.
    fn told(bytes: &[u8], size: usize) -> Result<(Dialect, Vec<u8>), String> {
        let mut stream = BufReader::with_capacity(size, bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async move {
            let dialect = answer(&mut stream, KEY).await?;
            let mut behind = Vec::new();
            stream.read_to_end(&mut behind).await.unwrap();
            Ok((dialect, behind))
        })
    }

    #[test]
    fn an_answer_is_read_in_any_pieces_and_nothing_behind_it_is_lost() {
        let ours = format!("{GRANTED}Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n\u{1}hello");
        let text = format!("{GRANTED}\r\n\u{1}hello");
        for size in 1..=ours.len() {
            assert_eq!(told(ours.as_bytes(), size), Ok((Dialect::Json, b"\x01hello".to_vec())), "{size}");
            assert_eq!(told(text.as_bytes(), size), Ok((Dialect::Text, b"\x01hello".to_vec())), "{size}");
        }
    }

    #[test]
    fn what_grants_nothing_is_said_in_words() {
        let without = |header: &str| {
            let kept: String = GRANTED.split_inclusive('\n').filter(|line| !line.starts_with(header)).collect();
            kept + "\r\n"
        };
        let with = |more: &str| format!("{GRANTED}{more}\r\n\r\n");
        let no_server = "what answers there is not a WebSocket server";
        let endless = "the server's answer to the handshake has no end";
        for (answer, words) in [
            (without("Upgrade"), no_server),
            (without("Connection"), no_server),
            (without("Sec-WebSocket-Accept"), no_server),
            (without("Sec-WebSocket-Accept").replace("\r\n\r\n", "\r\nSec-WebSocket-Accept: A\r\n\r\n"), no_server),
            (with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), no_server),
            (with("Sec-WebSocket-Protocol: mqtt"), "the server chose a subprotocol that was not offered"),
            (
                with(&format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nSec-WebSocket-Protocol: mqtt")),
                "the server chose a subprotocol that was not offered",
            ),
            (with("Sec-WebSocket-Extensions: x"), "the server chose an extension that was not offered"),
            ("HTTP/1.1 503 No\r\nRetry-After: 10\r\n\r\n".to_owned(), &format!("{}; try again in 10 s", in_words(503))),
            ("HTTP/1.1 403 No\r\n\r\n".to_owned(), "the server does not let you in (403)"),
            ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), "an HTTP server answers there, but no chat (200)"),
            (with(&"X: y\r\n".repeat(1000)), "the server's answer to the handshake has too many headers"),
            (with(&format!("X: {}", "x".repeat(1 << 20))), endless),
            (format!("HTTP/1.1 101 {}", "x".repeat(1 << 20)), endless),
            ("\r\n".repeat(1 << 20), endless),
            ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), "what answers there does not speak HTTP"),
            (GRANTED.to_owned(), "the server closed the connection"),
            (String::new(), "the server closed the connection"),
        ] {
            let beginning: String = answer.chars().take(200).collect();
            assert_eq!(told(answer.as_bytes(), 700), Err(words.to_owned()), "{beginning:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_own_words() {
        let plain = "Content-Type: text/plain; charset=utf-8\r\n";
        let told = |status: &str, headers: &str, body: &str| {
            let answer = format!("HTTP/1.1 {status} No\r\n{headers}\r\n{body}");
            let words = told(answer.as_bytes(), 700).unwrap_err();
            assert_eq!(told(answer.as_bytes(), 1).unwrap_err(), words);
            words
        };
        let with = |length: usize| format!("{plain}Content-Length: {length}\r\n");
        assert_eq!(told("421", &with(9), "ask here\nGET / "), "refused: ask here (421)");
        assert_eq!(
            told("503", &format!("{}Retry-After: 10\r\n", with(12)), "it is full\r\n"),
            "refused: it is full (503); try again in 10 s"
        );
        assert_eq!(told("429", &with(20), "\u{1b}[31ma\tb"), "refused: a b (429)", "clean, and cut off");
        let long = "é".repeat(4000);
        assert_eq!(told("404", &with(8000), &long), format!("refused: {}… (404)", "é".repeat(SHOWN)));
        for (headers, body) in [
            (with(0), ""),
            (with(2), "\r\n"),
            (plain.to_owned(), "no length"),
            ("Content-Length: 6\r\n".to_owned(), "<html>"),
            ("Content-Type: text/html\r\nContent-Length: 6\r\n".to_owned(), "<html>"),
            (format!("{plain}Content-Length: -1\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"), "x"),
        ] {
            assert_eq!(told("404", &headers, body), in_words(404), "{headers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_whose_words_do_not_come_is_told() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let head = "HTTP/1.1 503 No\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\nit is";
        theirs.write_all(head.as_bytes()).await.unwrap();
        let told = answer(&mut BufReader::new(ours), KEY).await;
        assert_eq!(told, Err("refused: it is (503)".to_owned()));
    }

    proptest! {
        #[test]
        fn any_answer_has_an_end(
            start in prop::sample::select(vec!["", "HTTP/1.1 101 x\r\n", GRANTED, "HTTP/1.0 200 "]),
            parts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    "[A-Za-z-]{1,20}: ?[ -~]{0,300}\r?\n".prop_map(String::into_bytes),
                    "Sec-WebSocket-(Accept|Protocol|Key): [A-Za-z0-9+/=]{0,300}\r\n".prop_map(String::into_bytes),
                    Just(b"\r\n\r\n".to_vec()),
                    Just(vec![b'a'; 3000]),
                ],
                0..100,
            ),
            size in 1..3000_usize,
        ) {
            let bytes = [start.as_bytes(), &parts.concat()].concat();
            // An accepted head is within the limits, and no byte after it is lost.
            if let Ok((_, behind)) = told(&bytes, size) {
                prop_assert!(bytes.ends_with(&behind) && bytes.len() - behind.len() <= Limits::HEAD);
            }
        }
    }
}
