use core::fmt;

use crate::{
    AccountId, Candidate, Keyring, Rejection, RejectionKind, UnixTime, Verified,
    mac::{Mac, Tag},
    policy::check_limit,
};

/// A delivery whose body is on its way.
///
/// Made by [`Verifier::begin`](crate::Verifier::begin) from the head, fed with the body in pieces
/// of any size, and then asked for the verdict. Needs no allocation, and owns a copy of the keyring,
/// so that it can be kept wherever a connection's state is kept.
///
/// # Security
///
/// No byte of the body may be acted on before [`finish`](Self::finish) has returned `Ok`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let head = Signer::new(&secret).sign(now, b"hello world");
/// let verifier = Verifier::new(secret);
///
/// let mut delivery = verifier.begin(&head, now)?;
/// delivery.update(b"hello ")?;
/// delivery.update(b"world")?;
/// assert_eq!(delivery.finish()?.time(), now);
///
/// let mut cut_short = verifier.begin(&head, now)?;
/// cut_short.update(b"hello ")?;
/// let rejection = cut_short.finish().unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a delivery is verified only by `finish`"]
pub struct Delivery {
    mac: Mac,
    tag: Tag,
    sent: UnixTime,
    received: UnixTime,
    account: Option<AccountId>,
    body_limit: usize,
    body_bytes: usize,
    refused: Option<RejectionKind>,
}

impl Delivery {
    #[inline]
    pub(crate) fn new(
        head: &Candidate,
        keyring: &Keyring,
        account: Option<AccountId>,
        refused: Option<RejectionKind>,
    ) -> Self {
        Self {
            mac: Mac::new(keyring, &head.signed),
            tag: head.tag,
            sent: head.sent,
            received: head.received,
            account,
            body_limit: head.body_limit,
            body_bytes: 0,
            refused,
        }
    }

    /// Takes in the next piece of the body.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::BodyTooLarge`] as soon as the pieces together are over the limit. The
    /// piece is not hashed then, and the delivery can no longer be verified.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Rejection> {
        self.body_bytes = self.body_bytes.saturating_add(chunk.len());
        check_limit(self.body_bytes, self.body_limit)?;
        self.mac.update(chunk);
        Ok(())
    }

    /// Gives the verdict, once the stream has said that the body is complete.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::SignatureMismatch`] where no secret matches, and what was to be refused
    /// anyway: a body over the limit, an account that does not exist.
    pub fn finish(mut self) -> Result<Verified, Rejection> {
        self.verdict()
    }

    /// The end of [`finish`](Self::finish), for where a delivery need not be moved.
    pub(crate) fn verdict(&mut self) -> Result<Verified, Rejection> {
        check_limit(self.body_bytes, self.body_limit)?;
        let matched = self.mac.verify(&self.tag);
        if let Some(reason) = self.refused {
            return Err(reason.into());
        }
        Ok(Verified {
            sent: self.sent,
            received: self.received,
            secret_index: matched.ok_or(RejectionKind::SignatureMismatch)?,
            account: self.account,
        })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("sent", &self.sent)
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}
