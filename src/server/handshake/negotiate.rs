//! What a request for a WebSocket asks for, and what it is answered (RFC 6455 section 4.2). Pure,
//! but for the date of an answer.

use std::{borrow::Cow, fmt::Write as _, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;

use crate::protocol::{Dialect, Nick, RoomName, SUBPROTOCOL, handshake};
use crate::server::{
    admission::LimitReached,
    handshake::origin::{self, AllowedOrigin},
    handshake::request::Head,
};

/// What a valid handshake asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandshakeRequest {
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

/// An answer that is not the one hoped for.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// Whole lines.
    headers: &'static str,
    words: Cow<'static, str>,
    has_body: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, words: impl Into<Cow<'static, str>>) -> Self {
        Self { status, headers: "Connection: close\r\n", words: words.into(), has_body: true }
    }

    /// Returns it with other headers, which are whole lines and say how the connection goes on.
    fn with(self, headers: &'static str) -> Self {
        Self { headers, ..self }
    }

    /// Returns the answer as it is sent (RFC 9112 section 4), with the time, which RFC 9110 section
    /// 6.6.1 wants.
    pub(crate) fn answer(&self) -> String {
        let Self { status, headers, words, has_body } = self;
        let (date, length) = (httpdate::fmt_http_date(SystemTime::now()), words.len() + 1);
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        if *has_body {
            answer.extend([words, "\n"]);
        }
        answer
    }
}

/// What a request is decided by, besides itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// Whose pages may connect, besides our own.
    pub(crate) origins: &'a [AllowedOrigin],
    /// Whether it came to a loopback address.
    pub(crate) is_loopback: bool,
    /// Why there is no room for it.
    pub(crate) full: Option<LimitReached>,
}

/// Returns what a request asked for with the answer that grants it, or why it is refused.
pub(crate) fn decide(head: Head<'_>, terms: Terms<'_>) -> Result<(HandshakeRequest, Vec<u8>), Refusal> {
    let decided = decide_get(head, terms);
    // RFC 9110 section 9.3.2.
    decided.map_err(|refusal| Refusal { has_body: head.method != Method::HEAD.as_str(), ..refusal })
}

fn decide_get(head: Head<'_>, terms: Terms<'_>) -> Result<(HandshakeRequest, Vec<u8>), Refusal> {
    let Ok(uri) = Uri::try_from(head.target) else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the target of the request is not one of HTTP"));
    };
    // RFC 9112 section 3.2.
    if head.minor == 1 && head.only(&header::HOST).is_none() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a request needs one Host header"));
    }
    if terms.is_loopback && origin::is_rebound(head, terms.origins) {
        let words = "pages may reach a server on their own machine by its address or as localhost; \
                     by another name only where the server is told so: --allow-origin https://chat.example";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, words));
    }
    if head.method != Method::GET.as_str() && head.method != Method::HEAD.as_str() {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are understood here")
            .with("Allow: GET, HEAD\r\nConnection: close\r\n"));
    }
    let upgrade = head.method == Method::GET.as_str()
        && head.has_token(&header::UPGRADE, "websocket")
        && head.has_token(&header::CONNECTION, "upgrade");
    if uri.path() == "/healthz" && !upgrade {
        return Err(Refusal::new(StatusCode::OK, "ok"));
    }
    let room = match uri.path().strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path)) {
        Some("") => Some(RoomName::lobby()),
        Some(name) => percent_decode_str(name).decode_utf8().ok().and_then(|name| RoomName::new(&name).ok()),
        None => None,
    };
    let Some(room) = room else {
        let words = "no such page: the path is the name of a room, a-z, 0-9, - and _, or / for the lobby";
        return Err(Refusal::new(StatusCode::NOT_FOUND, words));
    };
    if !upgrade {
        return Err(upgrade_required(
            "this is a chat: connect with a WebSocket client, such as: client, wscat -c, websocat",
        ));
    }
    if head.minor == 0 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a WebSocket needs HTTP/1.1"));
    }
    if head.only(&header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != b"13") {
        return Err(upgrade_required("only version 13 of the WebSocket protocol is understood"));
    }
    let Some(accept) = accept(head) else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64"));
    };
    if !origin::is_welcome(head, terms.origins) {
        let words = "pages of this origin may not connect unless the server is told so: --allow-origin ORIGIN";
        return Err(Refusal::new(StatusCode::FORBIDDEN, words));
    }
    if let Some(full) = terms.full {
        let status = match full {
            LimitReached::Server | LimitReached::Address => StatusCode::SERVICE_UNAVAILABLE,
            LimitReached::TooOften => StatusCode::TOO_MANY_REQUESTS,
        };
        return Err(Refusal::new(status, full.to_string()).with("Retry-After: 10\r\nConnection: close\r\n"));
    }
    let json = head.has_token(&header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let opening = asked(&uri, if json { Dialect::Json } else { Dialect::Text }, room)?;
    let mut granted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if json {
        // Writing to a string cannot fail.
        write!(granted, "Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n").ok();
    }
    granted.push_str("\r\n");
    Ok((opening, granted.into_bytes()))
}

/// Reads the query. A nick that is none is no reason to keep somebody out: they are told and become
/// a guest.
fn asked(uri: &Uri, dialect: Dialect, room: RoomName) -> Result<HandshakeRequest, Refusal> {
    let mut opening = HandshakeRequest { dialect, room, nick: None, complaint: None, history: None };
    let query = uri.query().unwrap_or_default();
    // Else what is no UTF-8 would become U+FFFD.
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the query is not percent-encoded UTF-8"));
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "nick" if value.is_empty() => {}
            "nick" => match Nick::new(&value) {
                Ok(nick) => opening.nick = Some(nick),
                Err(error) => opening.complaint = Some(error.to_string()),
            },
            "history" => match value.parse() {
                Ok(history) => opening.history = Some(history),
                Err(_) => {
                    return Err(Refusal::new(StatusCode::BAD_REQUEST, "history must be a number of messages"));
                }
            },
            _ => {}
        }
    }
    Ok(opening)
}

/// Returns the answer to the key of the handshake (RFC 6455 section 4.2.2), or `None` if it has no
/// valid key.
fn accept(head: Head<'_>) -> Option<String> {
    let key = head.only(&header::SEC_WEBSOCKET_KEY)?;
    (STANDARD.decode(key).ok()?.len() == 16).then(|| handshake::accept(key))
}

fn upgrade_required(words: &'static str) -> Refusal {
    Refusal::new(StatusCode::UPGRADE_REQUIRED, words)
        .with("Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const HANDSHAKE: [(&str, &str); 5] = [
        ("Host", "chat.example:8080"),
        ("Upgrade", "WebSocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];

    fn request(first: &str, headers: &[(&str, &str)]) -> String {
        let mut request = format!("{first}\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        request + "\r\n"
    }

    /// Returns a valid handshake with `more` headers; one with an empty value takes a header away.
    fn handshake(target: &str, more: &[(&str, &str)]) -> String {
        let is_replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
        let mut headers: Vec<_> = HANDSHAKE.into_iter().filter(|(name, _)| !is_replaced(name)).collect();
        headers.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        request(&format!("GET {target} HTTP/1.1"), &headers)
    }

    const TERMS: Terms<'static> = Terms { origins: &[], is_loopback: false, full: None };

    fn decided(request: &str, terms: Terms<'_>) -> Result<(HandshakeRequest, String), Refusal> {
        let read = Head::read(request.as_bytes(), |head| decide(head, terms)).unwrap();
        read.unwrap().1.map(|(opening, granted)| (opening, String::from_utf8(granted).unwrap()))
    }

    fn status(request: &str) -> u16 {
        decided(request, TERMS).map_or_else(|refusal| refusal.status.as_u16(), |_| 101)
    }

    #[test]
    fn the_sample_handshake_of_the_rfc_is_granted() {
        let (opening, granted) = decided(&handshake("/", &[]), TERMS).unwrap();
        assert_eq!(
            granted,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
        assert_eq!((opening.dialect, opening.room), (Dialect::Text, RoomName::lobby()));
    }

    #[test]
    fn the_subprotocol_is_chosen_only_when_offered() {
        for (offer, dialect) in
            [("broadcast-chat.v1", Dialect::Json), ("chat, broadcast-chat.v1", Dialect::Json), ("chat", Dialect::Text)]
        {
            let (opening, granted) = decided(&handshake("/", &[("Sec-WebSocket-Protocol", offer)]), TERMS).unwrap();
            let chosen = granted.ends_with("\r\nSec-WebSocket-Protocol: broadcast-chat.v1\r\n\r\n");
            assert_eq!((opening.dialect, chosen), (dialect, dialect == Dialect::Json), "{offer}");
        }
    }

    #[test]
    fn the_url_names_the_room_the_nick_and_the_history() {
        for target in
            ["/%72ust/?nick=J%C3%BCrgen&history=5&x=y", "http://chat.example:8080/rust?nick=J%C3%BCrgen&history=5"]
        {
            let (opening, _) = decided(&handshake(target, &[]), TERMS).unwrap();
            assert_eq!(opening.room.as_str(), "rust");
            assert_eq!(opening.nick.unwrap().as_str(), "Jürgen");
            assert_eq!(opening.history, Some(5));
        }
        let (opening, _) = decided(&handshake("/?nick=a%1Bb", &[]), TERMS).unwrap();
        assert!(opening.nick.is_none() && opening.complaint.is_some());
    }

    #[test]
    fn whatever_is_no_valid_upgrade_is_refused_with_its_status() {
        let host = [("Host", "x")];
        for (expected, request) in [
            (426, request("GET / HTTP/1.1", &host)),
            (200, request("GET /healthz HTTP/1.1", &host)),
            (404, request("GET /a/b HTTP/1.1", &host)),
            (400, request("GET / HTTP/1.1", &[])),
            (426, request("GET / HTTP/1.0", &[])),
            (405, request("POST / HTTP/1.1", &HANDSHAKE)),
            (405, request("get / HTTP/1.1", &HANDSHAKE)),
            (400, request("GET / HTTP/1.0", &HANDSHAKE)),
            (426, request("HEAD / HTTP/1.1", &HANDSHAKE)),
            (404, handshake("/-bad", &[])),
            (404, handshake("/%ff", &[])),
            (400, handshake("/?history=many", &[])),
            (400, handshake("/?nick=%ff%fe", &[])),
            (400, handshake("/?%c3=x&%bc", &[])),
            (101, handshake("/?nick=%c3%bc%26+%&x=%zz", &[])),
            (426, handshake("/", &[("Sec-WebSocket-Version", "8")])),
            (426, handshake("/", &[("Sec-WebSocket-Version", "")])),
            (400, handshake("/", &[("Sec-WebSocket-Key", "")])),
            (400, handshake("/", &[("Sec-WebSocket-Key", "c2hvcnQ=")])),
            (426, handshake("/", &[("Connection", "")])),
            (426, handshake("/", &[("Upgrade", "h2c")])),
            (400, handshake("/", &[("Host", "")])),
            (400, handshake("/", &[("host", "another"), ("Host", "y")])),
        ] {
            assert_eq!(status(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_complete_answer_and_to_head_only_its_head() {
        let answer = |first: &str| decided(&request(first, &[("Host", "x")]), TERMS).unwrap_err().answer();
        let whole = answer("GET / HTTP/1.1");
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\nDate: "), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(head.ends_with("\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade, close"));
        assert!(body.starts_with("this is a chat: ") && body.ends_with('\n'));
        assert_eq!(answer("HEAD / HTTP/1.1"), format!("{head}\r\n\r\n"));
    }

    #[test]
    fn a_full_server_says_so_but_is_healthy() {
        for (full, status) in [(LimitReached::Server, 503), (LimitReached::Address, 503), (LimitReached::TooOften, 429)]
        {
            let refused = decided(&handshake("/", &[]), Terms { full: Some(full), ..TERMS }).unwrap_err();
            assert_eq!(refused.status, status);
            assert!(refused.answer().contains("\r\nRetry-After: 10\r\n"));
        }
        let healthy = decided(
            &request("GET /healthz HTTP/1.1", &[("Host", "x")]),
            Terms { full: Some(LimitReached::Server), ..TERMS },
        );
        assert_eq!(healthy.unwrap_err().status, StatusCode::OK);
    }

    #[test]
    fn pages_of_other_hosts_and_of_names_that_anybody_can_give_need_leave() {
        let from = |origin| handshake("/", &[("Origin", origin)]);
        let status =
            |origin, terms| decided(&from(origin), terms).map_or_else(|refusal| refusal.status.as_u16(), |_| 101);
        assert_eq!(status("http://chat.example:8080", TERMS), 101);
        assert_eq!(status("https://evil.example", TERMS), 403);
        // On loopback the name of the handshake is one that anybody may have given it.
        let loopback = Terms { is_loopback: true, ..TERMS };
        assert_eq!(status("http://chat.example:8080", loopback), 421);
        assert_eq!(status("https://evil.example", loopback), 421);
        assert!(decided(&from("http://chat.example:8080"), loopback).unwrap_err().answer().contains("--allow-origin"));
        let origins = &["https://chat.example".parse().unwrap()];
        for terms in [Terms { origins, ..TERMS }, Terms { origins, ..loopback }] {
            assert_eq!(status("https://chat.example", terms), 101);
        }
        assert!(decided(&handshake("/", &[]), loopback).is_ok(), "a program sends no origin");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(
            target in "[ -~]{0,20}", name in "[A-Za-z-]{0,24}", value in "[ -~]{0,40}", replaced in 0..6_usize, cut in 0..300_usize,
        ) {
            let mut headers = HANDSHAKE.to_vec();
            if let Some(header) = headers.get_mut(replaced) {
                *header = (&name, &value);
            }
            let request = request(&format!("GET /{target} HTTP/1.1"), &headers);
            let bytes = &request.as_bytes()[..cut.min(request.len())];
            if let Ok(Some((length, Err(refusal)))) = Head::read(bytes, |head| decide(head, TERMS)) {
                prop_assert!(length <= bytes.len());
                prop_assert!(refusal.answer().contains("\r\n\r\n"));
            }
        }
    }
}
