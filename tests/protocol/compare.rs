//! Compares the text of a document with what a server sent.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Fields whose values a document cannot know.
const FREE: [&str; 7] = ["at", "session", "epoch", "run", "nonce", "server", "retry_after_ms"];

/// Maps strings of the document to those the server really sent: a session token that the document
/// shows in a `welcome` and in a later `hello` is the real one.
#[derive(Default)]
pub(crate) struct Stand {
    actual: HashMap<String, String>,
}

impl Stand {
    /// Returns `text` as it is sent: with the server's real values in place of those of the
    /// document.
    pub(crate) fn actual(&self, text: &str) -> String {
        let Some(mut fields) = object(text) else { return text.to_owned() };
        let mut replaced = false;
        for key in FREE {
            if let Some(Value::String(shown)) = fields.get(key)
                && let Some(actual) = self.actual.get(shown)
            {
                fields.insert(key.to_owned(), Value::String(actual.clone()));
                replaced = true;
            }
        }
        // A text without replacements is sent byte for byte.
        if replaced { Value::Object(fields).to_string() } else { text.to_owned() }
    }

    /// Compares as JSON if both are objects, otherwise as text.
    pub(crate) fn matches(&mut self, expected: &str, got: &str) -> Result<(), String> {
        match (object(expected), object(got)) {
            (Some(expected), Some(got)) => self.value("", &Value::Object(expected), &Value::Object(got)),
            _ if expected == got => Ok(()),
            _ => Err("not the same text".to_owned()),
        }
    }

    fn value(&mut self, path: &str, expected: &Value, got: &Value) -> Result<(), String> {
        match (expected, got) {
            (Value::Object(expected), Value::Object(got)) => {
                if let Some(key) = got.keys().find(|key| !expected.contains_key(*key)) {
                    return Err(format!("{path}.{key} is there and should not"));
                }
                for (key, expected) in expected {
                    let path = format!("{path}.{key}");
                    let got = got.get(key).ok_or_else(|| format!("{path} is missing"))?;
                    if FREE.contains(&key.as_str()) {
                        self.free(&path, expected, got)?;
                    } else {
                        self.value(&path, expected, got)?;
                    }
                }
                Ok(())
            }
            (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
                let mut pairs = expected.iter().zip(got).enumerate();
                pairs.try_for_each(|(index, (expected, got))| self.value(&format!("{path}[{index}]"), expected, got))
            }
            _ if expected == got => Ok(()),
            _ => Err(format!("{path} is {got}")),
        }
    }

    fn free(&mut self, path: &str, expected: &Value, got: &Value) -> Result<(), String> {
        if let (Value::String(shown), Value::String(actual)) = (expected, got) {
            self.actual.insert(shown.clone(), actual.clone());
        }
        let same = std::mem::discriminant(expected) == std::mem::discriminant(got);
        if same { Ok(()) } else { Err(format!("{path} is of another type: {got}")) }
    }
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(expected: &str, got: &str) -> Result<(), String> {
        Stand::default().matches(expected, got)
    }

    #[test]
    fn objects_compare_by_structure_and_free_fields_by_type() {
        assert_eq!(compare(r#"{"a":1,"b":[{"at":5}]}"#, r#"{ "b": [{"at": 77}], "a": 1 }"#), Ok(()));
        assert_eq!(compare(r#"{"a":1}"#, r#"{"a":2}"#), Err(".a is 2".to_owned()));
        assert_eq!(
            compare(r#"{"b":[{"at":5}]}"#, r#"{"b":[{"at":"5"}]}"#).unwrap_err(),
            ".b[0].at is of another type: \"5\""
        );
        assert_eq!(compare(r#"{"a":1}"#, r#"{"a":1,"c":1}"#), Err(".c is there and should not".to_owned()));
        assert_eq!(compare(r#"{"a":1,"at":1}"#, r#"{"a":1}"#), Err(".at is missing".to_owned()));
        assert!(compare(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#).is_err());
    }

    #[test]
    fn what_is_no_object_compares_as_text() {
        assert_eq!(compare("ada: [1]", "ada: [1]"), Ok(()));
        assert!(compare("[1,2]", "[1, 2]").is_err());
        assert!(compare(r#"{"a":1}"#, "a").is_err());
    }

    #[test]
    fn a_token_that_is_sent_back_is_the_real_one() {
        let mut stand = Stand::default();
        stand.matches(r#"{"session":"5e55","nick":"ada"}"#, r#"{"session":"aa01","nick":"ada"}"#).unwrap();
        assert_eq!(stand.actual(r#"{"type":"hello","session":"5e55"}"#), r#"{"session":"aa01","type":"hello"}"#);
        assert_eq!(stand.actual(r#"{"type": "hello", "session": "0"}"#), r#"{"type": "hello", "session": "0"}"#);
        assert_eq!(stand.actual("5e55"), "5e55");
    }
}
