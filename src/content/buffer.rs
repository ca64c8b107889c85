//! The bytes of a body on their way: appended at the end, read anywhere, and let go at the front when nobody needs them again.

use std::collections::VecDeque;

use bytes::Bytes;

/// Full segments are shared with readers without copying; only what is newer than the last full one is copied. Frames are
/// not kept as they come: a body of one-byte frames would cost forty times its size.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// Where the first kept segment begins.
    base: u64,
    full: VecDeque<Bytes>,
    tail: Vec<u8>,
}

impl Buffer {
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (fits, rest) = bytes.split_at(bytes.len().min(SEGMENT - self.tail.len()));
            self.tail.extend_from_slice(fits);
            if self.tail.len() == SEGMENT {
                self.full.push_back(std::mem::take(&mut self.tail).into());
            }
            bytes = rest;
        }
    }

    /// How many bytes were pushed in all.
    pub(super) fn end(&self) -> u64 {
        self.tail_start() + self.tail.len() as u64
    }

    /// Some of the bytes in `[at, end)`, at least one if there is one; none if `at` was let go or is not there yet.
    pub(super) fn piece(&self, at: u64, end: u64) -> Option<Bytes> {
        let end = end.min(self.end());
        if at >= end {
            return None;
        }
        let start = self.tail_start();
        if at >= start {
            return Some(Bytes::copy_from_slice(
                &self.tail[(at - start) as usize..(end - start) as usize],
            ));
        }
        let offset = at.checked_sub(self.base)?;
        let segment = self.full.get((offset / SEGMENT as u64) as usize)?;
        let from = (offset % SEGMENT as u64) as usize;
        let to = segment.len().min(from + (end - at).min(SEGMENT as u64) as usize);
        Some(segment.slice(from..to))
    }

    /// Lets go of the full segments before `at`; returns how many bytes are kept.
    pub(super) fn forget(&mut self, at: u64) -> u64 {
        while self.base + SEGMENT as u64 <= at && self.full.pop_front().is_some() {
            self.base += SEGMENT as u64;
        }
        self.end() - self.base
    }

    /// All bytes in one piece; the buffer is empty then. Only meaningful if nothing was let go.
    pub(super) fn join(&mut self) -> Bytes {
        let Self { full, tail, .. } = std::mem::take(self);
        if full.is_empty() {
            // A boxed slice has no spare room that would be kept beside it for as long as the object is stored.
            return tail.into_boxed_slice().into();
        }
        let mut whole = Vec::with_capacity(full.len() * SEGMENT + tail.len());
        for segment in full {
            whole.extend_from_slice(&segment);
        }
        whole.extend_from_slice(&tail);
        whole.into()
    }

    fn tail_start(&self) -> u64 {
        self.base + (self.full.len() * SEGMENT) as u64
    }
}

/// What fits a socket's buffer at one go, so that a reader's piece is worth its wake.
const SEGMENT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_are_what_was_pushed(
            frames in prop::collection::vec(0..2 * SEGMENT, 0..8),
            at in 0..8 * SEGMENT as u64,
            length in 0..3 * SEGMENT as u64,
            forgotten in 0..8 * SEGMENT as u64,
        ) {
            let whole = bytes(frames.iter().sum());
            let mut buffer = Buffer::default();
            let mut rest = whole.as_slice();
            for frame in frames {
                let (frame, left) = rest.split_at(frame);
                buffer.push(frame);
                rest = left;
            }
            prop_assert_eq!(buffer.end(), whole.len() as u64);
            let forgotten = forgotten.min(at);
            prop_assert!(buffer.forget(forgotten) <= whole.len() as u64 - forgotten.min(whole.len() as u64) + SEGMENT as u64);
            let (mut position, end) = (at, at + length);
            while let Some(piece) = buffer.piece(position, end) {
                prop_assert!(!piece.is_empty());
                let start = position as usize;
                prop_assert_eq!(&piece[..], &whole[start..start + piece.len()]);
                position += piece.len() as u64;
            }
            prop_assert_eq!(position, end.min(whole.len() as u64).max(at));
            if forgotten == 0 {
                prop_assert_eq!(buffer.join(), whole);
            }
        }
    }

    #[test]
    fn what_was_let_go_is_gone() {
        let mut buffer = Buffer::default();
        buffer.push(&bytes(3 * SEGMENT));
        assert_eq!(buffer.forget(SEGMENT as u64 + 1), 2 * SEGMENT as u64);
        assert_eq!(buffer.piece(0, 1), None);
        assert!(buffer.piece(SEGMENT as u64, u64::MAX).is_some());
    }
}
