//! What the log could not do, on its way to the operator: the same is said once a minute, however
//! many meet it.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::error;

use super::StoreError;

/// Between two lines that say the same.
const PAUSE: Duration = Duration::from_mins(1);

/// What was said, and when. Bounded, because what is said of each kind of error is one of a few
/// constants.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<HashMap<(&'static str, Discriminant<StoreError>), Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it happened since.
    again: u64,
}

impl Complaints {
    /// Logs that something failed, unless that was said within the last minute.
    pub(crate) fn log(&self, what: &'static str, error: &StoreError) {
        match self.note(what, error, Instant::now()) {
            Some(0) => error!(%error, "{what}"),
            Some(again) => error!(%error, again, "{what}"),
            None => {}
        }
    }

    /// Notes that it happened at `now`. Returns, if it is to be said, how often it happened since
    /// it was said.
    fn note(&self, what: &'static str, error: &StoreError, now: Instant) -> Option<u64> {
        // Nothing that can panic is done under the lock.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&(what, discriminant(error))) {
            Some(said) if now < said.at + PAUSE => {
                said.again += 1;
                None
            }
            Some(said) => {
                said.at = now;
                Some(std::mem::take(&mut said.again))
            }
            None => {
                all.insert((what, discriminant(error)), Said { at: now, again: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_with_how_often_it_was() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let note =
            |what, error: &StoreError, seconds| complaints.note(what, error, start + Duration::from_secs(seconds));
        assert_eq!(note("cannot search", &StoreError::Damaged("message 1".into()), 0), Some(0));
        assert_eq!(note("cannot search", &StoreError::Full, 1), Some(0));
        assert_eq!(note("cannot read", &StoreError::Full, 1), Some(0));
        for second in 1..60 {
            assert_eq!(note("cannot search", &StoreError::Damaged(format!("message {second}")), second), None);
        }
        assert_eq!(note("cannot search", &StoreError::Damaged("message 1".into()), 60), Some(59));
        assert_eq!(note("cannot search", &StoreError::Damaged("message 1".into()), 119), None);
        assert_eq!(note("cannot search", &StoreError::Damaged("message 1".into()), 200), Some(1));
    }
}
