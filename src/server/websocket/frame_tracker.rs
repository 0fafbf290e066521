//! Whether what a peer has sent so far ends where a message ends, so that nothing of it is kept
//! anywhere, and whether a message has too many frames. Pure.

use crate::protocol::Limits;

/// Follows the heads of frames (RFC 6455 section 5.2) and skips what they bear.
#[derive(Debug, Default)]
pub(crate) struct FrameTracker {
    /// The head of a frame, as far as it is there.
    partial: [u8; 14],
    length: u8,
    /// What is still to come of the payload.
    left: u64,
    /// Frames of a message that is not complete. At [`Limits::FRAMES`] it stays: one more is too
    /// many, and the last is not among them.
    frames: u8,
}

/// What the head of a frame says.
struct Head {
    /// The bit that ends a message, and the opcode.
    first: u8,
    length: usize,
    payload: u64,
}

impl FrameTracker {
    /// Takes note of what was read.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            let mut taken = 1;
            if self.left > 0 {
                taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= taken as u64;
            } else if self.length == 0
                && let Some(head) = Head::read(bytes)
            {
                // Mostly it is there as a whole.
                taken = head.length;
                self.begin(&head);
            } else {
                self.partial[usize::from(self.length)] = byte;
                self.length += 1;
                if let Some(head) = Head::read(&self.partial[..usize::from(self.length)]) {
                    self.length = 0;
                    self.begin(&head);
                }
            }
            bytes = &bytes[taken..];
        }
    }

    /// Returns whether nothing that was read waits for more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.length == 0 && self.left == 0 && self.frames == 0
    }

    /// Returns whether a message was read that has more than [`Limits::FRAMES`], once it is
    /// certain.
    pub(crate) fn has_too_many_frames(&self) -> bool {
        self.frames == Limits::FRAMES
    }

    fn begin(&mut self, head: &Head) {
        self.left = head.payload;
        // Control frames may come between those of a message.
        if head.first & 0x0f < 8 && !self.has_too_many_frames() {
            let is_last = head.first & 0x80 != 0;
            self.frames = if is_last { 0 } else { self.frames + 1 };
        }
    }
}

impl Head {
    /// Returns the head that `bytes` begin with, once it is there as a whole: that takes at most 14
    /// bytes.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let (payload, end) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
            short => (u64::from(short), 2),
        };
        let length = end + if second & 0x80 == 0 { 0 } else { 4 };
        (bytes.len() >= length).then_some(Self { first, length, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..0x1_0000 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        // A payload that would be taken for heads where it is not skipped.
        frame.extend(std::iter::repeat_n(0x81, length));
        frame
    }

    #[test]
    fn a_message_in_several_frames_ends_with_the_last() {
        let mut boundary = FrameTracker::default();
        let mut rests = |first| {
            boundary.feed(&frame(first, 3));
            boundary.is_at_rest()
        };
        // Text begins, a ping comes between, the text goes on and ends.
        assert_eq!(
            [rests(0x01), rests(0x89), rests(0x00), rests(0x80), rests(0x8a)],
            [false, false, false, true, true]
        );
    }

    #[test]
    fn a_message_has_so_many_frames_and_no_more() {
        for (before_the_last, is_too_many) in [(Limits::FRAMES - 1, false), (Limits::FRAMES, true)] {
            let mut boundary = FrameTracker::default();
            for _ in 0..2 {
                (0..before_the_last).for_each(|number| boundary.feed(&frame(u8::from(number == 0), 0)));
                // Control frames are not of it.
                (0..Limits::FRAMES).for_each(|_| boundary.feed(&frame(0x89, 0)));
                assert_eq!(boundary.has_too_many_frames(), is_too_many);
                boundary.feed(&frame(0x80, 0));
                assert_eq!(boundary.is_at_rest(), !is_too_many, "it is not forgotten");
            }
        }
    }

    proptest! {
        #[test]
        fn it_rests_between_messages_and_nowhere_else(
            lengths in prop::collection::vec(prop_oneof![0..10_usize, 120..130_usize, Just(0xffff), Just(0x1_0000)], 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let frames: Vec<_> = lengths.iter().map(|length| frame(0x81, *length)).collect();
            let ends: Vec<_> = frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) }).collect();
            let stream = frames.concat();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let (mut boundary, mut from) = (FrameTracker::default(), 0);
            for cut in cuts {
                boundary.feed(&stream[from..cut]);
                prop_assert_eq!(boundary.is_at_rest(), cut == 0 || ends.contains(&cut));
                from = cut;
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            FrameTracker::default().feed(&bytes);
        }
    }
}
