//! WebSocket frames for both sides of a measurement: a minimal implementation of RFC 6455 section
//! 5.2.

/// The length byte for a length in two more bytes, and for one in eight.
const MEDIUM: u8 = 0x7e;
const LONG: u8 = 0x7f;

/// The opcodes used here.
pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame at the beginning of a buffer.
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    /// The position of the mask, if there is one.
    pub(crate) mask: Option<[u8; 4]>,
    /// The start and end of the payload.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Returns the frame at the beginning of `bytes`, if it is complete.
pub(crate) fn parse(bytes: &[u8]) -> Option<Frame> {
    let [first, second, ..] = *bytes else { return None };
    let (length, mut at) = match second & LONG {
        MEDIUM => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        LONG => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        mask = Some(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
    }
    let end = at.checked_add(length)?;
    (end <= bytes.len()).then_some(Frame { opcode: first & 0x0f, mask, start: at, end })
}

/// Appends an unmasked frame, as a server sends it.
pub(crate) fn push(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    push_head(opcode, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

/// Appends a frame whose mask is zero, which a client may send without masking work.
pub(crate) fn push_masked(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    push_head(opcode, payload.len(), 0x80, out);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Appends the header of a frame with `length` bytes of payload; `masked` is the mask bit.
pub(crate) fn push_head(opcode: u8, length: usize, masked: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(masked | short),
        (_, Ok(medium)) => {
            out.push(masked | MEDIUM);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(masked | LONG);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}
