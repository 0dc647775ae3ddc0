/// The headers of a request.
///
/// Implemented for arrays and slices of (name, value) pairs. To verify requests from an HTTP
/// library, implement this trait for its header type.
///
/// # Security
///
/// Do not select, split or join header lines in an implementation. Verification rejects repeated
/// headers, so it must see all of them.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Headers, RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// struct HeaderList(Vec<(String, Vec<u8>)>);
///
/// impl Headers for HeaderList {
///     fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
///         self.0.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let signed = Signer::new(&secret).sign(now, b"{}");
/// let verifier = Verifier::new(secret);
///
/// let pairs = signed.pairs().map(|(name, value)| (name.to_owned(), value.into()));
/// let mut headers = HeaderList(pairs.into());
/// assert!(verifier.verify(&headers, b"{}", now).is_ok());
///
/// headers.0.push(("X-Scrupp-Timestamp".to_owned(), b"1735471800".to_vec()));
/// let rejection = verifier.verify(&headers, b"{}", now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::RepeatedTimestamp);
/// # Ok(())
/// # }
/// ```
pub trait Headers {
    /// Returns the header lines as (name, value) pairs.
    ///
    /// - The name can be in any case.
    /// - The value is as received, without leading and trailing whitespace.
    /// - Trailers are not included.
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// Returns the values of a header. The name can be in any case.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::Headers;
    ///
    /// let headers = [("x-scrupp-timestamp", "1735471800"), ("X-Scrupp-Timestamp", "1")];
    /// let values: Vec<_> = headers.values("x-scrupp-timestamp").collect();
    /// assert_eq!(values, [&b"1735471800"[..], b"1"]);
    /// assert_eq!(headers.values("x-scrupp-signature").count(), 0);
    /// ```
    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.headers()
            .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const LEN: usize> Headers for [(N, V); LEN] {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.as_slice().headers()
    }
}
