//! Reproducible randomness: a random test prints its seed, and `CHAT_SEED` repeats the test with
//! only that seed.

use std::ops::Range;

/// The environment variable that repeats a seed.
const VARIABLE: &str = "CHAT_SEED";

/// Returns the seeds of a test: the `fixed` ones and a new one, or only the one in `CHAT_SEED`.
///
/// # Panics
/// Panics if `CHAT_SEED` is not a number.
pub fn seeds(fixed: &[u64]) -> Vec<u64> {
    match std::env::var(VARIABLE) {
        Ok(asked) => vec![asked.parse().unwrap_or_else(|error| panic!("{VARIABLE}={asked}: {error}"))],
        // Short enough to be typed.
        Err(_) => [fixed, &[fastrand::u64(..1_000_000_000)]].concat(),
    }
}

/// Returns one seed for a test that is too slow for several: a new one, or the one in `CHAT_SEED`.
pub fn seed() -> u64 {
    seeds(&[])[0]
}

/// Prints how to repeat `seed`; the test runner shows it if the test fails.
#[expect(clippy::print_stderr, reason = "a seed that nobody reads cannot be replayed")]
pub fn announce(seed: u64) {
    eprintln!("replay with {VARIABLE}={seed}");
}

/// The random choices of a test, all derived from its seed.
#[derive(Debug, Clone)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// Returns the choices of `seed`, and prints how to repeat them.
    pub fn new(seed: u64) -> Self {
        announce(seed);
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns a number within `range`.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    /// Returns an index into a list with `length` entries.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.usize(..length)
    }

    /// Returns true with a probability of `times` in a hundred.
    pub fn percent(&mut self, times: u64) -> bool {
        self.0.u64(..100) < times
    }

    /// Returns an independent generator, whose choices do not change ours.
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }
}
