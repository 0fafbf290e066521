//! Signals as a service takes them.

use std::io;

/// Signals that are watched for: they no longer end the program by themselves, and one that comes before anybody waits is remembered.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    watched: Vec<(&'static str, tokio::signal::unix::Signal)>,
    /// Whether Ctrl-C is one of them, where there are no signals.
    #[cfg(not(unix))]
    has_interrupt: bool,
}

impl Signals {
    /// Watches for whatever asks a service to stop: on Unix for SIGINT, SIGTERM and every other signal that would end it, except those
    /// of a defect and SIGHUP; elsewhere for Ctrl-C.
    ///
    /// # Errors
    /// When the signals cannot be watched; they end the program then, as they always do.
    pub fn stops() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use rustix::process::Signal;
            Self::watch(&[
                ("SIGINT", Signal::INT),
                ("SIGTERM", Signal::TERM),
                ("SIGQUIT", Signal::QUIT),
                ("SIGUSR1", Signal::USR1),
                ("SIGUSR2", Signal::USR2),
                ("SIGALRM", Signal::ALARM),
                ("SIGVTALRM", Signal::VTALARM),
                ("SIGPROF", Signal::PROF),
                ("SIGXCPU", Signal::XCPU),
                #[cfg(target_os = "linux")]
                ("SIGIO", Signal::IO),
                #[cfg(target_os = "linux")]
                ("SIGPWR", Signal::POWER),
            ])
        }
        #[cfg(not(unix))]
        Ok(Self { has_interrupt: true })
    }

    /// Watches for SIGHUP on Unix, for nothing elsewhere. A file that has reached its limit no longer ends the program either
    /// (SIGXFSZ): whoever writes to it gets an error.
    ///
    /// # Errors
    /// When the signals cannot be watched.
    pub fn hangups() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use rustix::process::Signal;
            // What was watched once stays so, though nobody waits.
            drop(Self::watch(&[("SIGXFSZ", Signal::XFSZ)])?);
            Self::watch(&[("SIGHUP", Signal::HUP)])
        }
        #[cfg(not(unix))]
        Ok(Self { has_interrupt: false })
    }

    #[cfg(unix)]
    fn watch(signals: &[(&'static str, rustix::process::Signal)]) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let watch = |(name, number): &(_, rustix::process::Signal)| {
            signal(SignalKind::from_raw(number.as_raw())).map(|signal| (*name, signal))
        };
        Ok(Self { watched: signals.iter().map(watch).collect::<io::Result<_>>()? })
    }

    /// Resolves to the name of the next one. Cancel-safe.
    pub async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            use std::task::Poll;
            let watched = &mut self.watched;
            std::future::poll_fn(|cx| {
                let came = watched.iter_mut().find_map(|(name, signal)| match signal.poll_recv(cx) {
                    Poll::Ready(Some(())) => Some(*name),
                    _ => None,
                });
                came.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }
        #[cfg(not(unix))]
        {
            if self.has_interrupt && tokio::signal::ctrl_c().await.is_ok() {
                return "Ctrl-C";
            }
            std::future::pending().await
        }
    }
}
