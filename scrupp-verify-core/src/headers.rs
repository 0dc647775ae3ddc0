/// The headers of a request, as verification sees them.
///
/// Implemented for slices and arrays of (name, value) pairs; a server with a header type of its
/// own implements it in a few lines. Which headers matter, what their values mean, and that each
/// must come exactly once, is decided in this crate, not by an implementation.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::Headers;
///
/// let head = [("x-scrupp-timestamp", "1735471800"), ("X-Scrupp-Timestamp", "1")];
/// let values: Vec<_> = head.values("x-scrupp-timestamp").collect();
/// assert_eq!(values, [&b"1735471800"[..], b"1"]);
/// assert_eq!(head.values("x-scrupp-signature").count(), 0);
/// ```
pub trait Headers {
    /// Returns each header line as (name, value): the name in any case, the value as it was received,
    /// without the whitespace around it, neither split at commas nor joined with another. Trailers are
    /// not headers.
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// Returns each value of the header `name`, which may be in any case.
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
