//! Our half of the opening handshake (RFC 6455 section 4.1): the request, and an answer that is read under [`Limits`] and may be
//! anything. It has no deadline of its own.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, header};
use httparse::{EMPTY_HEADER, Error, Response, Status};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio_websockets::ClientBuilder;

use super::connect::Connection;
use crate::{
    client::address::Address,
    os,
    wire::{
        Dialect, Limits, SUBPROTOCOL,
        handshake::{Headers, accept},
    },
};

/// What is read ahead: the usual answer, and few enough bytes that most later reads go past it.
const AHEAD: usize = 1024;

/// Asks for a WebSocket on `stream`, and returns it with how the server will speak.
///
/// # Errors
/// Why there is none, for people.
pub(super) async fn shake_hands<S>(address: &Address, stream: S) -> Result<Connection<S>, String>
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
    Ok(Connection { stream: ClientBuilder::new().limits(limits).take_over(stream), dialect })
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

/// Reads the head of the answer, and leaves what is behind it in the stream.
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
        stream.consume(read.map_or(head.len(), |(length, _)| length) - known);
        match read {
            Some((_, dialect)) => return Ok(dialect),
            None if head.len() == Limits::HEAD => {
                return Err("the server's answer to the handshake has no end".to_owned());
            }
            None => {}
        }
    }
}

/// Returns the length of the head that `bytes` begin with and what it grants, or nothing as long as more is needed.
///
/// # Errors
/// Why it is no head, or grants nothing, for people.
fn read(bytes: &[u8], key: &str) -> Result<Option<(usize, Dialect)>, String> {
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

/// Returns what an answer grants (RFC 6455 section 4.1, the checks of the client).
fn decide(status: u16, headers: Headers<'_>, key: &str) -> Result<Dialect, String> {
    if status != 101 {
        return Err(in_words(status));
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
        Some(chosen) if chosen == SUBPROTOCOL.as_bytes() => Ok(Dialect::Json),
        _ if has_any(&header::SEC_WEBSOCKET_PROTOCOL) => {
            Err("the server chose a subprotocol that was not offered".to_owned())
        }
        _ => Ok(Dialect::Text),
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

    /// Returns what becomes of an answer that comes in pieces of `size` bytes, and what is behind it.
    fn told(bytes: &[u8], size: usize) -> Result<(Dialect, Vec<u8>), String> {
        let mut stream = BufReader::with_capacity(size, bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
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
            ("HTTP/1.1 503 No\r\nRetry-After: 10\r\n\r\n".to_owned(), &in_words(503)),
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
            // A head that is granted is within its limits, and what is behind it is there to the last byte.
            if let Ok((_, behind)) = told(&bytes, size) {
                prop_assert!(bytes.ends_with(&behind) && bytes.len() - behind.len() <= Limits::HEAD);
            }
        }
    }
}
