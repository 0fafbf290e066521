//! Changes to another server without leaving the screen.

use std::time::Duration;

use tokio::{task::JoinSet, time::timeout};

use super::{FullScreen, Options};
use crate::{
    client::{address::Address, chat::Settings, view::tui::Now},
    protocol::sanitize,
};

/// The maximum time for connections to the same server to close before a new one is made.
const SAME: Duration = Duration::from_secs(1);

impl FullScreen {
    /// Records that the user changes to `address` and leaves this server.
    pub(super) fn want_to_go_to(&mut self, now: Now, address: Address) {
        let mut secret = [0; 16];
        if let Err(error) = getrandom::fill(&mut secret) {
            return self.tui.tell(now, format!("cannot connect: {error}"));
        }
        let wanted = self.tabs.apps().first().and_then(|app| app.wanted()).cloned();
        let settings = Settings {
            nick: address.nick().cloned().or(wanted).or(self.settings.nick.take()),
            history: address.history(),
            since: None,
            secret,
            session: None,
            saved_position: None,
            ..self.settings.clone()
        };
        let choices = self.tui.choices().clone();
        let (folder, stop) = (self.folder.clone(), self.stop.clone());
        self.goes_to = Some(Box::new(Options { address, settings, choices, folder, stop }));
    }

    /// Leaves this server as at the end of the program, and begins with the server of `options`.
    /// Unsent texts are kept for this server.
    pub(super) async fn go_to(mut self, options: Options, closing: &mut JoinSet<()>) -> Self {
        let mut told: Vec<_> = sanitize::lines(&self.end()).lines().map(str::to_owned).collect();
        // A failure was reported when it happened.
        drop(self.state.finish().await);
        drop(self.entered.finish().await);
        told.extend(sanitize::lines(&self.unsent.finish().await).lines().map(str::to_owned));
        closing.spawn(self.tabs.close_all());
        if options.address.server() == self.address.server() {
            // Otherwise, our own nick would be taken.
            drop(timeout(SAME, closing.join_next()).await);
        }
        let (keys, extras, zone) = (self.keys, self.extras, self.zone);
        Self { keys, zone, extras, ..Self::begin(options, told) }
    }
}
