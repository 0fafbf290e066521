//! Why a session ended, and what its peer is told of it.

use tokio_websockets::CloseCode;

use crate::protocol::CLOSE_TAKEN_OVER;
use crate::server::{
    hub::handle::Gone,
    hub::mailbox::EvictReason,
    websocket::{Failed, Incoming, Unwritten},
};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It said `quit`.
    Quit,
    /// It closed the connection with this code (RFC 6455 section 7.4).
    Closed(u16),
    /// The connection is gone.
    Lost,
    /// It took nothing until the write deadline. There is no room to tell it so, and a frame may be
    /// torn.
    Stalled,
    /// There was no sign of life from it.
    Dead,
    /// It did not say `hello` in time.
    NoHello,
    /// It said too much that was refused before a `hello` that could be granted.
    TooManyHellos,
    /// It broke RFC 6455, and has been told by the library.
    Broken,
    /// It sent a message over the limit.
    TooBig,
    /// It sent a message in too many frames.
    TooManyFrames,
    /// It sent something that is not text.
    NotText,
    /// A newer connection of the same person has its place.
    TakenOver,
    /// It did not take what was for it alone.
    Overflow,
    /// The server is stopping.
    Stopping,
    /// Something of ours failed.
    Failed,
}

impl End {
    /// Returns whether its person has gone, rather than only the connection.
    pub(crate) fn is_for_good(self) -> bool {
        // 1001 is a page that is closed or a client that is stopping; it has no reason to come
        // back.
        matches!(
            self,
            Self::Quit | Self::Closed(1000 | 1001) | Self::Broken | Self::TooBig | Self::TooManyFrames | Self::NotText
        )
    }

    /// Returns the close code and reason with which the connection ends, or `None` where there is
    /// nobody to tell.
    pub(crate) fn goodbye(self) -> Option<(CloseCode, &'static str)> {
        Some(match self {
            Self::Lost | Self::Stalled => return None,
            Self::Quit | Self::Closed(_) => (CloseCode::NORMAL_CLOSURE, "goodbye"),
            Self::Dead => (CloseCode::POLICY_VIOLATION, "no sign of life"),
            Self::NoHello => (CloseCode::POLICY_VIOLATION, "no hello in time"),
            Self::TooManyHellos => (CloseCode::POLICY_VIOLATION, "too many hellos were refused"),
            Self::Broken => (CloseCode::PROTOCOL_ERROR, "not a valid frame"),
            Self::TooBig => (CloseCode::MESSAGE_TOO_BIG, "a message has at most 64 KiB"),
            Self::TooManyFrames => (CloseCode::MESSAGE_TOO_BIG, "a message has at most 64 frames"),
            Self::NotText => (CloseCode::UNSUPPORTED_DATA, "only text frames are understood"),
            Self::TakenOver => (
                CloseCode::try_from(CLOSE_TAKEN_OVER).unwrap_or(CloseCode::NORMAL_CLOSURE),
                "a newer connection has your place",
            ),
            Self::Overflow => (CloseCode::SERVICE_OVERLOAD, "too much waits for you; come back"),
            Self::Stopping => (CloseCode::GOING_AWAY, "the server is stopping"),
            Self::Failed => (CloseCode::INTERNAL_SERVER_ERROR, "the server has failed; come back later"),
        })
    }
}

impl From<Incoming> for End {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::Closed(code) => Self::Closed(code),
            Incoming::Binary | Incoming::Failed(Failed::NotText) => Self::NotText,
            Incoming::Failed(Failed::TooBig) => Self::TooBig,
            Incoming::Failed(Failed::TooManyFrames) => Self::TooManyFrames,
            Incoming::Failed(Failed::Protocol) => Self::Broken,
            Incoming::Failed(Failed::Gone) | Incoming::Text(_) | Incoming::Alive | Incoming::Confirmed(_) => Self::Lost,
        }
    }
}

impl From<Unwritten> for End {
    fn from(unwritten: Unwritten) -> Self {
        if unwritten.stalled { Self::Stalled } else { Self::Lost }
    }
}

impl From<EvictReason> for End {
    fn from(unseated: EvictReason) -> Self {
        match unseated {
            EvictReason::TakenOver => Self::TakenOver,
            EvictReason::Overflow => Self::Overflow,
        }
    }
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Failed
    }
}
