//! Which web pages may connect: the origin they come from, and the host they believe to talk to.
//! Pure.

use std::{net::IpAddr, str::FromStr};

use http::{header, uri::Authority};

use crate::server::handshake::request::Head;

/// An origin whose pages an operator lets in, besides the server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page.
    Any,
    /// `null`: pages without an origin of their own, such as files.
    Null,
    /// Pages of one origin.
    One(Origin),
}

/// An origin (RFC 6454 section 4): two are the same where their pages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// In lower case, as is the host.
    scheme: String,
    /// An IPv6 address has its brackets.
    host: String,
    /// None is the default of the scheme.
    port: Option<u16>,
}

impl FromStr for AllowedOrigin {
    type Err = String;

    /// Reads what an operator writes; a slash at the end is understood.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Ok(Self::Null),
            _ => {}
        }
        let origin = text.strip_suffix('/').unwrap_or(text);
        if let Some(origin) = Origin::read(origin) {
            return Ok(Self::One(origin));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let would_be = format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default());
        let example = if Origin::read(&would_be).is_some() { would_be } else { "https://chat.example".to_owned() };
        Err(format!("expected SCHEME://HOST or SCHEME://HOST:PORT as browsers send it, such as {example}"))
    }
}

impl Origin {
    /// Reads an origin as a browser sends it, whatever the case and with or without the port that
    /// is the default.
    fn read(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let (host, port) = host_and_port(authority.as_bytes()).filter(|_| is_scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.filter(|port| Some(*port) != default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Returns whether a server that is reached by this `Host` serves its pages. A `Host` does not
    /// say the scheme: it may be that of a proxy.
    fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        let default = default_port(&self.scheme);
        self.host == host && self.port.or(default) == port.or(default)
    }
}

/// Returns whether a page may connect that sent this request: programs send no `Origin`, a page of
/// this very host may, others where they are allowed.
pub(crate) fn is_welcome(head: Head<'_>, allowed: &[AllowedOrigin]) -> bool {
    let Some(origin) = head.all(&header::ORIGIN).next() else { return true };
    if allowed.contains(&AllowedOrigin::Any) {
        return true;
    }
    if origin == b"null" {
        return allowed.contains(&AllowedOrigin::Null);
    }
    let Some(origin) = str::from_utf8(origin).ok().and_then(Origin::read) else { return false };
    let own = head.only(&header::HOST).and_then(host_and_port);
    own.is_some_and(|(host, port)| origin.is_at(&host, port)) || allowed.contains(&AllowedOrigin::One(origin))
}

/// Returns whether a page sent this request to this machine by a name that anybody can give it:
/// whose DNS says today that a name is a machine of theirs and tomorrow that it is this one has
/// pages of our "own host" (DNS rebinding). An address cannot be made to mean another one, and
/// names below `localhost` are nobody's (RFC 6761 section 6.3).
pub(crate) fn is_rebound(head: Head<'_>, allowed: &[AllowedOrigin]) -> bool {
    if head.all(&header::ORIGIN).next().is_none() {
        return false;
    }
    let Some((host, _)) = head.only(&header::HOST).and_then(host_and_port) else { return true };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    let is_ours = address.parse::<IpAddr>().is_ok() || host == "localhost" || host.ends_with(".localhost");
    let is_named = allowed.iter().any(|allowed| match allowed {
        AllowedOrigin::Any => true,
        AllowedOrigin::Null => false,
        AllowedOrigin::One(origin) => origin.host == host,
    });
    !is_ours && !is_named
}

/// Reads HOST or HOST:PORT (RFC 3986 section 3.2, without the user); the host comes in lower case,
/// and without the dot that says that a name is a whole one (RFC 1034 section 3.1).
fn host_and_port(text: &[u8]) -> Option<(String, Option<u16>)> {
    let authority = Authority::try_from(text).ok().filter(|authority| !authority.as_str().contains('@'))?;
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host)?;
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) => Some(digits.parse().ok()?),
        None => return None,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty() && !host.ends_with('.')).then(|| (host.to_ascii_lowercase(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed(text: &str) -> Vec<AllowedOrigin> {
        text.split(' ').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect()
    }

    /// Returns whether a page of `origin` is welcome at `host`, and whether it would have been
    /// rebound to a loopback address.
    fn asks(origin: &str, host: &str, flags: &str) -> (bool, bool) {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        let allowed = allowed(flags);
        let ask = |head: Head<'_>| (is_welcome(head, &allowed), is_rebound(head, &allowed));
        Head::read(request.as_bytes(), ask).unwrap().unwrap().1
    }

    #[test]
    fn a_page_of_the_servers_own_host_is_welcome_with_or_without_the_default_port() {
        for (origin, host) in [
            ("http://chat.example:8080", "chat.example:8080"),
            ("http://Chat.example", "chat.EXAMPLE"),
            ("https://chat.example", "chat.example:443"),
            ("https://chat.example:443", "chat.example"),
            ("http://chat.example", "chat.example:80"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://localhost.:8080", "localhost.:8080"),
            ("https://chat.example", "CHAT.example."),
        ] {
            assert!(asks(origin, host, "").0, "{origin} at {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "chat.example"),
            ("https://chat.example", "chat.example:80"),
            ("https://chat.example", "chat.example:8443"),
            ("https://chat.example:8443", "chat.example"),
            ("https://chat.example@evil.example", "chat.example"),
            ("https://chat.example", "chat.example:443x"),
            ("https://chat.example", "chat.example.."),
            ("null", "chat.example"),
            ("chat.example", "chat.example"),
        ] {
            assert!(!asks(origin, host, "").0, "{origin} at {host}");
        }
    }

    #[test]
    fn pages_of_other_hosts_need_leave_however_it_is_written() {
        for flag in ["https://c.d", "https://c.d/", "https://c.d:443", "HTTPS://C.D:443/", "http://x https://c.d", "*"]
        {
            assert!(asks("https://c.d", "chat.example", flag).0, "{flag}");
        }
        for flag in ["", "http://c.d", "https://c.d:8443", "https://c", "null"] {
            assert!(!asks("https://c.d", "chat.example", flag).0, "{flag}");
        }
        assert!(asks("null", "chat.example", "null").0);
        assert!(asks("chrome-extension://abcdef", "chat.example", "chrome-extension://abcdef").0);
    }

    #[test]
    fn a_flag_that_could_never_match_is_refused_with_what_would() {
        for (flag, would_be) in [
            ("c.d", "https://c.d"),
            ("c.d:8080", "https://c.d:8080"),
            ("http://c.d/chat", "http://c.d"),
            ("https://", "https://chat.example"),
            ("https://*.c.d:x", "https://chat.example"),
            ("https://bücher.example", "https://chat.example"),
            ("", "https://chat.example"),
        ] {
            let words = flag.parse::<AllowedOrigin>().unwrap_err();
            assert!(words.ends_with(&format!("such as {would_be}")), "{flag:?}: {words}");
        }
    }

    #[test]
    fn a_name_that_anybody_may_have_given_this_machine_is_noticed() {
        for host in
            ["attacker.example", "attacker.example:8080", "localhost.attacker.example", "notlocalhost", "127.1.x"]
        {
            assert!(asks(&format!("http://{host}"), host, "").1, "{host}");
            assert!(asks(&format!("http://{host}"), host, "https://other.example").1, "{host}");
            assert!(!asks(&format!("http://{host}"), host, "*").1, "{host}");
        }
        for host in [
            "127.0.0.1:8080",
            "192.168.1.2",
            "[::1]:8080",
            "localhost",
            "LocalHost:80",
            "chat.localhost:1",
            "localhost.",
            "127.0.0.1.:80",
        ] {
            assert!(!asks(&format!("http://{host}"), host, "").1, "{host}");
        }
        for (host, flag) in [
            ("chat.example:8080", "https://chat.example"),
            ("CHAT.example.", "https://chat.example"),
            ("c.d", "https://c.d."),
        ] {
            assert!(!asks("https://chat.example", host, flag).1, "{host} is named");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_allowed_is_what_a_browser_would_send(text in "(https?|ftp)?(://)?[a-c.:0-9/@\\[\\]*]{0,12}") {
            if let Ok(AllowedOrigin::One(origin)) = text.parse::<AllowedOrigin>() {
                let port = origin.port.map_or(String::new(), |port| format!(":{port}"));
                let sent = format!("{}://{}{port}", origin.scheme, origin.host);
                prop_assert_eq!(Origin::read(&sent), Some(origin), "{}", sent);
            }
        }
    }
}
