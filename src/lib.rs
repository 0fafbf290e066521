//! broadcast-chat: two binaries, one port, and no message that anybody has seen is ever lost,
//! doubled or reordered.
//!
//! Data flows one way:
//!
//! ```text
//! server:  socket → http → protocol::decode → session → hub → store → a committed batch, encoded once a dialect → broadcast → session → socket
//! client:       input ┐
//!          connection ─┴→ chat.update → effects → connection / view
//! ```
//!
//! `protocol` and `os` import nothing of ours. `rooms` imports `protocol`; `store` and `client`
//! import `protocol` and `os`; `server` imports all of these but the client. Server and client
//! never import each other.

pub mod client;
pub mod os;
pub mod protocol;
pub mod rooms;
pub mod server;
pub mod store;
