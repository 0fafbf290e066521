//! The runs of a history, and which part of it a client has in common with this log. Pure.
//!
//! A log that is put back to an earlier state keeps its epoch and gives ids again that it has given
//! before. So each start of the server on a log begins a run, and which ids a run gave is known
//! from where the next one began: of two histories that were one once, each knows the runs up to
//! where they part, and what came after only its own.

use crate::protocol::{Epoch, MessageId, Run};

/// Runs that are remembered, the newest: two a day for more than ten years.
pub(super) const MOST: i64 = 10_000;

/// The runs of one history, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    epoch: Epoch,
    earlier: Vec<(Run, MessageId)>,
    /// The present one.
    present: Run,
    /// The first id that the present one may give.
    first: MessageId,
    /// Which one the present one is, counted from 1.
    number: u64,
}

/// What a client knows of the history that it has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Which history.
    pub epoch: Option<Epoch>,
    /// Which run of it was the present one.
    pub run: Option<Run>,
    /// The last id that it has seen.
    pub after: Option<MessageId>,
}

impl Runs {
    /// Returns the first run of a history, which is named as the history is.
    pub(super) fn first(epoch: Epoch) -> Self {
        Self::new(epoch, Vec::new(), (epoch, MessageId(1)), 1)
    }

    /// Returns the runs of a history, each with the first id that it may have given; the present
    /// one is the `number`th.
    pub(super) fn new(epoch: Epoch, earlier: Vec<(Run, MessageId)>, present: (Run, MessageId), number: u64) -> Self {
        Self { epoch, earlier, present: present.0, first: present.1, number }
    }

    /// Returns the present run.
    #[must_use]
    pub fn present(&self) -> Run {
        self.present
    }

    /// Returns how many runs there were before the present one, those that are not remembered
    /// included.
    #[must_use]
    pub fn before(&self) -> u64 {
        self.number.saturating_sub(1)
    }

    /// Returns up to which id the history that a client knows is this one, whose `last` id is
    /// given: 0 where nothing of it is known to be. Nothing is returned where the client may go on
    /// where it was.
    #[must_use]
    pub fn shared(&self, known: Known, last: MessageId) -> Option<MessageId> {
        let Known { epoch, run, after } = known;
        if epoch.is_some_and(|epoch| epoch != self.epoch) {
            return Some(MessageId(0));
        }
        let is_past = |end: MessageId| after.is_some_and(|after| after > end);
        match run {
            Some(run) if run == self.present => is_past(last).then_some(last),
            // Without a cursor it is the client that knows what it has seen.
            Some(run) => Some(self.end(run).unwrap_or_default()).filter(|end| after.is_none() || is_past(*end)),
            None => is_past(last).then_some(MessageId(0)),
        }
    }

    /// Returns the earlier run with this number.
    #[cfg(test)]
    pub(super) fn earlier(&self, number: usize) -> Option<Run> {
        self.earlier.get(number).map(|(run, _)| *run)
    }

    /// Returns the last id of an earlier run, or of those before it, that no later one may have
    /// given again: a log that was cut goes on below where it was.
    fn end(&self, run: Run) -> Option<MessageId> {
        let at = self.earlier.iter().rposition(|(earlier, _)| *earlier == run)?;
        let next = self.earlier.iter().skip(at + 1).map(|(_, first)| *first).fold(self.first, MessageId::min);
        Some(MessageId(next.0.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Hex;

    const EPOCH: Epoch = Hex([1; 8]);

    fn run(name: u8) -> Run {
        Hex([name; 8])
    }

    /// Returns what is shared with who has seen `after` in the run `name`; the runs are a to c, of
    /// 40, 20 and, so far, 90 ids.
    fn shared(name: Option<u8>, after: Option<u64>) -> Option<u64> {
        let earlier = vec![(run(b'a'), MessageId(1)), (run(b'b'), MessageId(41))];
        let runs = Runs::new(EPOCH, earlier, (run(b'c'), MessageId(61)), 3);
        let known = Known { epoch: Some(EPOCH), run: name.map(run), after: after.map(MessageId) };
        runs.shared(known, MessageId(150)).map(|id| id.0)
    }

    #[test]
    fn a_cursor_is_of_this_history_as_far_as_its_run_went_here() {
        assert_eq!([0, 40].map(|after| shared(Some(b'a'), Some(after))), [None, None]);
        assert_eq!(shared(Some(b'a'), Some(41)), Some(40), "there, the first run went further");
        assert_eq!(shared(Some(b'b'), Some(60)), None);
        assert_eq!([61, 100, 1000].map(|after| shared(Some(b'b'), Some(after))), [Some(60); 3], "b went on elsewhere");
        assert_eq!([150, 151].map(|after| shared(Some(b'c'), Some(after))), [None, Some(150)]);
        assert_eq!([1, 1000].map(|after| shared(Some(b'x'), Some(after))), [Some(0), Some(0)], "nobody here knows x");
    }

    #[test]
    fn a_log_that_was_cut_has_in_common_what_was_left_of_it() {
        // a gave 1 to 100, b 101 to 200; then it was cut after 60, and c began; d began after 80.
        let earlier = vec![(run(b'a'), MessageId(1)), (run(b'b'), MessageId(101)), (run(b'c'), MessageId(61))];
        let runs = Runs::new(EPOCH, earlier, (run(b'd'), MessageId(81)), 4);
        let shared = |name, after| {
            let known = Known { epoch: Some(EPOCH), run: Some(run(name)), after };
            runs.shared(known, MessageId(300)).map(|id| id.0)
        };
        for name in [b'a', b'b'] {
            assert_eq!(
                [60, 61, 100, 200].map(|after| shared(name, Some(MessageId(after)))),
                [None, Some(60), Some(60), Some(60)]
            );
            assert_eq!(shared(name, None), Some(60));
        }
        assert_eq!([80, 81].map(|after| shared(b'c', Some(MessageId(after)))), [None, Some(80)]);
    }

    #[test]
    fn who_tells_no_cursor_is_told_how_far_the_run_went() {
        assert_eq!(
            ["a", "b", "c", "x"].map(|name| shared(Some(name.as_bytes()[0]), None)),
            [Some(40), Some(60), None, Some(0)]
        );
    }

    #[test]
    fn without_a_run_only_what_is_past_the_end_is_recognised() {
        assert_eq!(
            [0, 100, 150, 151, u64::MAX].map(|after| shared(None, Some(after))),
            [None, None, None, Some(0), Some(0)]
        );
        assert_eq!(shared(None, None), None);
    }

    #[test]
    fn another_epoch_has_nothing_in_common() {
        let known = Known { epoch: Some(Hex([2; 8])), run: Some(EPOCH), after: Some(MessageId(0)) };
        assert_eq!(Runs::first(EPOCH).shared(known, MessageId(9)), Some(MessageId(0)));
        assert_eq!(Runs::first(EPOCH).shared(Known::default(), MessageId(9)), None);
    }
}
