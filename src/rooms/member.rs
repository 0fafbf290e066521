//! The id of a membership. Pure.

/// The id of one connection's membership in one room. A connection that takes the place of an
/// earlier one has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub(super) u64);

impl MemberId {
    /// Returns a fraction of a period, from 0 up to 1, for something that should not happen for all
    /// members at the same time. Members with consecutive ids get fractions that are far apart: the
    /// fractional parts of multiples of the golden ratio.
    #[must_use]
    pub fn share(self) -> f64 {
        /// 2^32 divided by the golden ratio.
        const STEP: u32 = 0x9e37_79b9;
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is what counts")]
        let fraction = (self.0 as u32).wrapping_mul(STEP);
        f64::from(fraction) / f64::from(u32::MAX)
    }

    /// Returns an id that no member has, for tests that do not look at it.
    #[cfg(test)]
    pub(crate) fn nobodys() -> Self {
        Self(0)
    }

    /// Returns the id with this number, for tests that tell ids apart.
    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }
}
