//! Why a session ended, and what its peer is told about it.

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
    /// The peer sent `quit`.
    Quit,
    /// The peer closed the connection with this code (RFC 6455 section 7.4).
    Closed(u16),
    /// The connection was lost.
    Lost,
    /// The peer read nothing until the write deadline. No close frame is sent: there is no room for
    /// it, and a frame may be incomplete.
    Stalled,
    /// The peer gave no sign of life.
    Dead,
    /// The peer did not send `hello` in time.
    NoHello,
    /// The peer sent too many refused messages before a valid `hello`.
    TooManyHellos,
    /// The peer violated RFC 6455. The library has sent the close frame.
    Broken,
    /// The peer sent a message above the size limit.
    TooBig,
    /// The peer sent a message in too many frames.
    TooManyFrames,
    /// The peer sent a message that is not text.
    NotText,
    /// A newer connection of the same person has its place.
    TakenOver,
    /// The mailbox was full: the peer did not read its events.
    Overflow,
    /// The server is stopping.
    Stopping,
    /// Something in the server failed.
    Failed,
}

impl End {
    /// Returns whether the person has left, and not only the connection was lost.
    pub(crate) fn is_for_good(self) -> bool {
        // 1001 is sent by a page that is closed or a client that stops. It has no reason to come
        // back.
        matches!(
            self,
            Self::Quit | Self::Closed(1000 | 1001) | Self::Broken | Self::TooBig | Self::TooManyFrames | Self::NotText
        )
    }

    /// Returns the close code and reason that the peer is sent, or `None` if the peer cannot be
    /// told.
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
