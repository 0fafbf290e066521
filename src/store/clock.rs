//! The time of day, as far as it can be believed. Pure: what the clocks of the machine say is an
//! argument.
//!
//! The wall clock is set by people and by programs, and they err: for a second it may be a hundred
//! days ahead. The uptime is set by nobody. So the wall clock is believed while it goes evenly with
//! the uptime, and a jump of it only once it has stood for a while.

use std::time::Duration;

use crate::protocol::Timestamp;

/// A jump ahead that has stood for so long is believed: longer than a clock takes to be set right
/// again, short enough that a time that is set right after the start is told soon.
const BELIEVED: Duration = Duration::from_mins(1);

/// Two clocks go evenly while they come apart by no more than this, and by a thousandth of the time
/// between two looks: twice as much as the system moves a clock that it corrects without a jump.
const APART: Duration = Duration::from_secs(1);

/// What the clocks of the machine say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The time of day.
    pub wall: Timestamp,
    /// How long the machine has been up, with what it slept.
    pub uptime: Duration,
}

/// A clock whose time never falls.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The last time that was told.
    told: Timestamp,
    /// What was believed last.
    believed: Look,
    /// What was believed before it went back, until that has stood.
    trusted: Look,
    /// What was seen last.
    seen: Look,
    /// The uptime since which the wall clock has gone evenly.
    even_since: Duration,
}

/// How far the wall clock was ahead of the uptime, in milliseconds, and when that was seen.
#[derive(Debug, Clone, Copy)]
struct Look {
    ahead: i128,
    uptime: Duration,
}

impl Clock {
    /// Returns a clock that tells no time before `told`. There is nothing yet to compare the wall
    /// clock with, so it is believed.
    #[must_use]
    pub fn new(told: Timestamp, reading: Reading) -> Self {
        let look = Look::of(reading);
        Self { told, believed: look, trusted: look, seen: look, even_since: reading.uptime }
    }

    /// Returns the time at this reading. Where the wall clock has jumped ahead, the time goes on as
    /// before until the jump has stood for a minute; where it has gone back, the time stands still
    /// until the wall clock has reached it again. One that was back for less than a minute is
    /// believed at once when it is right again.
    pub fn time(&mut self, reading: Reading) -> Timestamp {
        let look = Look::of(reading);
        if !look.is_even_with(self.seen) {
            self.even_since = look.uptime;
        }
        self.seen = look;
        let has_stood = self.even_for(reading) >= BELIEVED;
        let is_right_again = look.is_even_with(self.trusted);
        let is_back = look.ahead < self.believed.ahead;
        if has_stood || is_right_again {
            self.trusted = look;
        }
        if is_back || has_stood || is_right_again || look.is_even_with(self.believed) {
            self.believed = look;
        }
        self.told = self.told.max(self.believed.time_at(look.uptime));
        self.told
    }

    /// Returns for how long, at this reading, which must have been told the time of, the wall clock
    /// has gone evenly.
    #[must_use]
    pub fn even_for(&self, reading: Reading) -> Duration {
        reading.uptime.saturating_sub(self.even_since)
    }
}

impl Look {
    fn of(Reading { wall, uptime }: Reading) -> Self {
        Self { ahead: i128::from(wall.0) - milliseconds(uptime), uptime }
    }

    /// Returns whether the wall clock has gone evenly since an earlier look.
    fn is_even_with(self, earlier: Self) -> bool {
        let apart = APART + self.uptime.saturating_sub(earlier.uptime) / 1000;
        (self.ahead - earlier.ahead).abs() <= milliseconds(apart)
    }

    /// Returns what the wall clock says at this uptime, if it goes on evenly.
    fn time_at(self, uptime: Duration) -> Timestamp {
        Timestamp(u64::try_from((self.ahead + milliseconds(uptime)).max(0)).unwrap_or(u64::MAX))
    }
}

fn milliseconds(length: Duration) -> i128 {
    i128::try_from(length.as_millis()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;
    /// The true time when the machine was started, in milliseconds.
    const START: i64 = 1_700_000_000_000;

    /// Returns what the clocks say so many seconds after the start, when the wall clock is `wrong`
    /// by so many milliseconds.
    fn at(seconds: u64, wrong: i64) -> Reading {
        let uptime = Duration::from_secs(seconds);
        Reading { wall: time(seconds).map(|time| time + wrong), uptime }
    }

    fn time(seconds: u64) -> Timestamp {
        Timestamp(u64::try_from(START).unwrap() + seconds * 1000)
    }

    impl Timestamp {
        fn map(self, change: impl Fn(i64) -> i64) -> Self {
            Self(u64::try_from(change(i64::try_from(self.0).unwrap())).unwrap())
        }
    }

    #[test]
    fn it_goes_with_a_wall_clock_that_is_moved_slowly() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        // Half a thousandth, as the system corrects it; also where nobody looks for days.
        for seconds in [1, 60, 3600, 7200, 400_000] {
            let wrong = i64::try_from(seconds).unwrap() / 2;
            assert_eq!(clock.time(at(seconds, wrong)), time(seconds).map(|time| time + wrong));
        }
        assert_eq!(clock.even_for(at(400_000, 200_000)).as_secs(), 400_000);
    }

    #[test]
    fn a_jump_ahead_is_believed_once_it_has_stood() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        assert_eq!(clock.time(at(10, 100 * DAY)), time(10), "one message is not a hundred days ahead");
        assert_eq!(clock.time(at(11, 0)), time(11), "nor any after it");
        assert_eq!(clock.even_for(at(11, 0)), Duration::ZERO);
        for seconds in [20, 50, 79] {
            assert_eq!(clock.time(at(seconds, 3 * DAY)), time(seconds));
        }
        assert_eq!(clock.time(at(80, 3 * DAY)), time(80).map(|time| time + 3 * DAY), "somebody has set it");
    }

    #[test]
    fn jumps_one_after_the_other_are_not_one_that_stands() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        for seconds in 1..200 {
            let wrong = i64::try_from(seconds % 2 + 1).unwrap() * DAY;
            assert_eq!(clock.time(at(seconds, wrong)), time(seconds));
        }
    }

    #[test]
    fn a_jump_back_holds_the_time_until_the_wall_clock_has_reached_it() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        assert_eq!(clock.time(at(100, 0)), time(100));
        for seconds in [101, 130, 159] {
            assert_eq!(clock.time(at(seconds, -60_000)), time(100));
        }
        assert_eq!(clock.time(at(161, -60_000)), time(101));
        // It has stood; what it was before is a jump ahead.
        assert_eq!(clock.time(at(162, -DAY)), time(101));
        assert_eq!(clock.time(at(163, 0)), time(101));
        assert_eq!(clock.time(at(223, 0)), time(223));
    }

    #[test]
    fn a_clock_that_was_back_for_a_moment_is_right_again_at_once() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        assert_eq!(clock.time(at(100, 0)), time(100));
        for seconds in [101, 102] {
            assert_eq!(clock.time(at(seconds, -100 * DAY)), time(100));
        }
        assert_eq!(clock.time(at(103, 0)), time(103));
        assert_eq!(clock.time(at(104, DAY)), time(104), "a jump ahead still is one");
        // Back in two jumps, and forth.
        assert_eq!([clock.time(at(105, -DAY)), clock.time(at(106, -2 * DAY))], [time(104); 2]);
        assert_eq!(clock.time(at(107, 0)), time(107));
    }

    #[test]
    fn a_wrong_clock_at_the_start_does_not_go_on_when_it_is_set_right() {
        let mut clock = Clock::new(Timestamp(0), at(0, 100 * DAY));
        let wrong = clock.time(at(1, 100 * DAY));
        assert_eq!(wrong, time(1).map(|time| time + 100 * DAY));
        assert_eq!(clock.time(at(2, 0)), wrong, "times do not fall, and do not go on from there either");
        assert_eq!(clock.time(at(3600, 0)), wrong);
    }

    #[test]
    fn it_tells_no_time_before_the_last_that_was_stored() {
        let mut clock = Clock::new(time(500), at(0, 0));
        assert_eq!([1, 499, 501].map(|seconds| clock.time(at(seconds, 0))), [time(500), time(500), time(501)]);
    }

    #[test]
    fn whatever_the_clocks_say_it_does_not_panic_and_does_not_fall() {
        let mut clock = Clock::new(Timestamp(0), at(0, 0));
        let mut before = Timestamp(0);
        for wall in [u64::MAX, 0, 1, u64::MAX - 1] {
            for uptime in [Duration::MAX, Duration::ZERO, Duration::from_secs(100)] {
                let told = clock.time(Reading { wall: Timestamp(wall), uptime });
                assert!(told >= before);
                before = told;
            }
        }
    }
}
