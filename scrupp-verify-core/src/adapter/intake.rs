use alloc::sync::Arc;

use bytes::{Buf, Bytes};

use super::{body_buffer::BodyBuffer, budget::Share, log};
use crate::{Delivery, Keyring, Rejection, Verified};

/// A delivery whose body is on its way, and what has come of it.
#[derive(Debug)]
pub(super) struct Intake {
    delivery: Delivery<Arc<Keyring>>,
    body: BodyBuffer,
    pub(super) share: Share,
}

impl Intake {
    pub(super) fn new(delivery: Delivery<Arc<Keyring>>, share: Share) -> Self {
        Self {
            delivery,
            body: BodyBuffer::new(),
            share,
        }
    }

    /// Takes in the next piece of the body, which may be in several pieces itself.
    /// The piece that goes over the limit is not kept.
    pub(super) fn push(&mut self, mut piece: impl Buf) -> Result<(), Rejection> {
        while piece.has_remaining() {
            let contiguous = piece.copy_to_bytes(piece.chunk().len());
            self.delivery.update(&contiguous)?;
            self.share.add(contiguous.len());
            self.body.push(contiguous);
        }
        Ok(())
    }

    /// Gives the verdict, once the stream has said that the body is complete, and the body that
    /// was verified: not a copy, if it came in one piece.
    pub(super) fn finish(&mut self) -> Result<(Verified, Bytes), Rejection> {
        let verified = self.delivery.verdict()?;
        log::verified(&verified);
        Ok((verified, self.body.take()))
    }
}
