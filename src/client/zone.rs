//! The time zone where the user is, which can change while the program runs: a traveller's computer
//! learns of it.

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

/// How often it is looked at: to read a small file or two.
const LOOK: Duration = Duration::from_mins(1);

/// Says when to look at the zone of the system again.
#[derive(Debug)]
pub struct ZoneWatch {
    due: Instant,
}

impl ZoneWatch {
    /// Returns a watch of a zone that was read just now.
    #[must_use]
    pub fn start() -> Self {
        Self { due: Instant::now() + LOOK }
    }

    /// Returns when to look.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Returns the zone of the system, if it is time to look at it. Reads files.
    pub fn look(&mut self) -> Option<TimeZone> {
        let now = Instant::now();
        if self.due > now {
            return None;
        }
        self.due = now + LOOK;
        // What was read before is kept for longer than a user should wait.
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
