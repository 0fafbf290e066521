//! Shared by the integration tests: peers, servers and processes that print what they know if a
//! condition does not come true.
//!
//! Everything waits for a condition under [`DEADLINE`] and panics with its name; nothing sleeps.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test binary uses its own part of it")]

pub mod chatter;
pub mod folder;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod seed;
pub mod server;
pub mod textbook;
pub mod writer;

use std::{future::Future, time::Duration};

/// How long a condition may take: far more than a loaded machine needs, far less than a person
/// waits.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Returns the result of `future`.
///
/// # Panics
/// Panics after [`DEADLINE`], naming `what` was awaited.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(DEADLINE, future).await;
    value.unwrap_or_else(|_| panic!("waited {} s for {what}", DEADLINE.as_secs()))
}
