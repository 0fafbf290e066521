//! How to show the time of day: with 12 or 24 hours, and beside which lines. Pure.

use jiff::civil::DateTime;
use serde::Deserialize;

/// The regions with a 12-hour clock, by ISO 3166 code (CLDR 48, `timeData`).
const TWELVE: &str = "AE AG AL AR AS AU BB BD BH BM BN BO BS BT CA CL CO CR CU CY DJ DM DO DZ EC EG EH ER ET FJ FM GD GH GM GR GT GU \
                      GY HK HN IN IQ JM JO KH KI KN KP KR KW KY LB LC LR LS LY MH MO MP MR MW MX MY NA NI NZ OM PA PE PG PH PK PR PS \
                      PW PY QA SA SB SD SG SL SO SS SV SY SZ TC TD TN TO TT TW UM US UY VC VE VG VI VU WS YE ZM";

/// The 12-hour or the 24-hour clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Clock {
    /// From 00:00 to 23:59.
    #[default]
    #[serde(rename = "24h")]
    TwentyFour,
    /// From 12:00am to 11:59pm.
    #[serde(rename = "12h")]
    Twelve,
}

/// Which lines have the time beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The first line of each minute.
    #[default]
    Minute,
    /// The first line of each message.
    Each,
}

/// How a screen shows times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The clock.
    pub clock: Clock,
    /// Which lines have a time.
    pub stamps: Timestamps,
}

impl Clock {
    /// Returns the clock of the region of a locale such as `en_US.UTF-8`. A locale without a region
    /// has the 24-hour clock.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let name = locale.split(['.', '@']).next().unwrap_or_default();
        let region = name.split_once('_').map_or("", |(_, region)| region);
        let is_twelve = region.len() == 2 && TWELVE.split_whitespace().any(|twelve| twelve == region);
        if is_twelve { Self::Twelve } else { Self::TwentyFour }
    }

    /// Returns the time of day, aligned to the right in [`Self::columns`] columns.
    pub(super) fn aligned(self, at: DateTime) -> String {
        format!("{:>width$}", self.time(at), width = usize::from(self.columns()))
    }

    /// Returns the time of day without padding.
    pub(super) fn time(self, at: DateTime) -> String {
        let (hour, minute) = (at.hour(), at.minute());
        match self {
            Self::TwentyFour => format!("{hour:02}:{minute:02}"),
            Self::Twelve => {
                let half = if hour < 12 { "am" } else { "pm" };
                format!("{}:{minute:02}{half}", (hour + 11) % 12 + 1)
            }
        }
    }

    /// Returns the maximum width of a time in columns.
    pub(super) fn columns(self) -> u16 {
        match self {
            Self::TwentyFour => 5,
            Self::Twelve => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_locale_says_how_the_time_is_told() {
        for locale in ["en_US.UTF-8", "en_IN", "es_MX.UTF-8@x", "ko_KR.utf8", "ar_EG"] {
            assert_eq!(Clock::of_locale(locale), Clock::Twelve, "{locale}");
        }
        for locale in
            ["en_GB.UTF-8", "de_DE@euro", "fr_FR", "ja_JP.UTF-8", "C", "C.UTF-8", "POSIX", "en", "", "x_", "_AE US"]
        {
            assert_eq!(Clock::of_locale(locale), Clock::TwentyFour, "{locale}");
        }
    }

    #[test]
    fn noon_and_midnight_are_twelve() {
        let told = |hour, minute| {
            let at = date(2026, 11, 14).at(hour, minute, 0, 0);
            (Clock::TwentyFour.aligned(at), Clock::Twelve.aligned(at))
        };
        for (hour, minute, long, short) in [
            (0, 5, "00:05", "12:05am"),
            (9, 30, "09:30", " 9:30am"),
            (12, 0, "12:00", "12:00pm"),
            (13, 7, "13:07", " 1:07pm"),
            (23, 59, "23:59", "11:59pm"),
        ] {
            assert_eq!(told(hour, minute), (long.to_owned(), short.to_owned()));
        }
    }
}
