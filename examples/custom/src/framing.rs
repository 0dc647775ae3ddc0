use scrupp_verify_core::RequestHead;

use crate::Head;

/// Where the body of a request ends (RFC 9112, section 6), and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// So many more bytes.
    Length(u64),
    /// Chunks: the line of a size comes next.
    ChunkSize,
    /// So many more bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// Lines of trailers, up to an empty one. They are not headers, and count for nothing.
    Trailers,
    /// All of it has come.
    End,
}

/// A body whose end cannot be told for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramingError;

/// How long the line of a chunk's size or a trailer may be.
const MAX_LINE_BYTES: usize = 4096;

impl Framing {
    /// The framing that a head declares. What another server might read otherwise is an error:
    /// several lengths, a length and chunks, any coding but `chunked`.
    ///
    /// # Errors
    ///
    /// [`FramingError`] for these, and for a length that is no number.
    pub fn of(head: &Head) -> Result<Self, FramingError> {
        let mut lengths = head.values("content-length");
        let mut codings = head.values("transfer-encoding");
        match (
            lengths.next(),
            lengths.next(),
            codings.next(),
            codings.next(),
        ) {
            (None, None, None, None) => Ok(Self::Length(0)),
            (Some(length), None, None, None) => decimal(length).map(Self::Length),
            (None, None, Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                Ok(Self::ChunkSize)
            }
            _ => Err(FramingError),
        }
    }

    /// The next piece of the body in `received`, and how many bytes of it are done with. Without
    /// progress, `(empty, 0)`, more has to be received first.
    ///
    /// # Errors
    ///
    /// [`FramingError`] for a chunk that is malformed.
    pub fn advance<'r>(&mut self, received: &'r [u8]) -> Result<(&'r [u8], usize), FramingError> {
        match self {
            Self::Length(left) | Self::Chunk(left) => {
                let there = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(received.len());
                let piece = received.get(..there).unwrap_or_default();
                *left -= there as u64;
                match self {
                    Self::Length(0) => *self = Self::End,
                    Self::Chunk(0) => *self = Self::ChunkEnd,
                    _ => {}
                }
                Ok((piece, there))
            }
            Self::ChunkSize => {
                let Some((line, length)) = line(received)? else {
                    return Ok((&[], 0));
                };
                *self = match chunk_size(line)? {
                    0 => Self::Trailers,
                    size => Self::Chunk(size),
                };
                Ok((&[], length))
            }
            Self::ChunkEnd => match received {
                [b'\r', b'\n', ..] => {
                    *self = Self::ChunkSize;
                    Ok((&[], 2))
                }
                [] | [b'\r'] => Ok((&[], 0)),
                _ => Err(FramingError),
            },
            Self::Trailers => {
                let Some((line, length)) = line(received)? else {
                    return Ok((&[], 0));
                };
                if line.is_empty() {
                    *self = Self::End;
                }
                Ok((&[], length))
            }
            Self::End => Ok((&[], 0)),
        }
    }
}

/// A line without its end, and its length with it. A bare line feed ends no line.
fn line(received: &[u8]) -> Result<Option<(&[u8], usize)>, FramingError> {
    match received
        .windows(2)
        .take(MAX_LINE_BYTES)
        .position(|end| end == b"\r\n")
    {
        Some(length) => Ok(received.get(..length).map(|line| (line, length + 2))),
        None if received.len() > MAX_LINE_BYTES => Err(FramingError),
        None => Ok(None),
    }
}

/// The hex digits before any extension.
fn chunk_size(line: &[u8]) -> Result<u64, FramingError> {
    if line.contains(&b'\n') || line.contains(&b'\r') {
        return Err(FramingError);
    }
    let digits = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(FramingError);
    }
    let digits = str::from_utf8(digits).map_err(|_| FramingError)?;
    u64::from_str_radix(digits, 16).map_err(|_| FramingError)
}

fn decimal(digits: &[u8]) -> Result<u64, FramingError> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(FramingError);
    }
    let digits = str::from_utf8(digits).map_err(|_| FramingError)?;
    digits.parse().map_err(|_| FramingError)
}
