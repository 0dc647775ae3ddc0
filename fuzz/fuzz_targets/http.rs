//! The example without a framework reads the same from a connection however that is cut up.
//!
//! The input is eight sizes of pieces that are gone through in turn, and what the client sends.
#![no_main]

use core::iter;

use example_custom::{Framing, FramingError, Head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((sizes, sent)) = input.split_first_chunk::<8>() else {
        return;
    };
    let Ok(Some((head, length))) = Head::parse(sent) else {
        return;
    };
    assert!(length <= sent.len() && sent[..length].ends_with(b"\n"));
    let last = sent[..length].len() - 1;
    assert!(
        matches!(Head::parse(&sent[..last]), Ok(None)),
        "is whole before its end"
    );

    let Ok(framing) = Framing::of(&head) else {
        return;
    };
    let rest = &sent[length..];
    let at_once = read(framing.clone(), [rest]);
    let sizes = sizes.iter().map(|size| usize::from(*size).max(1)).cycle();
    let mut left = rest;
    let pieces = sizes.map_while(|size| {
        let (piece, behind) = left.split_at(left.len().min(size));
        left = behind;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(read(framing, pieces), at_once);
});

/// The body, how many bytes it took on the wire, and what comes next; or that it is malformed.
fn read<'p>(
    mut framing: Framing,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<(Vec<u8>, usize, Framing), FramingError> {
    let (mut received, mut body, mut taken) = (Vec::new(), Vec::new(), 0);
    // What comes without a body is at its end before anything more comes.
    for piece in iter::once(&[][..]).chain(pieces) {
        received.extend_from_slice(piece);
        loop {
            let before = framing.clone();
            let (part, length) = framing.advance(&received)?;
            assert!(part.len() <= length && length <= received.len());
            body.extend_from_slice(part);
            taken += length;
            received.drain(..length);
            if length == 0 && framing == before {
                break;
            }
        }
    }
    Ok((body, taken, framing))
}
