//! The user's own editor, which has the terminal for a while.
//!
//! It runs in our process group, as it would under `git commit`: the terminal's Ctrl-Z stops both,
//! and the shell continues both.

use std::{
    env, io,
    path::Path,
    process::ExitStatus,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// What is run where the user names no editor.
const DEFAULT: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// How long an editor may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(1);

/// The terminal sends an interrupt to the editor and to us at once. The end of the editor may be
/// seen first.
const LATE: Duration = Duration::from_millis(200);

/// Who the terminal's interrupts are for.
static INTERRUPTS: Mutex<Interrupts> = Mutex::new(Interrupts::Ours);

#[derive(Debug, Clone, Copy)]
enum Interrupts {
    Ours,
    Editors,
    /// The editor has ended, and those that come before this are still its own.
    OursFrom(Instant),
}

/// Returns whether a signal of this number is the terminal's Ctrl-C or Ctrl-\ for an editor, and
/// not for us.
pub(super) fn is_for_editor(number: u8) -> bool {
    /// SIGINT and SIGQUIT; elsewhere than on Unix, Ctrl-C counts as the first.
    const INTERRUPTS_BY_KEY: [u8; 2] = [2, 3];
    let whose = *INTERRUPTS.lock().unwrap_or_else(PoisonError::into_inner);
    INTERRUPTS_BY_KEY.contains(&number)
        && match whose {
            Interrupts::Ours => false,
            Interrupts::Editors => true,
            Interrupts::OursFrom(at) => Instant::now() < at,
        }
}

fn interrupts_are_for(whose: Interrupts) {
    *INTERRUPTS.lock().unwrap_or_else(PoisonError::into_inner) = whose;
}

/// A running editor. Until this is dropped the terminal's interrupts do not end the program.
#[derive(Debug)]
pub struct Editor {
    child: Child,
}

impl Editor {
    /// Returns the command of the user's editor: what `VISUAL` or else `EDITOR` says, or what the
    /// system has.
    #[must_use]
    pub fn command() -> String {
        let said = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| env::var(name).ok());
        said.map(|command| command.trim().to_owned())
            .find(|command| !command.is_empty())
            .unwrap_or_else(|| DEFAULT.to_owned())
    }

    /// Runs `command`, which may have arguments, for the file at `path`. The terminal must have
    /// been given back. It wants a runtime of tokio.
    ///
    /// # Errors
    /// When it cannot be started. On Unix a shell is started first, and a program that there is not
    /// ends with code 127.
    pub fn start(command: &str, path: &Path) -> io::Result<Self> {
        let child = runs(command).arg(path).kill_on_drop(true).spawn()?;
        interrupts_are_for(Interrupts::Editors);
        Ok(Self { child })
    }

    /// Resolves when it has ended, and says how. Cancel-safe.
    ///
    /// # Errors
    /// When the system does not tell.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to end, and ends it where it does not.
    pub async fn stop(mut self) {
        #[cfg(unix)]
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(id) = rustix::process::Pid::from_raw(id)
        {
            // It has ended already, otherwise.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        interrupts_are_for(Interrupts::OursFrom(Instant::now() + LATE));
    }
}

/// Returns what runs `command` as a shell would: it may quote, and set variables before the name of
/// the program.
#[cfg(unix)]
fn runs(command: &str) -> Command {
    let mut shell = Command::new("sh");
    // The editor takes the shell's place, so that a signal for it reaches it.
    shell.arg("-c").arg(format!("exec env {command} \"$@\"")).arg("sh");
    shell
}

#[cfg(not(unix))]
fn runs(command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap_or(DEFAULT));
    program.args(words);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interrupts_by_key_are_an_editors_and_for_a_moment_after_its_end() {
        assert!(!is_for_editor(2));
        interrupts_are_for(Interrupts::Editors);
        assert!(is_for_editor(2) && is_for_editor(3) && !is_for_editor(15) && !is_for_editor(1));
        interrupts_are_for(Interrupts::OursFrom(Instant::now() + Duration::from_hours(1)));
        assert!(is_for_editor(2));
        interrupts_are_for(Interrupts::OursFrom(Instant::now()));
        assert!(!is_for_editor(2));
    }
}
