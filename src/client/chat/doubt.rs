//! Detects a line that is perhaps a mistyped command, for interactive use without a screen that
//! could ask. Pure.

use super::{App, Effect, ViewEvent};
use crate::protocol::command;

impl App {
    /// Refuses a line that would be sent as text but is nearly a command. If the same line is
    /// entered again, it is sent. Returns whether the line is refused.
    pub(super) fn doubts(&mut self, line: &str, effects: &mut Vec<Effect>) -> bool {
        let before = self.doubted.take();
        if !self.settings.interactive || self.settings.no_commands || before.as_deref() == Some(line) {
            return false;
        }
        let is_command = |name: &str| command::specs().any(|spec| spec.is_named(name));
        // The view may know who is here, but this code does not. A nick in the right position is
        // not enough.
        let Some(because) = command::nearly(line, is_command, |_| false) else { return false };
        let words = format!("not said: {because}, so all would read it; enter it once more to say it");
        effects.push(Effect::Show(ViewEvent::Refusal(words)));
        self.doubted = Some(line.to_owned());
        true
    }
}
