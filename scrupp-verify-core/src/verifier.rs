use crate::{Delivery, Headers, Keyring, Policy, Rejection, Tolerance, UnixTime, VerifiedDelivery};

/// Verifies deliveries with a keyring and a policy.
///
/// If secrets are looked up for each request, use a [`Policy`] instead.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::new(Secret::new("topsecret")?);
/// let headers = [
///     ("X-Scrupp-Timestamp", "1735471800"),
///     (
///         "X-Scrupp-Signature",
///         "sha256=b928f18f6ff69d1e2625f45e018cf4a890e64726c1bf849d9ea07484f3faf777",
///     ),
/// ];
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
/// let now = UnixTime::from_secs(1_735_471_805);
/// assert!(verifier.verify(&headers, body, now).is_ok());
///
/// let much_later = UnixTime::from_secs(1_735_558_200);
/// let rejection = verifier.verify(&headers, body, much_later).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::TooOld);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    keyring: Keyring,
    policy: Policy,
}

impl Verifier {
    /// Creates a verifier with the default [`Policy`].
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{Secret, Verifier};
    ///
    /// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
    /// let verifier = Verifier::new(Secret::new("topsecret")?);
    /// let in_rotation = Verifier::new([Secret::new("new secret")?, Secret::new("old secret")?]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(keyring: impl Into<Keyring>) -> Self {
        Self {
            keyring: keyring.into(),
            policy: Policy::default(),
        }
    }

    /// Sets the accepted difference between the timestamp and the clock of the receiver.
    ///
    /// The default is 300 s into the past and 60 s into the future. See [`Tolerance`] for the
    /// reasons.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use scrupp_verify_core::{RejectionKind, Secret, Signer, Tolerance, UnixTime, Verifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = Secret::new("topsecret")?;
    /// let sent = UnixTime::from_secs(1_735_471_800);
    /// let headers = Signer::new(&secret).sign(sent, b"{}");
    ///
    /// let tolerance = Tolerance::new(Duration::from_secs(30), Duration::from_secs(5));
    /// let verifier = Verifier::new(secret).tolerance(tolerance);
    /// assert!(verifier.verify(&headers, b"{}", sent).is_ok());
    ///
    /// let later = UnixTime::from_secs(1_735_471_831);
    /// let rejection = verifier.verify(&headers, b"{}", later).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::TooOld);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.policy = self.policy.tolerance(tolerance);
        self
    }

    /// Sets the maximum length of a body in bytes.
    ///
    /// The default is 262,144 bytes (256 KiB). See [`Policy::body_limit`] for the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = Secret::new("topsecret")?;
    /// let signer = Signer::new(&secret);
    /// let now = UnixTime::from_secs(1_735_471_800);
    /// let verifier = Verifier::new(secret).body_limit(4096);
    ///
    /// let body = [b' '; 4096];
    /// assert!(verifier.verify(&signer.sign(now, &body), body, now).is_ok());
    ///
    /// let body = [b' '; 4097];
    /// let rejection = verifier.verify(&signer.sign(now, &body), body, now).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::BodyTooLarge);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.policy = self.policy.body_limit(bytes);
        self
    }

    /// Verifies a delivery with a complete body.
    ///
    /// # Errors
    ///
    /// The same errors as [`Policy::check_head`] and
    /// [`UnverifiedHead::verify`](crate::UnverifiedHead::verify).
    pub fn verify<H, B>(
        &self,
        headers: &H,
        body: B,
        now: UnixTime,
    ) -> Result<VerifiedDelivery<B>, Rejection>
    where
        H: Headers + ?Sized,
        B: AsRef<[u8]>,
    {
        self.policy
            .check_head(headers, now)?
            .verify(&self.keyring, body)
    }

    /// Checks the headers of a delivery, and begins the verification of a body that is received in
    /// chunks.
    ///
    /// See [`Delivery`] for an example.
    ///
    /// # Errors
    ///
    /// The same errors as [`Policy::check_head`].
    pub fn begin<H>(&self, headers: &H, now: UnixTime) -> Result<Delivery, Rejection>
    where
        H: Headers + ?Sized,
    {
        Ok(self.policy.check_head(headers, now)?.begin(&self.keyring))
    }
}
