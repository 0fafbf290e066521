//! The head of an HTTP request, read by httparse under the limits of [`Limits`]. Pure.

use http::{HeaderName, StatusCode};
use httparse::{EMPTY_HEADER, Error, Request, Status};

use crate::protocol::{Limits, handshake::Headers};

/// What a request begins with, without a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// Of HTTP/1.
    pub(crate) minor: u8,
    headers: Headers<'a>,
}

impl<'a> Head<'a> {
    /// Reads `bytes`, which may be the beginning of a head only, and tells `decide` of it once it
    /// is whole. Returns the length of the head and what was decided, or nothing as long as more is
    /// needed.
    ///
    /// # Errors
    /// The status of the answer to what is no head, or to one that is too long (RFC 9112 section 3,
    /// RFC 6585 section 5).
    pub(crate) fn read<T>(bytes: &[u8], decide: impl FnOnce(Head<'_>) -> T) -> Result<Option<(usize, T)>, StatusCode> {
        let mut headers = [EMPTY_HEADER; Limits::HEADERS];
        let mut request = Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(Status::Complete(length)) => {
                let Request { method: Some(method), path: Some(target), version: Some(minor), headers } = request
                else {
                    return Err(StatusCode::BAD_REQUEST);
                };
                let headers = Headers(headers);
                Ok(Some((length, decide(Head { method, target, minor, headers }))))
            }
            Ok(Status::Partial) if bytes.len() < Limits::HEAD => Ok(None),
            Ok(Status::Partial) if request.path.is_none() => Err(StatusCode::URI_TOO_LONG),
            Ok(Status::Partial) | Err(Error::TooManyHeaders) => Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Err(_) => Err(StatusCode::BAD_REQUEST),
        }
    }

    /// Returns whether a head may have ended in `bytes` after the first `known` of them: there is
    /// nothing to be read before.
    pub(crate) fn may_end(bytes: &[u8], known: usize) -> bool {
        // What ends it, an empty line, may have begun before.
        let last = &bytes[known.saturating_sub(3)..];
        last.windows(2).any(|pair| pair == b"\n\n") || last.windows(3).any(|three| three == b"\n\r\n")
    }

    /// Returns the values of a header.
    pub(crate) fn all(self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.headers.all(name)
    }

    /// Returns the value of a header that may come only once (RFC 6455 section 11.3), or `None` if
    /// it came otherwise.
    pub(crate) fn only(self, name: &HeaderName) -> Option<&'a [u8]> {
        self.headers.only(name)
    }

    /// Returns whether a header that is a list of tokens (RFC 9110 section 5.6.1) has `token`.
    pub(crate) fn has_token(self, name: &HeaderName, token: &str) -> bool {
        self.headers.has_token(name, token)
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn status(bytes: &[u8]) -> Option<u16> {
        Head::read(bytes, |_| ()).err().map(|status| status.as_u16())
    }

    #[test]
    fn a_head_is_read_when_it_is_whole_and_what_follows_is_left() {
        let whole = b"GET /rust?x HTTP/1.1\r\nHost: a\r\nCONNECTION: x , Upgrade\r\nConnection:y\r\n\r\n\x81\x80";
        for cut in 0..whole.len() - 2 {
            assert!(Head::read(&whole[..cut], |_| ()).unwrap().is_none(), "{cut}");
        }
        let read = Head::read(whole, |head| {
            assert_eq!((head.method, head.target, head.minor), ("GET", "/rust?x", 1));
            assert_eq!(head.only(&header::HOST), Some(&b"a"[..]));
            assert_eq!(head.only(&header::CONNECTION), None, "it came twice");
            assert!(head.has_token(&header::CONNECTION, "upgrade") && !head.has_token(&header::CONNECTION, "up"));
        });
        assert_eq!(read, Ok(Some((whole.len() - 2, ()))));
    }

    #[test]
    fn every_byte_that_may_end_a_head_is_noticed_and_few_others() {
        for end in ["\r\n\r\n", "\n\r\n", "\n\n"] {
            let head = format!("GET / HTTP/1.1\r\nHost: x{end}");
            for known in 0..head.len() {
                assert!(Head::may_end(head.as_bytes(), known), "{end:?} {known}");
            }
            assert!(!Head::may_end(&head.as_bytes()[..head.len() - 1], 0), "{end:?}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_head_at_all_has_its_status() {
        let long = |beginning: &str| [beginning.as_bytes(), &vec![b'a'; Limits::HEAD]].concat();
        assert_eq!(status(&long("GET /")), Some(414));
        assert_eq!(status(&long("GET / HTTP/1.1\r\nX: ")), Some(431));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(Limits::HEADERS + 1));
        assert_eq!(status(many.as_bytes()), Some(431));
        for broken in [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\nX\r\n\r\n"] {
            assert_eq!(status(broken), Some(400), "{broken:?}");
        }
    }
}
