//! What is derived from the secret of a conversation: its session token and the keys of its texts.
//! Pure.
//!
//! All of them are digests of the secret, so none reveals another one, although everybody sees the
//! keys. Several conversations may share a session token, and the server separates keys only by
//! their token. Each conversation has its own secret, so its keys are unique.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::protocol::{Hex, IdempotencyKey, SessionToken};

/// Returns the session token of the conversation with this secret.
pub(super) fn session(secret: [u8; 16]) -> SessionToken {
    SessionToken(Hex(digest(secret, b"session token")))
}

/// Returns the `number`th key of the conversation with this secret.
pub(super) fn key(secret: [u8; 16], number: u64) -> Option<IdempotencyKey> {
    let digest: [u8; 12] = digest(secret, &number.to_be_bytes());
    let mut key = String::new();
    for byte in digest {
        // Cannot fail: a `String` accepts everything.
        let _ = write!(key, "{byte:02x}");
    }
    IdempotencyKey::new(&key).ok()
}

/// Returns the first `N` bytes of a digest. Purposes of different lengths never give the same
/// input.
fn digest<const N: usize>(secret: [u8; 16], purpose: &[u8]) -> [u8; N] {
    let whole: [u8; 32] = Sha256::new().chain_update(secret).chain_update(purpose).finalize().into();
    let mut first = [0; N];
    first.copy_from_slice(&whole[..N]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_secret_and_by_number() {
        let keys = [key([0; 16], 1), key([0; 16], 2), key([1; 16], 1)];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
    }

    #[test]
    fn the_session_token_is_not_the_secret_and_no_key_begins_it() {
        let token = session([3; 16]);
        assert!(token != SessionToken(Hex([3; 16])) && token != session([4; 16]));
        for number in 0..100 {
            let key = key([3; 16], number).unwrap();
            assert!(!token.0.to_string().starts_with(key.as_str()));
        }
    }
}
