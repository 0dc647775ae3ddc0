/// The headers of a request, as verification sees them.
///
/// Implemented for slices and arrays of (name, value) pairs; a server with a header type of its
/// own implements it in a few lines. What the values mean, and that each header must come exactly
/// once, is decided in this crate, not by an implementation.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::RequestHead;
///
/// let head = [("x-scrupp-timestamp", "1735471800"), ("X-Scrupp-Timestamp", "1")];
/// let values: Vec<_> = head.values("x-scrupp-timestamp").collect();
/// assert_eq!(values, [&b"1735471800"[..], b"1"]);
/// assert_eq!(head.values("x-scrupp-signature").count(), 0);
/// ```
pub trait RequestHead {
    /// Each value of the header `name`, as it came and without the white space around it, where a
    /// value is what stands in one header line: neither split at commas nor joined.
    ///
    /// `name` is in lower case; names in the request match it in any case. Trailers are not
    /// headers.
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]>;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> RequestHead for [(N, V)] {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(|(candidate, _)| candidate.as_ref().eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.as_ref())
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const LEN: usize> RequestHead for [(N, V); LEN] {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().values(name)
    }
}
