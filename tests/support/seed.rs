//! Chance that can be had again: a random test prints its seed, and `CHAT_SEED` runs it once more with that seed alone.

use std::ops::Range;

/// The environment variable that replays a seed.
const VARIABLE: &str = "CHAT_SEED";

/// Returns the seeds of a test: the `fixed` ones and a new one, or the only one that `CHAT_SEED` asks for.
///
/// # Panics
/// When `CHAT_SEED` is no number.
pub fn seeds(fixed: &[u64]) -> Vec<u64> {
    match std::env::var(VARIABLE) {
        Ok(asked) => vec![asked.parse().unwrap_or_else(|error| panic!("{VARIABLE}={asked}: {error}"))],
        // Short enough to be typed.
        Err(_) => [fixed, &[fastrand::u64(..1_000_000_000)]].concat(),
    }
}

/// Returns one seed for a test that is too slow for several: a new one, or the one that `CHAT_SEED` asks for.
pub fn seed() -> u64 {
    seeds(&[])[0]
}

/// Says how to replay `seed`; the test runner shows it where the test fails.
#[expect(clippy::print_stderr, reason = "a seed that nobody reads cannot be replayed")]
pub fn announce(seed: u64) {
    eprintln!("replay with {VARIABLE}={seed}");
}

/// The choices of a test, all of them from its seed.
#[derive(Debug, Clone)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// Returns the choices of `seed`, and says how to replay them.
    pub fn new(seed: u64) -> Self {
        announce(seed);
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns a number within `range`.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    /// Returns an index of a list with `length` entries.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.usize(..length)
    }

    /// Returns whether something happens that happens `times` of a hundred.
    pub fn percent(&mut self, times: u64) -> bool {
        self.0.u64(..100) < times
    }

    /// Returns the choices of somebody else, who makes them without changing ours.
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }
}
