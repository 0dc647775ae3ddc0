use crate::{Delivery, Headers, Keyring, Policy, Rejection, Tolerance, UnixTime, VerifiedDelivery};

/// A keyring and a policy, which together verify deliveries.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::new(Secret::new("topsecret")?);
/// let head = [
///     ("X-Scrupp-Timestamp", "1735471800"),
///     (
///         "X-Scrupp-Signature",
///         "sha256=b928f18f6ff69d1e2625f45e018cf4a890e64726c1bf849d9ea07484f3faf777",
///     ),
/// ];
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
/// let now = UnixTime::from_secs(1_735_471_805);
///
/// assert!(verifier.verify(&head, body, now).is_ok());
///
/// let tampered = br#"{"event":"task.completed","process_id":6667,"status":"completed"}"#;
/// let rejection = verifier.verify(&head, tampered, now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    keyring: Keyring,
    policy: Policy,
}

impl Verifier {
    /// Creates a verifier with the default policy: 300 s into the past, 60 s into the future, 256 KiB.
    #[must_use]
    pub fn new(keyring: impl Into<Keyring>) -> Self {
        Self {
            keyring: keyring.into(),
            policy: Policy::default(),
        }
    }

    /// Sets the tolerance, by default 300 s into the past and 60 s into the future.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.policy = self.policy.tolerance(tolerance);
        self
    }

    /// Sets the largest body that is accepted, by default 262,144 bytes (256 KiB).
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.policy = self.policy.body_limit(bytes);
        self
    }

    /// Verifies a complete delivery.
    ///
    /// # Errors
    ///
    /// Those of [`Policy::check_head`] and [`UnverifiedHead::verify`](crate::UnverifiedHead::verify).
    pub fn verify<H, B>(
        &self,
        head: &H,
        body: B,
        now: UnixTime,
    ) -> Result<VerifiedDelivery<B>, Rejection>
    where
        H: Headers + ?Sized,
        B: AsRef<[u8]>,
    {
        self.policy
            .check_head(head, now)?
            .verify(&self.keyring, body)
    }

    /// Checks the headers, and begins to verify a body that is received in chunks.
    ///
    /// # Errors
    ///
    /// Those of [`Policy::check_head`].
    pub fn begin<H>(&self, head: &H, now: UnixTime) -> Result<Delivery, Rejection>
    where
        H: Headers + ?Sized,
    {
        Ok(self.policy.check_head(head, now)?.begin(&self.keyring))
    }
}
