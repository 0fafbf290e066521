//! The hub: the one task that changes rooms and writes to the store, and the channels that carry
//! its results to the sessions.

pub(super) mod batch;
mod coalesce;
pub(super) mod fanout;
pub(super) mod handle;
pub(super) mod mailbox;
mod state;
pub(super) mod task;
