use core::fmt;

use sha2::{Digest, Sha256};

use crate::{VerifiedDelivery, events::Event};

/// An id that is the same for all attempts at a delivery.
///
/// The id is a hash of the account, the name of the event, the process id and the status. If the
/// body is not a valid `task.completed` event, the id is a hash of the account and the whole body.
///
/// The signature and the timestamp are not part of the id, because Scrupp may sign a retry again. A
/// process id gives the same id whether it is a number or a string.
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
///     let headers = signer.sign(now, body.as_bytes());
///     verifier.verify(&headers, body, now).map(|delivery| DeliveryId::new(&delivery))
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

    /// Creates an id from several parts, which are hashed with their lengths.
    ///
    /// # Security
    ///
    /// Pass only verified data. With an account lookup, pass the account as one of the parts.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::dedup::DeliveryId;
    ///
    /// let id = DeliveryId::of(&[b"ab", b"c"]);
    /// assert_eq!(id, DeliveryId::of(&[b"ab", b"c"]));
    /// assert_ne!(id, DeliveryId::of(&[b"a", b"bc"]));
    /// ```
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

    /// Returns the 16 bytes of the id, which are the first half of a SHA-256.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Writes 32 hex digits.
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
