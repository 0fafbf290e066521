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
//! `wire` and `os` import nothing of ours; `room` imports `wire`, `log` and `client` import `wire` and `os`, `server` all of these but
//! the client. Server and client never see each other.

pub mod client;
pub mod log;
pub mod os;
pub mod room;
pub mod server;
pub mod wire;
