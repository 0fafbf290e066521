//! What differs between operating systems, and what people are told about its errors. The only place with `cfg(unix)`.

use std::io;

/// Resolves when the program is asked to stop: SIGINT or SIGTERM on Unix, Ctrl-C elsewhere.
///
/// Cancel-safe: a signal that arrives while nobody waits is not remembered.
///
/// # Errors
/// When the signals cannot be watched.
pub async fn stop_requested() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Returns what went wrong in words: lower case, without the system's number.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error ").next().unwrap_or_default();
    let mut chars = words.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_lower_case_and_has_no_number() {
        let refused = io::Error::from_raw_os_error(if cfg!(target_os = "linux") { 111 } else { 61 });
        assert_eq!(reason(&refused), "connection refused");
    }
}
