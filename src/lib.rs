//! broadcast-chat: a chat server and a client in two binaries, with one port. A message that
//! anybody has seen is never lost, duplicated or reordered.
//!
//! Data flows in one direction:
//!
//! ```text
//! server:  socket → http → protocol::decode → session → hub → store → a committed batch, encoded once a dialect → broadcast → session → socket
//! client:       input ┐
//!          connection ─┴→ chat.update → effects → connection / view
//! ```
//!
//! `protocol` and `os` import no other module of this crate. `rooms` imports `protocol`. `store`
//! and `client` import `protocol` and `os`. `server` imports all of these except `client`. The
//! server and the client never import each other.

pub mod client;
pub mod os;
pub mod protocol;
pub mod rooms;
pub mod server;
pub mod store;
