//! The time since the start of the program, as the app and the view count it. It includes the time
//! that the machine slept.

use std::time::Duration;

use tokio::time::Instant;

use crate::os;

/// A clock that starts with the program. Timers of the runtime stop while the machine sleeps, so
/// deadlines of this clock must be checked again after each wait.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    /// The uptime of the machine at the start.
    began: Duration,
}

impl Stopwatch {
    /// Returns a clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: os::uptime() }
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        os::uptime().saturating_sub(self.began)
    }

    /// Returns the time of this clock at `instant`, which is in the recent past.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Duration {
        self.elapsed().saturating_sub(instant.elapsed())
    }

    /// Returns the instant at which the clock shows `time`, if the machine does not sleep until
    /// then.
    #[must_use]
    pub fn instant(&self, time: Duration) -> Instant {
        Instant::now() + time.saturating_sub(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_times_of_the_clock_and_back() {
        let second = Duration::from_secs(1);
        let watch = Stopwatch { began: os::uptime().saturating_sub(100 * second) };
        let now = watch.elapsed();
        assert!(now >= 90 * second || os::uptime() < 100 * second, "{now:?}");
        let soon = watch.instant(now + 60 * second);
        assert!(soon > Instant::now() && soon <= Instant::now() + 60 * second);
        assert!(watch.at(Instant::now()) >= now);
        assert!(watch.instant(Duration::ZERO) <= Instant::now(), "what is past is due");
    }
}
