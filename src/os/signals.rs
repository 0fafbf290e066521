//! Signals as a service takes them.

use std::io;

/// Signals that are watched for: they no longer end the program by themselves, and one that comes
/// before anybody waits is remembered.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    watched: Vec<(&'static str, u8, tokio::signal::unix::Signal)>,
    /// Whether Ctrl-C is one of them, where there are no signals.
    #[cfg(not(unix))]
    has_interrupt: bool,
}

impl Signals {
    /// Watches for whatever asks a service to stop: on Unix for SIGINT, SIGTERM and every other
    /// signal that would end it, except those of a defect and SIGHUP; elsewhere for Ctrl-C.
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

    /// Watches for SIGHUP on Unix, for nothing elsewhere. A file that has reached its limit no
    /// longer ends the program either (SIGXFSZ): whoever writes to it gets an error.
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

    /// Watches for another size of the terminal: for SIGWINCH on Unix, for nothing elsewhere.
    ///
    /// # Errors
    /// When the signal cannot be watched.
    pub fn resizes() -> io::Result<Self> {
        #[cfg(unix)]
        {
            Self::watch(&[("SIGWINCH", rustix::process::Signal::WINCH)])
        }
        #[cfg(not(unix))]
        Ok(Self { has_interrupt: false })
    }

    #[cfg(unix)]
    fn watch(signals: &[(&'static str, rustix::process::Signal)]) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let watch = |(name, number): &(&'static str, rustix::process::Signal)| {
            let number = number.as_raw();
            let signal = signal(SignalKind::from_raw(number))?;
            Ok((*name, u8::try_from(number).unwrap_or_default(), signal))
        };
        Ok(Self { watched: signals.iter().map(watch).collect::<io::Result<_>>()? })
    }

    /// Resolves to the name of the next one. Cancel-safe.
    pub async fn next(&mut self) -> &'static str {
        self.came().await.0
    }

    /// Resolves to the number of the next one. Cancel-safe.
    pub async fn number(&mut self) -> u8 {
        self.came().await.1
    }

    async fn came(&mut self) -> (&'static str, u8) {
        #[cfg(unix)]
        {
            use std::task::Poll;
            let watched = &mut self.watched;
            std::future::poll_fn(|cx| {
                let came = watched.iter_mut().find_map(|(name, number, signal)| match signal.poll_recv(cx) {
                    Poll::Ready(Some(())) => Some((*name, *number)),
                    _ => None,
                });
                came.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }
        #[cfg(not(unix))]
        {
            if self.has_interrupt && tokio::signal::ctrl_c().await.is_ok() {
                return ("Ctrl-C", 2);
            }
            std::future::pending().await
        }
    }
}
