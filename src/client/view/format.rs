//! The lines of `--format`: a template defines what a message looks like. Pure.

use std::str::FromStr;

/// A template: text, and fields in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The time of day or, with `--timestamps`, the date and the time.
    Time,
    /// The date.
    Date,
    /// The sender.
    Nick,
    /// The text. If it has several lines, those after the first are indented.
    Text,
    /// The room. Empty for a private message.
    Room,
    /// The ID. Empty for a private message.
    Id,
    /// `say`, `me`, `topic` or `private`.
    Kind,
}

/// The fields by name, in the order of the error message.
const FIELDS: [(&str, Field); 7] = [
    ("time", Field::Time),
    ("date", Field::Date),
    ("nick", Field::Nick),
    ("text", Field::Text),
    ("room", Field::Room),
    ("id", Field::Id),
    ("kind", Field::Kind),
];

/// Why a text is not a template. The words are for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// An unknown field.
    #[error("{{{0}}} is no field; there are {fields}", fields = names())]
    Unknown(String),
    /// A single brace.
    #[error("a brace that opens no field is written {{{{, and one that closes none }}}}")]
    Brace,
}

fn names() -> String {
    FIELDS.map(|(name, _)| format!("{{{name}}}")).join(" ")
}

impl Format {
    /// Returns the line in which each field is replaced by the result of `tell`.
    pub(super) fn line(&self, tell: impl Fn(Field) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(field) => tell(*field),
        };
        self.0.iter().map(part).collect()
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(template: &str) -> Result<Self, FormatError> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let behind = &rest[at + 1..];
            if let Some(after) = behind.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = behind.split_once('}').filter(|_| brace == "{").ok_or(FormatError::Brace)?;
            let known = FIELDS.iter().find(|(known, _)| *known == name);
            let (_, field) = known.ok_or_else(|| FormatError::Unknown(name.chars().take(32).collect()))?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Field(*field));
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        Ok(Self(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_doubled_braces_are_braces() {
        let line =
            |template: &str| template.parse::<Format>().map(|format| format.line(|field| format!("<{field:?}>")));
        assert_eq!(line("{time} {nick}: {text}").unwrap(), "<Time> <Nick>: <Text>");
        assert_eq!(line("{{{id}}}{{}}ä{room}").unwrap(), "{<Id>}{}ä<Room>");
        assert_eq!(line("").unwrap(), "");
        let words = "{who} is no field; there are {time} {date} {nick} {text} {room} {id} {kind}";
        assert_eq!(line("{who}").unwrap_err().to_string(), words);
        for template in ["{", "}", "{nick", "nick}", "{ä", "{nick}}"] {
            assert_eq!(line(template).unwrap_err(), FormatError::Brace, "{template}");
        }
    }
}
