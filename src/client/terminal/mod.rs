//! The terminal: its keys, its screen, and how often a frame is drawn.

pub(super) mod frame_timer;
pub mod keys;
pub mod screen;
