//! broadcast-chat: two binaries, one port, and no message that anybody has seen is ever lost, doubled or reordered.
//!
//! Data flows one way:
//!
//! ```text
//! server:  socket → http → wire::decode → session → hub → log → a committed batch, encoded once a dialect → broadcast → session → socket
//! client:  input ┐
//!          link ─┴→ app.update → effects → link / view
//! ```
//!
//! `wire` imports nothing of ours; `room` and `log` import `wire`; `server` imports `wire`, `room` and `log`; `client` imports
//! `wire`; `os` stands apart. Server and client never see each other.

pub mod client;
pub mod log;
pub mod os;
pub mod room;
pub mod server;
pub mod wire;
