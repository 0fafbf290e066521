//! The time zone of the user. It can change while the program runs, for example when the computer
//! travels.

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

/// How often to check the zone. A check reads one or two small files.
const LOOK: Duration = Duration::from_mins(1);

/// Says when to check the zone of the system again.
#[derive(Debug)]
pub struct ZoneWatch {
    due: Instant,
}

impl ZoneWatch {
    /// Returns a watch for a zone that was read just now.
    #[must_use]
    pub fn start() -> Self {
        Self { due: Instant::now() + LOOK }
    }

    /// Returns the time of the next check.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Returns the zone of the system if a check is due. Reads files.
    pub fn look(&mut self) -> Option<TimeZone> {
        let now = Instant::now();
        if self.due > now {
            return None;
        }
        self.due = now + LOOK;
        // The library caches the zone for longer than a user should have to wait.
        jiff::tz::reset_system_time_zone_cache();
        TimeZone::try_system().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_zone_is_looked_at_once_a_minute() {
        let mut watch = ZoneWatch::start();
        for _ in 0..3 {
            assert_eq!(watch.look(), None);
            tokio::time::advance(LOOK).await;
            assert!(watch.due() <= Instant::now());
            assert_eq!(watch.look(), TimeZone::try_system().ok());
        }
    }
}
