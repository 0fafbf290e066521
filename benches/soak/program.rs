//! Our own client in a pipe. Its output is taken as what it saw.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep_until},
};

use crate::{Outcome, Phase, World, ledger::Stay};

/// The time between two lines.
const PACE: Duration = Duration::from_millis(700);

/// A running client. Dropping it kills it.
pub(crate) struct Program {
    nick: String,
    room: String,
    world: World,
    child: Child,
    said: Vec<(String, String)>,
}

impl Program {
    pub(crate) fn start(number: usize, room: &str, world: World, folder: &Path) -> Outcome<Self> {
        let nick = format!("program-{number}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CHAT_")) {
            command.env_remove(variable);
        }
        command.env("XDG_CONFIG_HOME", folder.join(&nick)).env("XDG_STATE_HOME", folder.join(&nick));
        command.args(["--json", "--nick", &nick, &format!("ws://{}/{room}", world.address)]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        Ok(Self { nick, room: room.to_owned(), world, child, said: Vec::new() })
    }

    /// Sends lines until it is time to finish, and reads until the client ends by itself.
    pub(crate) async fn run(mut self) {
        let stay = self.chat().await;
        let stay = stay.unwrap_or_else(|error| {
            self.world.note(|ledger| ledger.fault(format!("{}: {error}", self.nick)));
            None
        });
        let (nick, said) = (self.nick, self.said);
        self.world.note(|ledger| ledger.finished(&nick, said, stay.into_iter().collect()));
    }

    async fn chat(&mut self) -> Outcome<Option<Stay>> {
        let mut stdin = self.child.stdin.take();
        let mut lines = BufReader::new(self.child.stdout.take().ok_or("no stdout")?).lines();
        let (mut next, mut stay) = (Instant::now() + PACE, None);
        loop {
            tokio::select! {
                line = lines.next_line() => match line? {
                    Some(line) => self.read(&line, &mut stay)?,
                    None => break,
                },
                () = sleep_until(next), if stdin.is_some() => {
                    next += PACE;
                    if *self.world.phase.borrow() == Phase::Finish {
                        stdin = None;
                    } else if let Some(stdin) = &mut stdin {
                        let text = format!("{} says {:06}", self.nick, self.said.len());
                        stdin.write_all(format!("{text}\n").as_bytes()).await?;
                        self.said.push((self.room.clone(), text));
                    }
                }
            }
        }
        let status = self.child.wait().await?;
        if status.success() && stdin.is_none() {
            Ok(stay)
        } else {
            Err(format!("the client ended with {status}").into())
        }
    }

    fn read(&self, line: &str, stay: &mut Option<Stay>) -> Outcome<()> {
        let event: Value = serde_json::from_str(line)?;
        match event["type"].as_str() {
            Some("message") => {
                let id = self.world.note(|ledger| ledger.message(&self.nick, &event));
                // The client chooses its first request itself; from the first message on nothing
                // may be missing.
                stay.get_or_insert_with(|| Stay::new(&self.nick, &self.room, id.saturating_sub(1))).see(id)?;
            }
            Some("connected") => self.world.note(|ledger| ledger.count("connections")),
            Some("error" | "refused" | "gap") => return Err(format!("it was told {line}").into()),
            _ => {}
        }
        Ok(())
    }
}
