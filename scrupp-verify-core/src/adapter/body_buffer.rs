use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

/// Pieces of a body, kept so that the memory they take follows the bytes received.
///
/// A piece that is the only one is kept where it lies, and so are large ones, until the body is
/// complete. Small ones are copied together: each may be a small part of a large read buffer,
/// which it would keep alive.
#[derive(Debug)]
pub(super) struct BodyBuffer {
    only: Bytes,
    kept: Vec<Bytes>,
    copied: Vec<u8>,
}

/// From this length on a piece is large.
const LARGE_BYTES: usize = 4096;

/// The least by which the copy grows, so that pieces of one byte do not each move it.
const GROWTH_BYTES: usize = 1024;

impl BodyBuffer {
    pub(super) const fn new() -> Self {
        Self {
            only: Bytes::new(),
            kept: Vec::new(),
            copied: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if self.kept.is_empty() && self.copied.is_empty() {
            if self.only.is_empty() {
                self.only = piece;
                return;
            }
            let first = mem::take(&mut self.only);
            self.keep(first);
        }
        self.keep(piece);
    }

    fn keep(&mut self, piece: Bytes) {
        if piece.len() < LARGE_BYTES {
            append(&mut self.copied, &piece);
        } else {
            self.end_copy();
            self.kept.push(piece);
        }
    }

    fn end_copy(&mut self) {
        if !self.copied.is_empty() {
            self.kept.push(mem::take(&mut self.copied).into());
        }
    }

    /// All that was pushed, in one piece.
    pub(super) fn take(&mut self) -> Bytes {
        if !self.only.is_empty() {
            return mem::take(&mut self.only);
        }
        self.end_copy();
        match mem::take(&mut self.kept).as_mut_slice() {
            [] => Bytes::new(),
            [only] => mem::take(only),
            pieces => pieces.concat().into(),
        }
    }
}

/// Appends with a quarter to spare at the most, where a `Vec` by itself would double.
fn append(copy: &mut Vec<u8>, piece: &[u8]) {
    if copy.capacity().saturating_sub(copy.len()) < piece.len() {
        let spare = (copy.len() / 4).max(GROWTH_BYTES);
        copy.reserve_exact(piece.len().max(spare));
    }
    copy.extend_from_slice(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_on_a_single_piece_where_it_lies() {
        let piece = Bytes::from(alloc::vec![7; 100]);
        let mut buffer = BodyBuffer::new();
        buffer.push(Bytes::new());
        buffer.push(piece.clone());
        assert_eq!(buffer.take().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn keeps_large_pieces_where_they_lie_until_they_are_joined() {
        let pieces = [5000, 10, 20, LARGE_BYTES].map(|bytes| Bytes::from(alloc::vec![7; bytes]));
        let mut buffer = BodyBuffer::new();
        for piece in &pieces {
            buffer.push(piece.clone());
        }
        let lengths: Vec<_> = buffer.kept.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [5000, 30, LARGE_BYTES]);
        assert_eq!(buffer.kept[0].as_ptr(), pieces[0].as_ptr());
        assert_eq!(buffer.kept[2].as_ptr(), pieces[3].as_ptr());
        assert_eq!(buffer.take(), pieces.concat());
    }

    #[test]
    fn copies_small_pieces_once() {
        let mut buffer = BodyBuffer::new();
        for _ in 0..10 {
            buffer.push(Bytes::from_static(b"0123456789"));
        }
        let copy = buffer.copied.as_ptr();
        assert_eq!(buffer.take().as_ptr(), copy);
    }

    #[test]
    fn joins_pieces_in_order() {
        for piece_bytes in [1, 7, 64, 1000, 5000] {
            let body: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
            let mut buffer = BodyBuffer::new();
            for piece in body.chunks(piece_bytes) {
                buffer.push(Bytes::copy_from_slice(piece));
            }
            assert_eq!(buffer.take(), body);
        }
    }

    #[test]
    fn takes_a_quarter_more_than_the_bytes_received_at_the_most() {
        let mut buffer = BodyBuffer::new();
        let (mut received, mut capacity, mut moves) = (0, 0, 0);
        for _ in 0..50_000 {
            buffer.push(Bytes::from_static(b"0123456789"));
            received += 10;
            moves += usize::from(buffer.copied.capacity() != capacity);
            capacity = buffer.copied.capacity();
            assert!(buffer.copied.capacity() <= received + received / 4 + 2 * GROWTH_BYTES);
        }
        assert_eq!(buffer.take().len(), received);
        assert!(moves < 50, "{moves} times moved");
    }
}
