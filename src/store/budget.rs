//! How long a search may go on.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// Bytes of text that are looked at between two looks at the clock: less than a millisecond of
/// work.
const SLICE: usize = 64 * 1024;

/// A time until which somebody may work, if nobody says before that it is in vain.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    until: Instant,
    in_vain: CancellationToken,
    /// Bytes looked at since the clock was.
    looked_at: usize,
}

impl Budget {
    /// Returns a budget of `time` from now on.
    pub(super) fn new(time: Duration, in_vain: CancellationToken) -> Self {
        // The first look is at the clock.
        Self { until: Instant::now() + time, in_vain, looked_at: SLICE }
    }

    /// Returns whether it is time to end.
    pub(super) fn is_spent(&self) -> bool {
        Instant::now() >= self.until || self.in_vain.is_cancelled()
    }

    /// Notes that one more message is to be looked at, of so many bytes, and returns whether it is
    /// time to end instead.
    pub(super) fn is_spent_before(&mut self, bytes: usize) -> bool {
        /// What a message costs besides its text.
        const MESSAGE: usize = 64;
        self.looked_at += MESSAGE + bytes;
        if self.looked_at < SLICE {
            return false;
        }
        self.looked_at = 0;
        self.is_spent()
    }
}
