//! What a person is called whom no nick names for long. Pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A person, whatever their nick: `p12` on the wire. In one history, numbers are given in order and
/// never twice: who writes to one reaches that person or nobody. In another history a number may be
/// somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId(pub u64);

/// Text that was not a `p` and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a person, such as p12")]
pub struct PersonError;

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl FromStr for PersonId {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        let digits = text.strip_prefix('p').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).map(Self).ok_or(PersonError)
    }
}

impl Serialize for PersonId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PersonId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_a_p_and_a_number() {
        assert_eq!("p12".parse(), Ok(PersonId(12)));
        assert_eq!(serde_json::to_string(&PersonId(12)).unwrap(), r#""p12""#);
        for text in ["", "p", "12", "p-1", "p+1", "px", "p18446744073709551616"] {
            assert_eq!(text.parse::<PersonId>(), Err(PersonError), "{text}");
        }
    }
}
