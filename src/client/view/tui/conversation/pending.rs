//! What the reader has said and the server has not sent back. Pure.

use crate::wire::{Body, Kind, Nick};

/// A text on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// How it was said.
    pub kind: Kind,
    /// To whom alone, if not to the room.
    pub to: Option<Nick>,
    /// The text; absent only where a topic is to be cleared.
    pub text: Option<Body>,
}
