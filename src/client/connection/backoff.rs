//! The backoff between attempts to connect. Pure: the caller passes times and random numbers.

use std::time::Duration;

/// The first wait and the maximum wait. With these values a pipe that gives up after 30 s has made
/// at least one further attempt before.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// The maximum wait for a server on this machine. Someone has just started it or is about to, and
/// it has few clients.
const LONGEST_HERE: Duration = Duration::from_secs(2);

/// A connection that lasted this long was healthy. Earlier failures no longer count.
pub(super) const HEALTHY: Duration = Duration::from_mins(1);

/// Waits that double from 0.5 s to 15 s. Jitter reduces each wait to between half and all of it, so
/// that the clients of a restarted server do not all reconnect at the same time.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    /// Whether the server is on this machine.
    is_here: bool,
    failures: u32,
    /// The last wait.
    waited: Duration,
}

impl Backoff {
    /// Returns a backoff for a server on this machine.
    #[must_use]
    pub fn here() -> Self {
        Self { is_here: true, ..Self::default() }
    }

    /// Returns the next wait. `chance` is a random number between 0 and 1.
    pub fn wait(&mut self, chance: f64) -> Duration {
        let longest = if self.is_here { LONGEST_HERE } else { LONGEST };
        let whole = SHORTEST.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.waited = whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        self.waited
    }

    /// Records that a connection lasted for `length`. If it lasted longer than the wait before it,
    /// the next wait is shorter. So on a network that cuts every connection, the client spends more
    /// time connected than waiting.
    pub fn connected_for(&mut self, length: Duration) {
        if length >= HEALTHY {
            self.failures = 0;
        } else if length > self.waited {
            self.failures = self.failures.saturating_sub(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, count: usize, chance: f64) -> Vec<u128> {
        (0..count).map(|_| backoff.wait(chance).as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(
            waits(&mut Backoff::default(), 9, 1.0),
            [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]
        );
    }

    #[test]
    fn a_server_on_this_machine_is_not_waited_for_long() {
        assert_eq!(waits(&mut Backoff::here(), 5, 1.0), [500, 1000, 2000, 2000, 2000]);
    }

    #[test]
    fn chance_takes_at_most_half_of_a_wait() {
        assert_eq!(waits(&mut Backoff::default(), 3, 0.0), [250, 500, 1000]);
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::default() };
        assert_eq!(waits(&mut backoff, 1, f64::INFINITY), [15_000]);
    }

    #[test]
    fn a_healthy_minute_starts_over() {
        let mut backoff = Backoff::default();
        waits(&mut backoff, 4, 1.0);
        backoff.connected_for(Duration::from_secs(4));
        assert_eq!(waits(&mut backoff, 1, 1.0), [8000], "it stood no longer than was waited for it");
        backoff.connected_for(Duration::from_mins(1));
        assert_eq!(waits(&mut backoff, 1, 1.0), [500]);
    }

    #[test]
    fn who_is_connected_longer_than_they_wait_waits_less() {
        let mut backoff = Backoff::default();
        waits(&mut backoff, 6, 1.0);
        let mut all = Vec::new();
        for _ in 0..8 {
            backoff.connected_for(Duration::from_secs(20));
            all.extend(waits(&mut backoff, 1, 1.0));
        }
        assert_eq!(all, [8000, 4000, 2000, 1000, 500, 500, 500, 500]);
        // Each connection is cut after two seconds.
        for _ in 0..20 {
            backoff.connected_for(Duration::from_secs(2));
            assert!(backoff.wait(1.0) <= Duration::from_secs(2));
        }
    }
}
