//! A program whose standard streams the test controls: one of our two binaries, or any other.

use std::{net::SocketAddr, process::ExitStatus, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    task::JoinHandle,
};

use super::{DEADLINE, within};

/// A signal that asks a program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Sent by Ctrl-C.
    Int,
    /// Sent by a service manager.
    Term,
    /// Sent when a terminal closes.
    Hup,
    /// Cannot be caught.
    Kill,
    /// Any other, by its name without `SIG`.
    Named(&'static str),
}

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
}

impl Process {
    /// Returns our `server`, started with `arguments`. Without `--db` among them it stores nothing:
    /// no test may find messages of another test or of a user.
    pub fn server(arguments: &[&str]) -> Self {
        let db: &[&str] = if arguments.contains(&"--db") { &[] } else { &["--db", ":memory:"] };
        Self::start(Command::new(env!("CARGO_BIN_EXE_server")).args(arguments).args(db))
    }

    /// Returns our `client`, started with `arguments`.
    pub fn client(arguments: &[&str]) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_client")).args(arguments))
    }

    /// Returns `command`, started with piped streams and without the settings of the user who runs
    /// the tests.
    ///
    /// The streams are read all the time, so the program never waits for the test.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_stderr(command, Stdio::piped())
    }

    /// Starts `command` like [`Self::start`], but leaves its stderr as it is.
    pub fn start_with_stderr(command: &mut Command, stderr: Stdio) -> Self {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let name = name.rsplit(std::path::MAIN_SEPARATOR).next().unwrap_or_default().to_owned();
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("CHAT_") {
                command.env_remove(variable);
            }
        }
        // No `client.toml` is found there.
        command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        let stdout = Output::of(format!("{name}'s stdout"), child.stdout.take().expect("stdout is piped"));
        let stderr = format!("{name}'s stderr");
        let stderr = match child.stderr.take() {
            Some(stream) => Output::of(stderr, stream),
            None => Output::of(stderr, tokio::io::empty()),
        };
        Self { name, stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Returns the address of a server, from the first line that it prints.
    pub async fn address(&mut self) -> SocketAddr {
        let Some(line) = self.stdout.next().await else {
            let status = self.exit().await;
            panic!("{} ended with {status} before it listened: {:#?}", self.name, self.stderr.rest().await);
        };
        line.strip_prefix("listening on ws://")
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("expected `listening on ws://IP:PORT`, got {line:?}"))
    }

    /// Returns the process id. The process must not have been waited for.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process has not been waited for")
    }

    /// Writes `line` and a line break to standard input.
    pub async fn write_line(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes()).await;
    }

    /// Writes `bytes` to standard input.
    pub async fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        let write = async {
            stdin.write_all(bytes).await?;
            stdin.flush().await
        };
        let what = format!("{} to take its input", self.name);
        within(&what, write).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// Closes standard input.
    pub fn close_stdin(&mut self) {
        drop(self.stdin.take());
    }

    /// Sends `signal`.
    pub async fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Int => "INT",
            Signal::Term => "TERM",
            Signal::Hup => "HUP",
            Signal::Kill => "KILL",
            Signal::Named(name) => name,
        };
        // The shell's builtin `kill` is available even without a program of that name.
        let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id())).status().await;
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "signal {}: {status:?}", self.name);
    }

    /// Returns how the program ended. Leaves standard input as it is.
    pub async fn exit(&mut self) -> ExitStatus {
        let what = format!("{} to exit", self.name);
        // `wait` closes the standard input that the child still holds; ours was taken out of it at
        // the start.
        within(&what, self.child.wait()).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

/// The lines of a stream, as they arrive.
pub struct Output {
    name: String,
    lines: mpsc::UnboundedReceiver<String>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(name: String, stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line);
                // The test may ignore all of it.
                drop(sender.send(text.strip_suffix('\n').unwrap_or(&text).to_owned()));
                line.clear();
            }
        });
        Self { name, lines, reader }
    }

    /// Returns the next line, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<String> {
        within(&format!("the next line of {}", self.name), self.lines.recv()).await
    }

    /// Returns the next line, or `None` at the end of the stream, without a deadline. Cancel-safe.
    pub async fn recv(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Returns the next line that contains `part`. Skips the lines before it.
    pub async fn line_with(&mut self, part: &str) -> String {
        let mut skipped = Vec::new();
        let search = async {
            while let Some(line) = self.lines.recv().await {
                if line.contains(part) {
                    return Some(line);
                }
                skipped.push(line);
            }
            None
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found
            .unwrap_or_else(|_| {
                panic!("waited {} s for {part:?} on {}, got {skipped:#?}", DEADLINE.as_secs(), self.name)
            })
            .unwrap_or_else(|| panic!("{} ended without {part:?}: {skipped:#?}", self.name))
    }

    /// Returns all lines up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<String> {
        within(&format!("the end of {}", self.name), async {
            let mut rest = Vec::new();
            while let Some(line) = self.lines.recv().await {
                rest.push(line);
            }
            rest
        })
        .await
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
