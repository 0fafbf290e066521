//! The full screen: from what happened to cells. Pure: no tokio, no clock, no I/O.

pub mod conversation;
pub mod palette;
mod styled;
