//! What was killed and can be yanked back. Pure.

use std::collections::VecDeque;

/// Pieces that are kept.
const PIECES: usize = 16;

/// The pieces killed, the latest first.
#[derive(Debug, Default)]
pub(super) struct KillRing(VecDeque<String>);

impl KillRing {
    /// Keeps `piece`. One that `follows` another kill becomes one piece with it, on the side where
    /// it stood.
    pub(super) fn keep(&mut self, piece: &str, backwards: bool, follows: bool) {
        match self.0.front_mut().filter(|_| follows) {
            Some(latest) if backwards => latest.insert_str(0, piece),
            Some(latest) => latest.push_str(piece),
            None => {
                self.0.push_front(piece.to_owned());
                self.0.truncate(PIECES);
            }
        }
    }

    /// Returns the `age`th piece, 0 for the latest; past the oldest it begins again.
    pub(super) fn piece(&self, age: usize) -> Option<&str> {
        self.0.get(age.checked_rem(self.0.len())?).map(String::as_str)
    }
}
