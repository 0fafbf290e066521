//! The opening handshake: reads the head of a request under limits and a deadline, and either hands the stream over as a
//! WebSocket's or gives a complete answer.
//!
//! hyper reads and answers what is not HTTP at all (400, 414, 431); the rest is decided here, by value, in [`answer`].

use std::{
    convert::Infallible,
    future::{poll_fn, ready},
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::Full as FullBody;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use super::{admission::Full, held::Held, replay::Replay};
use crate::wire::{Dialect, Limits, Nick, RoomName, SUBPROTOCOL};

/// What a valid handshake asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    /// How the connection will speak.
    pub(crate) dialect: Dialect,
    /// The room of the URL.
    pub(crate) room: RoomName,
    /// The nick of the query.
    pub(crate) nick: Option<Nick>,
    /// What was wrong with the nick of the query, for its owner.
    pub(crate) complaint: Option<String>,
    /// The history of the query.
    pub(crate) history: Option<u32>,
}

/// A stream that became a WebSocket.
#[derive(Debug)]
pub(crate) struct Opened<S> {
    pub(crate) stream: Replay<S>,
    /// The answer that grants it: to be sent before anything else.
    pub(crate) unsent: Vec<u8>,
    pub(crate) opening: Opening,
}

/// Serves one HTTP connection to its end, and returns the stream if it became a WebSocket.
///
/// Every refusal is a complete answer, followed by reading away what the peer still sends, since closing on unread data would
/// take the answer back. A head that misses its deadline is cut.
pub(crate) async fn open<S>(stream: S, origins: &[String], full: Option<Full>) -> Option<Opened<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let opening = Arc::new(OnceLock::new());
    let found = Arc::clone(&opening);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        ready(Ok::<_, Infallible>(match answer(&request, origins, full) {
            Ok((opening, response)) => {
                // Set once: the connection ends with its first answer.
                found.get_or_init(|| opening);
                response
            }
            Err(refused) => *refused,
        }))
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(Limits::HEAD)
        .max_headers(Limits::HEADERS)
        .keep_alive(false)
        .half_close(true)
        .serve_connection(TokioIo::new(Held::new(stream, Arc::clone(&opening))), service);
    let served = timeout(Limits::HANDSHAKE, poll_fn(|cx| connection.poll_without_shutdown(cx))).await.ok()?;
    let parts = connection.into_parts();
    let (stream, unsent) = parts.io.into_inner().into_parts();
    drop(parts.service);
    match Arc::into_inner(opening).and_then(OnceLock::into_inner) {
        Some(opening) if served.is_ok() => {
            Some(Opened { stream: Replay::new(&parts.read_buf, stream), unsent, opening })
        }
        _ => {
            linger(stream).await;
            None
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
    drop(timeout(Limits::CLOSE, read_away).await);
}

type Answer = Response<FullBody<Bytes>>;

/// An answer that is not the one hoped for.
type Refused = Box<Answer>;

/// Returns what a request asked for with the answer that grants it, or the answer that refuses it.
fn answer<B>(request: &Request<B>, origins: &[String], full: Option<Full>) -> Result<(Opening, Answer), Refused> {
    let headers = request.headers();
    let path = request.uri().path();
    // RFC 9112 section 3.2.
    if request.version() == Version::HTTP_11 && only(headers, &header::HOST).is_none() {
        return refuse(refusal(StatusCode::BAD_REQUEST, "a request needs one Host header"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refused = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET is understood here");
        return refuse(with(refused, header::ALLOW, "GET, HEAD"));
    }
    let upgrade = request.method() == Method::GET
        && has_token(headers, &header::UPGRADE, "websocket")
        && has_token(headers, &header::CONNECTION, "upgrade");
    if path == "/healthz" && !upgrade {
        return refuse(refusal(StatusCode::OK, "ok"));
    }
    let room = match path.strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path)) {
        Some("") => Some(RoomName::lobby()),
        Some(name) => RoomName::new(name).ok(),
        None => None,
    };
    let Some(room) = room else {
        let words = "no such page: the path is the name of a room, a-z, 0-9, - and _, or / for the lobby";
        return refuse(refusal(StatusCode::NOT_FOUND, words));
    };
    if !upgrade {
        return refuse(upgrade_required(
            "this is a chat: connect with a WebSocket client, such as: client, wscat -c, websocat",
        ));
    }
    if request.version() != Version::HTTP_11 {
        return refuse(refusal(StatusCode::BAD_REQUEST, "a WebSocket needs HTTP/1.1"));
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return refuse(upgrade_required("only version 13 of the WebSocket protocol is understood"));
    }
    let Some(accept) = accept(headers) else {
        return refuse(refusal(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64"));
    };
    if !is_welcome_origin(headers, origins) {
        let words = "pages of this origin may not connect; the server's --allow-origin lets them in";
        return refuse(refusal(StatusCode::FORBIDDEN, words));
    }
    if let Some(full) = full {
        let refused = refusal(StatusCode::SERVICE_UNAVAILABLE, &full.to_string());
        return refuse(with(refused, header::RETRY_AFTER, "10"));
    }
    let json = has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let dialect = if json { Dialect::Json } else { Dialect::Text };
    let opening = asked(request.uri(), dialect, room)?;
    let mut granted = Response::new(FullBody::default());
    *granted.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    granted = with(granted, header::UPGRADE, "websocket");
    granted = with(granted, header::CONNECTION, "Upgrade");
    granted.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if json {
        granted = with(granted, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    }
    Ok((opening, granted))
}

/// Reads the query. A nick that is none is no reason to keep somebody out: they are told and become a guest.
fn asked(uri: &Uri, dialect: Dialect, room: RoomName) -> Result<Opening, Refused> {
    let mut opening = Opening { dialect, room, nick: None, complaint: None, history: None };
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "nick" if value.is_empty() => {}
            "nick" => match Nick::new(&value) {
                Ok(nick) => opening.nick = Some(nick),
                Err(error) => opening.complaint = Some(error.to_string()),
            },
            "history" => match value.parse() {
                Ok(history) => opening.history = Some(history),
                Err(_) => return refuse(refusal(StatusCode::BAD_REQUEST, "history must be a number of messages")),
            },
            _ => {}
        }
    }
    Ok(opening)
}

/// Returns the answer to the key of the handshake (RFC 6455 section 4.2.2), or `None` if it has no valid key.
fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    /// RFC 6455 section 1.3.
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let key = only(headers, &header::SEC_WEBSOCKET_KEY)?.as_bytes();
    if STANDARD.decode(key).ok()?.len() != 16 {
        return None;
    }
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    HeaderValue::try_from(STANDARD.encode(hash.digest().bytes())).ok()
}

/// Returns the value of a header that may come only once (RFC 6455 section 11.3), or `None` if it came otherwise.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns whether a page of the request's `Origin` may connect: programs send none, a page of this very host may, others by
/// `--allow-origin`.
fn is_welcome_origin(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
        || origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}

/// Returns whether a header that is a list of tokens (RFC 9110 section 5.6.1) has `token`.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
}

fn refuse<T>(answer: Answer) -> Result<T, Refused> {
    Err(Box::new(answer))
}

fn upgrade_required(words: &str) -> Answer {
    let refused = with(refusal(StatusCode::UPGRADE_REQUIRED, words), header::SEC_WEBSOCKET_VERSION, "13");
    with(with(refused, header::UPGRADE, "websocket"), header::CONNECTION, "Upgrade")
}

fn refusal(status: StatusCode, words: &str) -> Answer {
    let mut response = Response::new(FullBody::from(format!("{words}\n")));
    *response.status_mut() = status;
    with(response, header::CONTENT_TYPE, "text/plain; charset=utf-8")
}

fn with(mut response: Answer, name: HeaderName, value: &'static str) -> Answer {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Returns a valid handshake with `more` headers; one with an empty value takes a header away.
    fn handshake(target: &str, more: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = request(
            target,
            &[
                ("host", "chat.example:8080"),
                ("upgrade", "WebSocket"),
                ("connection", "keep-alive, Upgrade"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", KEY),
            ],
        );
        for (name, value) in more {
            request.headers_mut().remove(*name);
            if !value.is_empty() {
                request.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
        }
        request
    }

    fn status(request: &Request<()>) -> u16 {
        answer(request, &[], None).map_or_else(|refused| refused.status(), |(_, granted)| granted.status()).as_u16()
    }

    #[test]
    fn the_sample_handshake_of_the_rfc_is_granted() {
        let (opening, response) = answer(&handshake("/", &[]), &[], None).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(opening.dialect, Dialect::Text);
        assert_eq!(opening.room, RoomName::lobby());
        assert!(!response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn the_subprotocol_is_chosen_only_when_offered() {
        for (offer, dialect) in
            [("broadcast-chat.v1", Dialect::Json), ("chat, broadcast-chat.v1", Dialect::Json), ("chat", Dialect::Text)]
        {
            let (opening, response) = answer(&handshake("/", &[("sec-websocket-protocol", offer)]), &[], None).unwrap();
            let chosen = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).is_some();
            assert_eq!((opening.dialect, chosen), (dialect, dialect == Dialect::Json), "{offer}");
        }
    }

    #[test]
    fn the_url_names_the_room_the_nick_and_the_history() {
        let (opening, _) = answer(&handshake("/rust/?nick=J%C3%BCrgen&history=5&x=y", &[]), &[], None).unwrap();
        assert_eq!(opening.room.as_str(), "rust");
        assert_eq!(opening.nick.unwrap().as_str(), "Jürgen");
        assert_eq!(opening.history, Some(5));
        let (opening, _) = answer(&handshake("/?nick=a%1Bb", &[]), &[], None).unwrap();
        assert!(opening.nick.is_none() && opening.complaint.is_some());
    }

    #[test]
    fn whatever_is_no_valid_upgrade_is_refused_with_its_status() {
        for (expected, request) in [
            (426, request("/", &[("host", "x")])),
            (200, request("/healthz", &[("host", "x")])),
            (404, request("/a/b", &[("host", "x")])),
            (400, request("/", &[])),
            (404, handshake("/-bad", &[])),
            (400, handshake("/?history=many", &[])),
            (426, handshake("/", &[("sec-websocket-version", "8")])),
            (426, handshake("/", &[("sec-websocket-version", "")])),
            (400, handshake("/", &[("sec-websocket-key", "")])),
            (400, handshake("/", &[("sec-websocket-key", "c2hvcnQ=")])),
            (426, handshake("/", &[("connection", "")])),
            (426, handshake("/", &[("upgrade", "h2c")])),
            (400, handshake("/", &[("host", "")])),
        ] {
            assert_eq!(status(&request), expected, "{request:?}");
        }
        let mut old = handshake("/", &[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(status(&old), 400);
        let mut post = handshake("/", &[]);
        *post.method_mut() = Method::POST;
        assert_eq!(status(&post), 405);
    }

    #[test]
    fn a_full_server_says_so_but_is_healthy() {
        let refused = answer(&handshake("/", &[]), &[], Some(Full::Server)).unwrap_err();
        assert_eq!((refused.status().as_u16(), &refused.headers()[header::RETRY_AFTER]), (503, &HeaderValue::from(10)));
        let healthy = answer(&request("/healthz", &[("host", "x")]), &[], Some(Full::Server)).unwrap_err();
        assert_eq!(healthy.status(), 200);
    }

    #[test]
    fn pages_of_other_hosts_need_leave() {
        let from = |origin| handshake("/", &[("origin", origin)]);
        assert_eq!(status(&from("http://chat.example:8080")), 101);
        assert_eq!(status(&from("https://evil.example")), 403);
        assert_eq!(status(&from("null")), 403);
        for allowed in ["https://Evil.example", "*"] {
            assert!(answer(&from("https://evil.example"), &[allowed.to_owned()], None).is_ok());
        }
    }

    #[tokio::test]
    async fn the_answer_that_grants_is_left_for_the_first_write_and_a_refusal_is_not() {
        let ask = async |path: &str| {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
            );
            theirs.write_all(request.as_bytes()).await.unwrap();
            // It has nothing more to say, so that nobody waits for it.
            theirs.shutdown().await.unwrap();
            let opened = open(ours, &[], None).await;
            let unsent = opened.map(|opened| String::from_utf8(opened.unsent).unwrap()).unwrap_or_default();
            let mut sent = String::new();
            theirs.read_to_string(&mut sent).await.unwrap();
            (unsent, sent)
        };
        let (unsent, sent) = ask("/").await;
        assert!(unsent.starts_with("HTTP/1.1 101 ") && sent.is_empty(), "{unsent:?}, {sent:?}");
        let (unsent, sent) = ask("/a/b").await;
        assert!(sent.starts_with("HTTP/1.1 404 ") && unsent.is_empty(), "{unsent:?}, {sent:?}");
    }
}
