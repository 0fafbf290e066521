//! What was said, without anything that a screen adds. Pure.

use super::Conversation;

impl Conversation {
    /// Returns the last `most` lines up to the end of what is in sight, oldest first.
    #[must_use]
    pub fn bare(&self, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let (_, last) = self.in_sight;
        for serial in (self.shown().first()..=last).rev() {
            if lines.len() >= most {
                break;
            }
            let Some(entry) = self.entry(serial).filter(|entry| !entry.hidden) else { continue };
            lines.extend(entry.bare(self.times.clock).rev());
        }
        lines.truncate(most);
        lines.reverse();
        lines
    }
}
