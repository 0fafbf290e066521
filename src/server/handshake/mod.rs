//! The opening handshake: what a request is, whether it is let in, and the answer (RFC 6455 section
//! 4.2).

pub(super) mod http;
pub(super) mod negotiate;
pub(super) mod origin;
pub(super) mod request;
