//! The kill ring: text that was killed and can be yanked back. Pure.

use std::collections::VecDeque;

/// The maximum number of pieces in the kill ring.
const PIECES: usize = 16;

/// The killed pieces, the newest first.
#[derive(Debug, Default)]
pub(super) struct KillRing(VecDeque<String>);

impl KillRing {
    /// Adds `piece`. If the kill `follows` another kill, the piece joins the newest one: before it
    /// if the kill went `backwards`, else after it.
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

    /// Returns the piece of `age`, where 0 is the newest. After the oldest piece it starts again at
    /// the newest.
    pub(super) fn piece(&self, age: usize) -> Option<&str> {
        self.0.get(age.checked_rem(self.0.len())?).map(String::as_str)
    }
}
