//! What cannot be read of a damaged file, and the way past it: whoever reads must not be kept from
//! all that is behind it.

use std::{cell::Cell, sync::LazyLock};

use super::super::{Complaints, StoreError};

/// Returns whether this is so of what was asked for, whoever asks and whenever.
pub(super) fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged(_) | StoreError::Failed(_))
}

thread_local! {
    /// Whether this thread has come upon a hole since [`found`] was asked.
    static FOUND: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread has come upon a hole since it was asked last.
pub(super) fn found() -> bool {
    FOUND.take()
}

/// Tells the operator, once a minute.
pub(super) fn complain(error: &StoreError) {
    static COMPLAINTS: LazyLock<Complaints> = LazyLock::new(Complaints::default);
    FOUND.set(true);
    COMPLAINTS.log("some messages cannot be read, and are left out; --salvage saves the others", error);
}

/// Returns what `read` returns as near as it can be read, where it cannot at 0: it is given how far
/// from there to read, at most `most`. What lies between is skipped in steps that double, and then
/// halved to the edge.
///
/// # Errors
/// What `read` returns at `most`, where nothing can be read.
pub(super) fn skip<T>(most: i64, mut read: impl FnMut(i64) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let (mut unread, mut step) = (0_i64, 1_i64);
    let (mut by, mut found) = loop {
        let by = unread.saturating_add(step).min(most);
        match read(by) {
            Err(error) if is_unreadable(&error) && by < most => unread = by,
            read => break (by, read?),
        }
        step = step.saturating_mul(2);
    };
    while by - unread > 1 {
        let middle = unread + (by - unread) / 2;
        match read(middle) {
            Err(error) if is_unreadable(&error) => unread = middle,
            read => (by, found) = (middle, read?),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_hole_is_found_in_few_steps() {
        for hole in [0, 1, 2, 3, 100, 1_000_000, i64::MAX - 1] {
            let mut steps = 0;
            let read = |by| {
                steps += 1;
                if by > hole { Ok(by) } else { Err(StoreError::Damaged("a hole".to_owned())) }
            };
            assert_eq!(skip(i64::MAX, read), Ok(hole + 1));
            assert!(steps <= 128, "{steps}");
        }
        let all = |by: i64| Err::<(), _>(StoreError::Damaged(by.to_string()));
        assert_eq!(skip(9, all), Err(StoreError::Damaged("9".to_owned())));
        assert_eq!(skip(9, |_| Err::<(), _>(StoreError::Interrupted)), Err(StoreError::Interrupted));
    }
}
