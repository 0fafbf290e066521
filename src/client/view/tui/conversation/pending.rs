//! What the reader has said and the server has not sent back. Pure.

use crate::wire::{Kind, Nick};

/// A text on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// How it was said.
    pub kind: Kind,
    /// To whom alone, if not to the room.
    pub to: Option<Nick>,
    /// The text; of a topic that is to be cleared there is none.
    pub text: String,
}
