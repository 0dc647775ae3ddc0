use core::fmt;

use sha2::{Digest, Sha256};

use crate::{VerifiedDelivery, events::Event};

/// The identity of a delivery, which all attempts at it share.
///
/// Made of verified bytes only: the account, the event's name, the process id and the status; or
/// the account and the whole body, if the body is not an event with these. A process id counts the
/// same as a number and as a string. Neither the signature nor the timestamp enters: a retry may be
/// signed anew.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier, dedup::DeliveryId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let signer = Signer::new(&secret);
/// let verifier = Verifier::new(secret);
/// let id_at = |secs, body: &str| {
///     let now = UnixTime::from_secs(secs);
///     let delivery = verifier.verify(&signer.sign(now, body.as_bytes()), body, now)?;
///     Ok::<_, scrupp_verify_core::Rejection>(DeliveryId::new(&delivery))
/// };
///
/// let completed = r#"{"event":"task.completed","process_id":1,"status":"completed"}"#;
/// let failed = r#"{"event":"task.completed","process_id":1,"status":"failed"}"#;
/// assert_eq!(id_at(1_735_471_800, completed)?, id_at(1_735_471_860, completed)?);
/// assert_ne!(id_at(1_735_471_800, completed)?, id_at(1_735_471_800, failed)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId([u8; 16]);

impl DeliveryId {
    /// Returns the id of a verified delivery.
    #[must_use]
    pub fn new<B: AsRef<[u8]>>(delivery: &VerifiedDelivery<B>) -> Self {
        let body = delivery.body().as_ref();
        let account = delivery
            .verified()
            .account()
            .map(|account| *account.as_bytes());
        let account = account.as_ref().map_or(&[][..], |account| account);
        match Event::parse(delivery) {
            Ok(Event::TaskCompleted(task)) => Self::of(&[
                account,
                b"task.completed",
                &task.process_id.to_be_bytes(),
                task.status.as_str().as_bytes(),
            ]),
            _ => Self::of(&[account, body]),
        }
    }

    /// Creates an id from parts that are kept apart: `["ab", "c"]` and `["a", "bc"]` are two ids.
    ///
    /// # Security
    ///
    /// Use verified parts only. If accounts are looked up, the account must be one of the parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Returns the 16 bytes: the first half of a SHA-256.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 hex digits.
impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}
