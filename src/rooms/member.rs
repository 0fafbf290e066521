//! What a place in a room is called. Pure.

/// One connection's place in one room. A connection that takes the place of an earlier one has
/// another seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub(super) u64);

impl MemberId {
    /// Returns a share of some period, from 0 up to 1, for what is not to happen at all seats at
    /// the same time. Seats given one after the other get shares far apart: they are the fractions
    /// of multiples of the golden ratio.
    #[must_use]
    pub fn share(self) -> f64 {
        /// 2^32 divided by the golden ratio.
        const STEP: u32 = 0x9e37_79b9;
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is what counts")]
        let fraction = (self.0 as u32).wrapping_mul(STEP);
        f64::from(fraction) / f64::from(u32::MAX)
    }

    /// Returns a seat that nobody is given, for tests of what does not look at it.
    #[cfg(test)]
    pub(crate) fn nobodys() -> Self {
        Self(0)
    }

    /// Returns a seat of this number, for tests that tell them apart.
    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }
}
