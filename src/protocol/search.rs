//! What a search asks for besides words: who said it, and when. Pure.
//!
//! `from:ada`, `before:2026-11-01` and `after:7d` stand anywhere in a query; in double quotes they
//! are words like others.

use jiff::tz::TimeZone;

use super::{Timestamp, when};

/// Names that count of those in one query; nobody remembers more.
const NAMES: usize = 8;

/// A query, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// What is left: words, and phrases in double quotes.
    pub words: String,
    /// Who may have said it, in small letters; anybody where there is none.
    pub from: Vec<String>,
    /// It was said then or later.
    pub since: Option<Timestamp>,
    /// It was said before then.
    pub until: Option<Timestamp>,
}

/// A filter whose value means nothing; its words go to whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A time that is none.
    #[error("{name}{value} is no time; such as {name}2026-11-01, {name}09:30 or {name}7d")]
    Time {
        /// The filter, with its colon.
        name: &'static str,
        /// What stands behind it, cleaned and cut.
        value: String,
    },
    /// Nobody is named.
    #[error("from: names who said it, such as from:ada")]
    Nobody,
}

impl Filters {
    /// Returns what `query` asks for at `now` in `zone`, where a day begins.
    ///
    /// # Errors
    /// A [`FilterError`] in words for whoever wrote it.
    pub fn parse(query: &str, now: Timestamp, zone: &TimeZone) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (index, part) in query.split('"').enumerate() {
            if index % 2 == 1 {
                filters.words.extend(["\"", part, "\" "]);
                continue;
            }
            for word in part.split_whitespace() {
                filters.add(word, now, zone)?;
            }
        }
        filters.words.truncate(filters.words.trim_end().len());
        Ok(filters)
    }

    fn add(&mut self, word: &str, now: Timestamp, zone: &TimeZone) -> Result<(), FilterError> {
        let time = |name: &'static str, value: &str| {
            when::moment(value, now, zone).ok_or_else(|| {
                let value: String = super::sanitize::line(value).chars().take(32).collect();
                FilterError::Time { name, value }
            })
        };
        if let Some(nick) = value(word, "from:") {
            let nick = nick.strip_prefix('@').unwrap_or(nick);
            if nick.is_empty() {
                return Err(FilterError::Nobody);
            }
            if self.from.len() < NAMES {
                self.from.push(nick.to_lowercase());
            }
        } else if let Some(value) = value(word, "before:") {
            self.until = Some(time("before:", value)?);
        } else if let Some(value) = value(word, "after:") {
            self.since = Some(time("after:", value)?);
        } else {
            self.words.push_str(word);
            self.words.push(' ');
        }
        Ok(())
    }
}

/// Returns what stands in `word` behind the name of a filter.
fn value<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    let (begin, value) = word.split_at_checked(name.len())?;
    begin.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn parse(query: &str) -> Result<Filters, FilterError> {
        Filters::parse(query, Timestamp(10 * DAY), &TimeZone::UTC)
    }

    #[test]
    fn filters_stand_anywhere_and_the_rest_is_words() {
        let filters = parse("tea From:@Ada \"two  words\" before:1970-01-03 x:y from:bob after:1d").unwrap();
        assert_eq!(
            filters,
            Filters {
                words: "tea \"two  words\" x:y".to_owned(),
                from: vec!["ada".to_owned(), "bob".to_owned()],
                since: Some(Timestamp(9 * DAY)),
                until: Some(Timestamp(2 * DAY)),
            }
        );
        assert_eq!(parse("\"from:ada\"").unwrap().words, "\"from:ada\"");
        assert_eq!(parse("\"open from:ada").unwrap().words, "\"open from:ada\"");
    }

    #[test]
    fn what_a_filter_cannot_be_is_said() {
        let error = |query| parse(query).unwrap_err().to_string();
        assert_eq!(
            error("tea before:soon"),
            "before:soon is no time; such as before:2026-11-01, before:09:30 or before:7d"
        );
        assert_eq!(error("from:"), "from: names who said it, such as from:ada");
        assert_eq!(error("after:"), "after: is no time; such as after:2026-11-01, after:09:30 or after:7d");
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "(from:|before:|after:|\"| |.){0,20}") {
            if let Ok(filters) = parse(&query) {
                prop_assert!(filters.from.len() <= NAMES);
            }
        }
    }
}
