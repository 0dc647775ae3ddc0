use alloc::vec::Vec;

use bytes::Bytes;

/// Pieces of a body, kept so that the memory they take follows the bytes received.
///
/// The first piece is kept as it is. From the second on they are copied together: a piece may be
/// a small part of a large read buffer, which it would keep alive.
#[derive(Debug)]
pub(super) enum BodyBuffer {
    Piece(Bytes),
    Copied(Vec<u8>),
}

/// The least by which the copy grows, so that pieces of one byte do not each move it.
const GROWTH_BYTES: usize = 1024;

impl BodyBuffer {
    pub(super) const fn new() -> Self {
        Self::Piece(Bytes::new())
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        match self {
            Self::Piece(first) if first.is_empty() => *first = piece,
            Self::Piece(first) => {
                let mut copy = Vec::new();
                append(&mut copy, first);
                append(&mut copy, &piece);
                *self = Self::Copied(copy);
            }
            Self::Copied(copy) => append(copy, &piece),
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Piece(only) => only,
            Self::Copied(copy) => copy.into(),
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
        assert_eq!(buffer.into_bytes().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn joins_pieces_in_order() {
        for piece_bytes in [1, 7, 64, 1000, 5000] {
            let body: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
            let mut buffer = BodyBuffer::new();
            for piece in body.chunks(piece_bytes) {
                buffer.push(Bytes::copy_from_slice(piece));
            }
            assert_eq!(buffer.into_bytes(), body);
        }
    }

    #[test]
    fn takes_a_quarter_more_than_the_bytes_received_at_the_most() {
        let mut buffer = BodyBuffer::new();
        let mut received = 0;
        for _ in 0..50_000 {
            buffer.push(Bytes::from_static(b"0123456789"));
            received += 10;
            if let BodyBuffer::Copied(copy) = &buffer {
                assert!(copy.capacity() <= received + received / 4 + 2 * GROWTH_BYTES);
            }
        }
        assert_eq!(buffer.into_bytes().len(), received);
    }
}
