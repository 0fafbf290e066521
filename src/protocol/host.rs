//! A host and a port, as people write them: for the client's address and the server's `--listen`.
//! Pure.

// The addresses alone; what connects is in `std::net`.
use core::net::Ipv6Addr;

/// The longest zone of an IPv6 address: the name of a network interface, or its number.
const ZONE: usize = 32;

/// A host, and the port behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address; an IPv6 address stands without brackets.
    pub host: String,
    /// The zone of an IPv6 address of a single link, such as `eth0` (RFC 4007).
    pub zone: Option<String>,
    /// The port, where one was given.
    pub port: Option<u16>,
    /// Whether an IPv6 address with a port was written without brackets.
    pub guessed: bool,
}

/// Why a text is no host and port; its words go to whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no host.
    #[error("the host is missing, such as 127.0.0.1 or chat.example")]
    Missing,
    /// An IPv6 address that is none.
    #[error("this is no IPv6 address; one is written ::1 or [::1]:8080")]
    Ipv6,
    /// A zone that is no name of a network interface.
    #[error("this is no zone of an IPv6 address; one is written [fe80::1%eth0]:8080")]
    Zone,
    /// A port that is no port.
    #[error("a port is a number from 0 to 65535")]
    Port,
}

impl HostPort {
    /// Reads HOST, HOST:PORT, an IPv6 address with or without brackets, or \[IPV6\]:PORT. An IPv6
    /// address may have a zone behind a `%`, or behind `%25` as in a URL (RFC 6874).
    ///
    /// Without brackets, a last group of four decimal digits or more is a port, where an address is
    /// left without it.
    ///
    /// # Errors
    /// A [`HostError`] when it is none of these.
    pub fn read(text: &str) -> Result<Self, HostError> {
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, behind) = rest.split_once(']').ok_or(HostError::Ipv6)?;
            let port = match behind.strip_prefix(':') {
                Some(digits) => Some(port(digits)?),
                None if behind.is_empty() => None,
                None => return Err(HostError::Port),
            };
            let (host, zone) = ipv6(inside)?;
            return Ok(Self { host, zone, port, guessed: false });
        }
        let Some((before, last)) = text.rsplit_once(':') else {
            return Self::named(text, None);
        };
        if !before.contains(':') {
            return Self::named(before, Some(port(last)?));
        }
        let is_port = last.len() >= 4 && last.bytes().all(|byte| byte.is_ascii_digit());
        if let Ok((host, zone)) = ipv6(before)
            && (is_port || ipv6(text).is_err())
        {
            return Ok(Self { host, zone, port: Some(port(last)?), guessed: true });
        }
        let (host, zone) = ipv6(text)?;
        Ok(Self { host, zone, port: None, guessed: false })
    }

    fn named(host: &str, port: Option<u16>) -> Result<Self, HostError> {
        if host.is_empty() {
            return Err(HostError::Missing);
        }
        Ok(Self { host: host.to_owned(), zone: None, port, guessed: false })
    }

    /// Returns the host as the resolver takes it.
    #[must_use]
    pub fn resolvable(&self) -> String {
        let zone = self.zone.as_ref().map_or_else(String::new, |zone| format!("%{zone}"));
        format!("{}{zone}", self.host)
    }
}

fn port(digits: &str) -> Result<u16, HostError> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number).ok_or(HostError::Port)
}

/// Returns an IPv6 address and its zone.
fn ipv6(text: &str) -> Result<(String, Option<String>), HostError> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().map_err(|_| HostError::Ipv6)?;
    let Some(zone) = zone else { return Ok((address.to_owned(), None)) };
    // The name of an interface that begins with 25 is written with its %25.
    let zone = zone.strip_prefix("25").filter(|rest| !rest.is_empty()).unwrap_or(zone);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    if zone.is_empty() || zone.len() > ZONE || !zone.chars().all(is_name) {
        return Err(HostError::Zone);
    }
    Ok((address.to_owned(), Some(zone.to_owned())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_and_ports_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("chat.example", "chat.example", None),
            ("chat.example:0", "chat.example", Some(0)),
            ("[::1]", "::1", None),
            ("[::1]:8080", "::1", Some(8080)),
            ("::1", "::1", None),
            ("::", "::", None),
            ("::1:8080", "::1", Some(8080)),
            ("2001:db8::7:12", "2001:db8::7:12", None),
            ("1:2:3:4:5:6:7:8080", "1:2:3:4:5:6:7:8080", None),
            ("1:2:3:4:5:6:7:8:80", "1:2:3:4:5:6:7:8", Some(80)),
            ("[fe80::1%lo]:80", "fe80::1%lo", Some(80)),
            ("[fe80::1%25lo]:80", "fe80::1%lo", Some(80)),
            ("fe80::1%2", "fe80::1%2", None),
            ("fe80::1%25", "fe80::1%25", None),
            ("fe80::1%lo:80", "fe80::1%lo", Some(80)),
        ] {
            let read = HostPort::read(text).unwrap();
            assert_eq!((read.resolvable().as_str(), read.port), (host, port), "{text}");
        }
        for (text, error) in [
            ("", HostError::Missing),
            (":80", HostError::Missing),
            ("host:", HostError::Port),
            ("host:+1", HostError::Port),
            ("host:65536", HostError::Port),
            ("[::1]80", HostError::Port),
            ("[::1", HostError::Ipv6),
            ("[host]:80", HostError::Ipv6),
            ("a:b:c", HostError::Ipv6),
            ("[fe80::1%]", HostError::Zone),
            ("[fe80::1%a b]", HostError::Zone),
        ] {
            assert_eq!(HostPort::read(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]:%0-9a-fä]{0,40}") {
            drop(HostPort::read(&text));
        }
    }
}
