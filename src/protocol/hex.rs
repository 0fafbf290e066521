//! Random bytes as they travel: `N` bytes, written as `2N` lower-case hexadecimal digits. Pure;
//! whoever makes one brings the randomness.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// `N` bytes, hexadecimal on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// Which history a server has: born with its log, so that another epoch means that ids mean
/// something else.
pub type Epoch = Hex<8>;

/// A stretch of a history: from one start of the server on its log to the next. A log that was
/// restored from a copy keeps its epoch, but what it gives ids to from then on is another run.
pub type Run = Hex<8>;

/// What the server's `hello` brings, for a later proof of who the client is.
pub type Nonce = Hex<16>;

/// Text that was not `2N` hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} hexadecimal digits")]
pub struct HexError {
    digits: usize,
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let error = HexError { digits: 2 * N };
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return Err(error);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = match (value(pair[0]), value(pair[1])) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(error),
            };
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The secret that makes connections those of one person: whoever has it has the nick. Never
/// logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionToken(pub Hex<16>);

/// Who stands behind a session: what is left of a [`SessionToken`] when it must be stored or
/// compared, or drawn at random where there is none. No secret.
pub type Author = Hex<16>;

impl SessionToken {
    /// Returns the author whom this token makes: the first half of its SHA-256.
    #[must_use]
    pub fn author(&self) -> Author {
        let digest: [u8; 32] = Sha256::digest(self.0.0).into();
        let mut author = [0; 16];
        author.copy_from_slice(&digest[..16]);
        Hex(author)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(secret)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_hexadecimal_is_refused() {
        for text in ["", "0", "zz00000000000000", "00000000000000000", "é0000000000000"] {
            assert!(text.parse::<Epoch>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_a_log() {
        assert!(!format!("{:?}", SessionToken(Hex([0xab; 16]))).contains("ab"));
    }

    proptest! {
        #[test]
        fn round_trip(bytes in any::<[u8; 8]>()) {
            prop_assert_eq!(Hex(bytes).to_string().parse(), Ok(Hex(bytes)));
        }
    }
}
