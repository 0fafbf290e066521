//! The chat client: what is typed and what arrives become effects, and those become frames and lines.
//!
//! ```text
//! input ┐
//! link ─┴→ app.update → effects → link / view → output
//! ```
//!

pub mod address;
pub mod app;
pub mod view;
pub mod link;
