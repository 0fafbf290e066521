//! The address of a server: a WebSocket URL, or a short form that people type. Pure.

use std::{fmt, str::FromStr};

use http::{Uri, uri::Authority};
use percent_encoding::percent_decode_str;

use crate::protocol::{
    Limits, NameError, Nick, RoomName,
    host::{HostError, HostPort},
    sanitize,
};

/// The port of an address without a scheme and without a port. It is the default port of the
/// server.
const PORT: u16 = 8080;

/// The address of a server, with everything that dialling and the opening handshake need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    /// The host for the resolver. An IPv6 address has no brackets but may have a zone.
    host: String,
    port: u16,
    query: Query,
    /// A note for the user, if the address was interpreted as something other than its literal
    /// text.
    understood: Option<String>,
}

/// What the client reads from the query. The server receives the whole query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Query {
    nick: Option<Nick>,
    history: Option<u32>,
    /// The first parameter that the client does not know.
    unknown: Option<String>,
}

/// The reason why a text is not an address. The message is shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A scheme for encrypted connections.
    #[error(
        "{0}:// needs TLS, which comes in a later version; use ws://, or a proxy on this machine that ends the TLS"
    )]
    Tls(&'static str),
    /// A scheme other than WebSocket.
    #[error("{0}:// is not understood; an address begins with ws://")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error("expected host, host:port, host:port/room or ws://host:port/room")]
    Form,
    /// The address has a user name or a password.
    #[error("an address has no user name; the nick is given with --nick")]
    User,
    /// The address has a fragment. HTTP never sends one.
    #[error("an address has no #; a room is written host/room")]
    Fragment,
    /// The nick in the query is invalid.
    #[error("?nick= in the address: {0}")]
    Nick(NameError),
    /// The history length in the query is invalid.
    #[error("?history= in the address: expected a number from 0 to {}", Limits::HISTORY)]
    History,
    /// The query has this parameter twice.
    #[error("the address says {0} twice")]
    Twice(&'static str),
    /// The port is invalid.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// The IPv6 address or its zone is invalid.
    #[error(transparent)]
    Host(HostError),
}

impl Address {
    /// Returns the address as a URL. The handshake requests this URL.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the host to resolve. An IPv6 address has no brackets but keeps its zone.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port to dial.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the host and the port. The client stores the state of a server under this name.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns the room that the path names, or `None` if there is no path or it is not a room
    /// name.
    #[must_use]
    pub fn room(&self) -> Option<RoomName> {
        RoomName::new(&percent_decode_str(self.uri.path().strip_prefix('/')?).decode_utf8().ok()?).ok()
    }

    /// Returns the nick from the query.
    #[must_use]
    pub fn nick(&self) -> Option<&Nick> {
        self.query.nick.as_ref()
    }

    /// Returns the history length from the query: a number of the latest messages.
    #[must_use]
    pub fn history(&self) -> Option<u32> {
        self.query.history
    }

    /// Returns a note for the user, or `None` if there is nothing to say. The note says how the
    /// address was interpreted, and names a query parameter that the client does not know. Another
    /// server may know that parameter.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let unknown = self.query.unknown.as_ref().map(|name| {
            format!("{name:?} in the address means nothing here: of a query, nick and history are understood")
        });
        let remarks: Vec<_> = self.understood.iter().cloned().chain(unknown).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }

    /// Returns the address without its query. The query holds the choices of one user.
    #[must_use]
    pub fn without_query(&self) -> Self {
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = self.uri.path().parse().ok();
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| self.uri.clone());
        Self { uri, query: Query::default(), ..self.clone() }
    }

    /// Returns the address of `room` on the same server.
    #[must_use]
    pub fn in_room(&self, room: &RoomName) -> Self {
        let query = self.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let mut parts = self.uri.clone().into_parts();
        // A room name from a server may break our naming rules, so encode it.
        let room: String = form_urlencoded::byte_serialize(room.as_str().as_bytes()).collect();
        parts.path_and_query = format!("/{room}{query}").parse().ok();
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| self.uri.clone());
        Self { uri, ..self.clone() }
    }

    /// Returns whether a server that was started without arguments listens at this address.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.port == PORT && self.is_local()
    }

    /// Returns whether the host is one of the usual names of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "127.0.0.1" | "localhost" | "::1")
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        // `http::Uri` drops a fragment silently, so the room would be lost.
        if text.contains('#') {
            return Err(AddressError::Fragment);
        }
        let (scheme, rest) =
            text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme.to_ascii_lowercase()), rest));
        let default_port = match scheme.as_deref() {
            None => PORT,
            Some("ws" | "http") => 80,
            Some("wss") => return Err(AddressError::Tls("wss")),
            Some("https") => return Err(AddressError::Tls("https")),
            Some(scheme) => return Err(AddressError::Scheme(printable(scheme))),
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(split);
        if authority.contains('@') {
            return Err(AddressError::User);
        }
        let host = HostPort::read(authority)?;
        let port = host.port.unwrap_or(default_port);
        if port == 0 {
            return Err(AddressError::Port);
        }
        // The server never receives the zone. A zone has a meaning only on this machine (RFC 6874
        // section 1).
        let bracketed = if host.host.contains(':') { format!("[{}]", host.host) } else { host.host.clone() };
        let parsed: Authority = bracketed.parse().map_err(|_| AddressError::Form)?;
        if parsed.host() != bracketed {
            return Err(AddressError::Form);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let uri = Uri::builder()
            .scheme("ws")
            .authority(if port == 80 { bracketed } else { format!("{bracketed}:{port}") })
            .path_and_query(format!("{slash}{target}"))
            .build()
            .map_err(|_| AddressError::Form)?;
        let query = query(uri.query().unwrap_or_default())?;
        let mut address = Self { uri, host: host.resolvable(), port, query, understood: None };
        if host.guessed || scheme.as_deref() == Some("http") {
            address.understood = Some(format!("{} is understood as {address}", printable(text)));
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.uri.to_string();
        if let Some((address, zone)) = self.host.split_once('%') {
            // The zone separator of a URL is `%25` (RFC 6874 section 2).
            shown = shown.replacen(&format!("[{address}]"), &format!("[{address}%25{zone}]"), 1);
        }
        let is_bare = self.uri.path() == "/" && self.uri.query().is_none();
        f.write_str(shown.strip_suffix('/').filter(|_| is_bare).unwrap_or(&shown))
    }
}

fn query(text: &str) -> Result<Query, AddressError> {
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match name.as_ref() {
            "nick" if value.is_empty() => {}
            "nick" if query.nick.is_some() => return Err(AddressError::Twice("nick")),
            "history" if query.history.is_some() => return Err(AddressError::Twice("history")),
            // Percent-decoding has replaced invalid UTF-8 by this character.
            "nick" if value.contains(char::REPLACEMENT_CHARACTER) => return Err(AddressError::Nick(NameError::Nick)),
            "nick" => query.nick = Some(Nick::new(&value).map_err(AddressError::Nick)?),
            "history" => {
                let number = value.parse().ok().filter(|number| *number <= Limits::HISTORY);
                query.history = Some(number.ok_or(AddressError::History)?);
            }
            other => {
                query.unknown.get_or_insert_with(|| sanitize::line(other).chars().take(32).collect());
            }
        }
    }
    Ok(query)
}

impl From<HostError> for AddressError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Missing => Self::Form,
            HostError::Port => Self::Port,
            error => Self::Host(error),
        }
    }
}

fn printable(text: &str) -> String {
    sanitize::line(text).chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> (String, String, u16) {
        let address: Address = text.parse().unwrap();
        (address.to_string(), address.host().to_owned(), address.port())
    }

    #[test]
    fn short_forms_are_understood() {
        for (text, url, host, port) in [
            ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080", "127.0.0.1", 8080),
            ("chat.example", "ws://chat.example:8080", "chat.example", 8080),
            ("localhost:2000", "ws://localhost:2000", "localhost", 2000),
            ("localhost/rust", "ws://localhost:8080/rust", "localhost", 8080),
            ("localhost:2000/rust", "ws://localhost:2000/rust", "localhost", 2000),
            ("[::1]:8080", "ws://[::1]:8080", "::1", 8080),
            ("[::1]/x", "ws://[::1]:8080/x", "::1", 8080),
            ("ws://host", "ws://host", "host", 80),
            ("::1", "ws://[::1]:8080", "::1", 8080),
            ("::1/x", "ws://[::1]:8080/x", "::1", 8080),
            ("ws://::1", "ws://[::1]", "::1", 80),
            ("::1:2000", "ws://[::1]:2000", "::1", 2000),
            ("2001:db8::7:12", "ws://[2001:db8::7:12]:8080", "2001:db8::7:12", 8080),
            ("[fe80::1%lo]:8080/x", "ws://[fe80::1%25lo]:8080/x", "fe80::1%lo", 8080),
            ("fe80::1%25lo", "ws://[fe80::1%25lo]:8080", "fe80::1%lo", 8080),
            ("fe80::1%lo:2000", "ws://[fe80::1%25lo]:2000", "fe80::1%lo", 2000),
            ("http://host", "ws://host", "host", 80),
            ("Http://host:2000/rust", "ws://host:2000/rust", "host", 2000),
            ("WS://host:80/a?b=c", "ws://host/a?b=c", "host", 80),
            ("host//", "ws://host:8080//", "host", 8080),
            ("host?nick=ada", "ws://host:8080/?nick=ada", "host", 8080),
        ] {
            assert_eq!(parsed(text), (url.to_owned(), host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn a_room_has_an_address_on_its_server() {
        let address: Address = "localhost:2000/rust?nick=ada".parse().unwrap();
        assert_eq!((address.server(), address.room()), ("localhost:2000".to_owned(), RoomName::new("rust").ok()));
        assert_eq!(address.in_room(&RoomName::lobby()).to_string(), "ws://localhost:2000/lobby?nick=ada");
        assert_eq!(address.without_query().to_string(), "ws://localhost:2000/rust");
        let bare: Address = "[::1]".parse().unwrap();
        assert_eq!((bare.server(), bare.room()), ("::1:8080".to_owned(), None));
        assert_eq!(bare.in_room(&RoomName::lobby()).to_string(), "ws://[::1]:8080/lobby");
        assert_eq!(bare.in_room(&RoomName::read("ä?b&")).to_string(), "ws://[::1]:8080/%C3%A4%3Fb%26");
    }

    #[test]
    fn what_is_understood_otherwise_than_it_is_written_is_said() {
        for (text, words) in [
            ("http://host/rust", Some("http://host/rust is understood as ws://host/rust")),
            ("::1:2000", Some("::1:2000 is understood as ws://[::1]:2000")),
            ("::1", None),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().remark().as_deref(), words, "{text}");
        }
    }

    #[test]
    fn a_room_may_be_percent_encoded_and_the_zone_stays_here() {
        let address: Address = "[fe80::1%lo]/%72ust".parse().unwrap();
        assert_eq!(address.room(), RoomName::new("rust").ok());
        assert_eq!(address.uri().authority().unwrap().as_str(), "[fe80::1]:8080");
        assert_eq!(address.server(), "fe80::1%lo:8080");
    }

    #[test]
    fn the_query_says_who_comes_and_how_much_history_is_wanted() {
        let address: Address = "ws://localhost/rust?nick=z%C3%B6e&history=2".parse().unwrap();
        assert_eq!((address.nick().map(Nick::as_str), address.history()), (Some("zöe"), Some(2)));
        assert_eq!(address.remark(), None);
        assert_eq!(address.in_room(&RoomName::lobby()).nick(), address.nick());
        let other: Address = "localhost?nik=zoe&token=a%1bb".parse().unwrap();
        assert_eq!((other.nick(), other.history()), (None, None));
        let words = "\"nik\" in the address means nothing here: of a query, nick and history are understood";
        assert_eq!(other.remark().as_deref(), Some(words));
        for (query, error) in [
            ("nick=a%20b", AddressError::Nick(NameError::Nick)),
            ("nick=%ff%fe", AddressError::Nick(NameError::Nick)),
            ("history=all", AddressError::History),
            ("history=1001", AddressError::History),
            ("history=", AddressError::History),
            ("nick=a&nick=b", AddressError::Twice("nick")),
            ("history=1&history=2", AddressError::Twice("history")),
        ] {
            assert_eq!(format!("localhost?{query}").parse::<Address>(), Err(error), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_said() {
        for (text, error) in [
            ("wss://host", AddressError::Tls("wss")),
            ("HTTPS://host", AddressError::Tls("https")),
            ("ftp://host", AddressError::Scheme("ftp".to_owned())),
            ("", AddressError::Form),
            ("ws://", AddressError::Form),
            ("/rust", AddressError::Form),
            ("a b", AddressError::Form),
            ("[", AddressError::Host(HostError::Ipv6)),
            ("a:b:c", AddressError::Host(HostError::Ipv6)),
            ("[fe80::1%]", AddressError::Host(HostError::Zone)),
            ("[fe80::1%a/b]", AddressError::Host(HostError::Ipv6)),
            ("[::1]8080", AddressError::Port),
            ("ws://host/a b", AddressError::Form),
            ("host:0", AddressError::Port),
            ("host:99999", AddressError::Port),
            ("host:+1", AddressError::Port),
            ("host:", AddressError::Port),
            ("ada@host", AddressError::User),
            ("host/#rust", AddressError::Fragment),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            drop(text.parse::<Address>());
        }

        #[test]
        fn never_panics_on_what_looks_like_one(text in "(ws://)?[\\[\\]a-z:0-9@.]{0,12}[:/?#]{0,2}[ -~]{0,8}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap().to_string(), address.to_string());
            }
        }
    }
}
