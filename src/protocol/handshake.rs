//! What both ends need of the opening handshake: the headers of a head, and the answer to a key
//! (RFC 6455 section 4). Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderName;
use httparse::Header;

/// The headers of a head, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a>(pub &'a [Header<'a>]);

impl<'a> Headers<'a> {
    /// Returns the values of a header.
    pub fn all(self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let has_name = move |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name.as_str());
        self.0.iter().filter(has_name).map(|header| header.value)
    }

    /// Returns the value of a header that may come only once (RFC 6455 section 11.3), or `None` if
    /// it came otherwise.
    #[must_use]
    pub fn only(self, name: &HeaderName) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Returns whether a header that is a list of tokens (RFC 9110 section 5.6.1) has `token`.
    #[must_use]
    pub fn has_token(self, name: &HeaderName, token: &str) -> bool {
        let mut found = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        found.any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// Returns the `Sec-WebSocket-Accept` that answers `key`, as it stands in the header (RFC 6455
/// section 4.2.2).
#[must_use]
pub fn accept(key: &[u8]) -> String {
    /// RFC 6455 section 1.3.
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_key_of_the_rfc_has_its_answer() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
