//! Buffers of whole frames that leave in one write.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

/// Buffers of whole frames that are written together.
#[derive(Debug, Default)]
pub(crate) struct FrameQueue {
    /// Most often this is all.
    first: Bytes,
    more: VecDeque<Bytes>,
    /// How long the parts are together.
    length: usize,
}

impl FrameQueue {
    /// Adds frames to the end.
    pub(crate) fn push(&mut self, part: Bytes) {
        self.length += part.len();
        if self.first.is_empty() {
            self.first = part;
        } else if !part.is_empty() {
            self.more.push_back(part);
        }
    }

    /// Returns these with `more` behind them.
    pub(crate) fn followed_by(mut self, more: Self) -> Self {
        self.push(more.first);
        more.more.into_iter().for_each(|part| self.push(part));
        self
    }

    /// Returns all of it where that is one buffer: it needs no vectored write, which the kernel
    /// takes longer over.
    pub(crate) fn as_one(&self) -> Option<&[u8]> {
        self.more.is_empty().then_some(&self.first)
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.remaining()
    }
}

impl From<Vec<u8>> for FrameQueue {
    fn from(frames: Vec<u8>) -> Self {
        let mut all = Self::default();
        all.push(frames.into());
        all
    }
}

impl Buf for FrameQueue {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = std::iter::once(&self.first).chain(&self.more);
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.length = self.length.saturating_sub(count);
        while count >= self.first.len() {
            count -= self.first.len();
            let Some(next) = self.more.pop_front() else { return self.first.clear() };
            self.first = next;
        }
        self.first.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_in_their_order_however_much_at_a_time() {
        for step in 1..=7 {
            let mut frames = FrameQueue::from(b"ab".to_vec());
            frames.push(Bytes::new());
            frames.push(b"c".to_vec().into());
            let mut frames = frames.followed_by(FrameQueue::from(b"def".to_vec()));
            let mut taken = Vec::new();
            while frames.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let count = frames.chunks_vectored(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                assert_eq!(all.len(), frames.len());
                let length = step.min(all.len());
                taken.extend_from_slice(&all[..length]);
                frames.advance(length);
            }
            assert_eq!(taken, b"abcdef");
        }
    }

    #[test]
    fn one_buffer_is_given_as_it_is() {
        assert_eq!(FrameQueue::from(b"ab".to_vec()).as_one(), Some(&b"ab"[..]));
        assert_eq!(FrameQueue::from(b"a".to_vec()).followed_by(FrameQueue::from(b"b".to_vec())).as_one(), None);
    }
}
