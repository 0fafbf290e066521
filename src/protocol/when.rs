//! A moment as people write it: a date, a time of day, or how long ago. Pure: what is now, and
//! where, is given.

use std::time::Duration;

use jiff::{Span, Timestamp as Moment, ToSpan as _, civil, tz::TimeZone};

use super::Timestamp;

/// What can be written, in words for whoever wrote something else.
pub const FORMS: &str = "2026-11-01, 09:30, 7d, 2h, today or yesterday";

/// Returns the moment that `text` means in `zone`: `2026-11-01` and `2026-11-01T09:30`, `today` and
/// `yesterday` (at their beginning), `09:30` (the last time that it was so), or as long ago as a
/// [`length`] says; `None` where it is none of these.
#[must_use]
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(ago) = length(text) {
        return Some(Timestamp(now.0.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX))));
    }
    let present = zone.to_datetime(Moment::from_millisecond(i64::try_from(now.0).ok()?).ok()?);
    let today = present.date();
    let local = match text {
        "today" => today.at(0, 0, 0, 0),
        "yesterday" => today.yesterday().ok()?.at(0, 0, 0, 0),
        text => match text.split_once(['T', ' ']) {
            Some((date, time)) => date_of(date)?.to_datetime(time_of(time.trim_start())?),
            None => match (date_of(text), time_of(text)) {
                (Some(date), _) => date.at(0, 0, 0, 0),
                (None, time) => {
                    let time = today.to_datetime(time?);
                    if time > present { time.checked_sub(1.day()).ok()? } else { time }
                }
            },
        },
    };
    let moment = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    // Nobody said anything before the epoch.
    Some(Timestamp(u64::try_from(moment.as_millisecond()).unwrap_or_default()))
}

/// Returns the length of time that `text` means, such as `90s`, `30m`, `12h`, `7d`, `2w` or `1y`,
/// as jiff reads them; `None` for anything else, and for what lies in the future. A day has 24
/// hours, a month and a year the days that they have from the first of January 2001 on.
#[must_use]
pub fn length(text: &str) -> Option<Duration> {
    // jiff reads more: `09:30:00`, `+1d` and `P1D`.
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let span: Span = text.parse().ok()?;
    Duration::try_from(span.to_duration(civil::date(2001, 1, 1)).ok()?).ok()
}

/// Returns a length of time in a few words, such as `5 min`: rounded down, in one unit.
#[must_use]
pub fn in_words(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Returns the date that is written as year, month and day, a hyphen between each.
fn date_of(text: &str) -> Option<civil::Date> {
    let mut parts = text.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Returns the time of day that is written as hour and minute, and perhaps second.
fn time_of(text: &str) -> Option<civil::Time> {
    let mut parts = text.split(':').map(digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let part = |number: i16| i8::try_from(number).ok();
    civil::Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
}

fn digits(text: &str) -> Option<i16> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(2))
    }

    /// Returns how far `text` is before 2026-11-27 10:00 in a zone two hours east, in minutes.
    fn before(text: &str) -> Option<u64> {
        let now = Timestamp(1_795_766_400_000);
        moment(text, now, &zone()).map(|moment| (now.0 - moment.0) / 60_000)
    }

    #[test]
    fn a_moment_is_a_date_a_time_of_day_or_how_long_ago() {
        const DAY: u64 = 24 * 60;
        for (text, minutes) in [
            ("today", 600),
            ("yesterday", DAY + 600),
            ("2026-11-27", 600),
            ("2026-11-01", 26 * DAY + 600),
            ("2026-11-1", 26 * DAY + 600),
            ("2026-11-26T10:00", DAY),
            (" 2026-11-26 09:30 ", DAY + 30),
            ("09:30", 30),
            ("9:30:00", 30),
            ("10:01", DAY - 1),
            ("30m", 30),
            ("2h", 120),
            ("7d", 7 * DAY),
            ("1w", 7 * DAY),
            ("0d", 0),
            ("90s", 1),
            ("1h 30m", 90),
            ("1y", 365 * DAY),
        ] {
            assert_eq!(before(text), Some(minutes), "{text}");
        }
        for text in [
            "",
            "d",
            "-1d",
            "+1d",
            "7",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-30",
            "1-2-3-4",
            "24:00",
            "09:60",
            "9",
            "09:30:00:00",
            "09h30",
            "2026-11-01T",
            "7d ago",
            "P1D",
            "in 7d",
            "tomorrow",
            "２d",
        ] {
            assert_eq!(before(text), None, "{text}");
        }
        assert_eq!(moment("1969-01-01", Timestamp(0), &zone()), Some(Timestamp(0)));
        assert_eq!(moment("99999999999999999999d", Timestamp(0), &zone()), None);
        assert_eq!(moment("900000d", Timestamp(5), &zone()), Some(Timestamp(0)));
    }

    #[test]
    fn a_day_begins_where_the_clocks_change_at_midnight() {
        // In 2018, the night of 4 November had no midnight in São Paulo.
        let Ok(zone) = TimeZone::posix("<-03>3<-02>,M11.1.0/0,M2.3.0/0") else { panic!("a zone") };
        let moment = moment("2018-11-04", Timestamp(1_795_766_400_000), &zone).unwrap();
        assert_eq!(moment, Timestamp(1_541_300_400_000));
    }

    proptest! {
        #[test]
        fn no_text_and_no_time_panic(text in "[0-9:\\-T dhmw]{0,20}|.*", now in any::<u64>()) {
            let _ = moment(&text, Timestamp(now), &zone());
        }
    }
}
