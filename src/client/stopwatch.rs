//! The time since the program began, as the app and the view count it: with what the machine has
//! slept.

use std::time::Duration;

use tokio::time::Instant;

use crate::os;

/// A clock that began to run with the program. Timers of the runtime stand still while the machine
/// sleeps, so what is due by this clock is asked for anew after each wait.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    /// How long the machine was up then.
    began: Duration,
}

impl Stopwatch {
    /// Returns a clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: os::uptime() }
    }

    /// Returns how long it has run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        os::uptime().saturating_sub(self.began)
    }

    /// Returns what the clock showed at `instant`, which is past and not long ago.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Duration {
        self.elapsed().saturating_sub(instant.elapsed())
    }

    /// Returns when the clock shows `time`, if the machine does not sleep until then.
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
