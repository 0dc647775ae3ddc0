use alloc::boxed::Box;
use core::mem;

use bytes::{Buf, Bytes};

use super::{
    body_buffer::BodyBuffer,
    budget::{Budget, Share},
    log,
};
use crate::{
    Account, Candidate, Delivery, Keyring, Rejection, RejectionKind, Verified, policy::check_limit,
};

/// A delivery whose body is on its way, and what has come of it.
#[derive(Debug)]
pub(super) struct Intake {
    candidate: Candidate,
    whose: Whose,
    /// The only piece that has come, kept where it lies: most bodies have no other, so that nothing
    /// else has to be kept of them.
    whole: Bytes,
    pieces: Option<Box<Pieces>>,
}

/// Whose secrets a delivery is verified with.
#[derive(Debug)]
pub(super) enum Whose {
    /// The gate's own.
    Own,
    /// Those of the account that was looked up, if there is such an account.
    Found(Box<Option<Account>>),
}

/// A body that is hashed as it comes.
#[derive(Debug)]
struct Pieces {
    delivery: Delivery,
    body: BodyBuffer,
    bytes: usize,
    share: Share,
}

/// What a gate verifies with, and where what is held of a body counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means<'g> {
    /// None where the secrets are looked up.
    pub(super) keyring: Option<&'g Keyring>,
    pub(super) budget: &'g Budget,
}

impl Intake {
    pub(super) const fn new(candidate: Candidate, whose: Whose) -> Self {
        Self {
            candidate,
            whose,
            whole: Bytes::new(),
            pieces: None,
        }
    }

    /// How many bytes are counted in the budget.
    pub(super) fn held_bytes(&self) -> usize {
        let pieces = self.pieces.as_ref();
        pieces.map_or(0, |pieces| pieces.share.bytes())
    }

    /// Takes in the next piece of the body, which may be in several parts itself.
    /// The piece that goes over the limit is not kept.
    pub(super) fn push(&mut self, means: Means<'_>, mut piece: impl Buf) -> Result<(), Rejection> {
        if self.pieces.is_none() && self.whole.is_empty() {
            let part = next_part(&mut piece);
            check_limit(part.len(), self.candidate.body_limit)?;
            self.whole = part;
        }
        while piece.has_remaining() {
            let part = next_part(&mut piece);
            self.pieces(means)?.push(part)?;
        }
        Ok(())
    }

    /// Hashes what has come and counts it in the budget, before more is waited for.
    pub(super) fn hold(&mut self, means: Means<'_>) -> Result<(), Rejection> {
        if self.pieces.is_some() || !self.whole.is_empty() {
            let pieces = self.pieces(means)?;
            pieces.share.hold(pieces.bytes);
        }
        Ok(())
    }

    /// Gives the verdict, once the stream has said that the body is complete, and the body that
    /// was verified: not a copy, if it came in one piece.
    pub(super) fn finish(&mut self, means: Means<'_>) -> Result<(Verified, Bytes), Rejection> {
        let (verified, body) = match &mut self.pieces {
            None => {
                let mut delivery = self.begin(means)?;
                delivery.update(&self.whole)?;
                (delivery.verdict()?, mem::take(&mut self.whole))
            }
            Some(pieces) => (pieces.delivery.verdict()?, pieces.body.take()),
        };
        log::verified(&verified);
        Ok((verified, body))
    }

    fn pieces(&mut self, means: Means<'_>) -> Result<&mut Pieces, Rejection> {
        let pieces = match self.pieces.take() {
            Some(pieces) => pieces,
            None => {
                let mut pieces = Box::new(Pieces {
                    delivery: self.begin(means)?,
                    body: BodyBuffer::new(),
                    bytes: 0,
                    share: Share::of(means.budget),
                });
                pieces.push(mem::take(&mut self.whole))?;
                pieces
            }
        };
        Ok(self.pieces.insert(pieces))
    }

    fn begin(&self, means: Means<'_>) -> Result<Delivery, Rejection> {
        let candidate = &self.candidate;
        match &self.whose {
            Whose::Own => {
                let keyring = means.keyring.ok_or(RejectionKind::SecretsUnavailable)?;
                Ok(candidate.begin(keyring))
            }
            Whose::Found(account) => Ok(candidate.begin_for(account.as_ref().as_ref())),
        }
    }
}

impl Pieces {
    fn push(&mut self, part: Bytes) -> Result<(), Rejection> {
        self.delivery.update(&part)?;
        self.bytes = self.bytes.saturating_add(part.len());
        self.body.push(part);
        Ok(())
    }
}

/// The first of the parts that a piece is in, not copied where it need not be.
fn next_part(piece: &mut impl Buf) -> Bytes {
    piece.copy_to_bytes(piece.chunk().len())
}
