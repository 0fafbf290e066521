//! The server: started on a file, measured, killed and started again on the same port.

use std::{fmt, fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::Outcome;

/// The deadline for a start or a stop of the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// The resources that the process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    threads: u64,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident, descriptors, threads } = self;
        write!(f, "{} KB, {descriptors} descriptors, {threads} threads", resident / 1000)
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> Outcome<Self> {
        Self::listen("127.0.0.1:0", folder).await
    }

    async fn listen(address: &str, folder: &Path) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command.args(["--listen", address, "--log", "warn", "--db"]).arg(folder.join("chat.db"));
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let first = timeout(PATIENCE, lines.next_line()).await??.ok_or("the server said nothing")?;
        let address = first.rsplit("ws://").next().ok_or("the server said no address")?.parse()?;
        // Read and discard the rest, so that the server never waits for us.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, child })
    }

    pub(crate) async fn kill_and_restart(&mut self, folder: &Path) -> Outcome<()> {
        self.child.kill().await?;
        *self = Self::listen(&self.address.to_string(), folder).await?;
        Ok(())
    }

    /// Stops it cleanly.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let id = self.child.id().ok_or("the server has ended by itself")?;
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    pub(crate) fn usage(&self) -> Outcome<Usage> {
        let id = self.child.id().ok_or("the server has ended by itself")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel does not say")?;
            let number = value.trim().trim_end_matches(" kB").parse::<u64>();
            number.map_err(|error| format!("{name} {value}: {error}"))
        };
        Ok(Usage {
            resident: field("VmRSS:")? * 1024,
            descriptors: fs::read_dir(format!("/proc/{id}/fd"))?.count() as u64,
            threads: field("Threads:")?,
        })
    }

    /// Returns its resources once it has at most `most` descriptors, because everybody has left, or
    /// after a timeout.
    pub(crate) async fn usage_when_empty(&self, most: u64) -> Outcome<Usage> {
        let until = Instant::now() + PATIENCE;
        loop {
            let usage = self.usage()?;
            if usage.descriptors <= most || Instant::now() > until {
                return Ok(usage);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
