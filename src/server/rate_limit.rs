//! Limits how often a connection, or an address, may do something. Pure: the time is an argument.

use std::time::Duration;

/// A token bucket in the form of the generic cell rate algorithm (ITU-T I.371). Its whole state is
/// one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// The time between two tokens at the steady rate.
    interval: Duration,
    /// How far ahead of the steady rate a burst may run.
    tolerance: Duration,
    /// The moment at which the bucket is full again.
    full_at: Duration,
}

impl Rate {
    /// Returns a rate of `per_second` tokens a second and at most `burst` at once, or `None` for no
    /// limit if either is 0.
    pub(crate) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, tolerance: interval * burst.checked_sub(1)?, full_at: Duration::ZERO })
    }

    /// Takes one token, and returns how long to wait until it is available. The wait is zero within
    /// the rate.
    pub(crate) fn reserve(&mut self, now: Duration) -> Duration {
        self.reserve_many(1, now)
    }

    /// Takes several tokens, and returns how long to wait until the first is available. The others
    /// are owed. So an action that costs more than a full burst is delayed, but not impossible.
    pub(crate) fn reserve_many(&mut self, tokens: u32, now: Duration) -> Duration {
        let wait = self.full_at.saturating_sub(now + self.tolerance);
        self.full_at = self.full_at.max(now) + self.interval * tokens;
        wait
    }

    /// Takes one token if it is available, and returns whether it was.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let is_there = self.next_in(now).is_zero();
        if is_there {
            self.reserve(now);
        }
        is_there
    }

    /// Returns whether the bucket is full. It is then equal to a new one.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }

    /// Returns how long after `now` the next token is available.
    pub(crate) fn next_in(&self, now: Duration) -> Duration {
        self.full_at.saturating_sub(now + self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let mut rate = Rate::new(10, 3).unwrap();
        let now = Duration::from_secs(50);
        let waits: Vec<_> = (0..6).map(|_| rate.reserve(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        assert_eq!(rate.next_in(now).as_millis(), 400);
    }

    #[test]
    fn rest_fills_the_bucket_but_not_over_its_brim() {
        let mut rate = Rate::new(10, 2).unwrap();
        for second in 1..100 {
            let now = Duration::from_secs(second);
            assert_eq!((rate.reserve(now), rate.reserve(now)), (Duration::ZERO, Duration::ZERO));
            assert_eq!(rate.next_in(now).as_millis(), 100);
        }
    }

    #[test]
    fn what_is_not_there_is_not_taken_and_costs_nothing() {
        let mut rate = Rate::new(10, 2).unwrap();
        let now = Duration::from_secs(50);
        assert_eq!([rate.take(now), rate.take(now), rate.take(now), rate.take(now)], [true, true, false, false]);
        let later = now + Duration::from_millis(100);
        assert_eq!([rate.take(later), rate.take(later)], [true, false]);
        assert!(!rate.is_full(later) && rate.is_full(later + Duration::from_millis(200)));
    }

    #[test]
    fn what_costs_more_makes_the_next_wait_longer() {
        let mut rate = Rate::new(10, 3).unwrap();
        let now = Duration::from_secs(50);
        let waits = [1, 5, 1, 1].map(|tokens| rate.reserve_many(tokens, now).as_millis());
        assert_eq!(waits, [0, 0, 400, 500]);
    }

    #[test]
    fn none_is_no_limit() {
        assert!(Rate::new(0, 20).is_none() && Rate::new(10, 0).is_none());
    }
}
