use http::{HeaderMap, HeaderValue};
use scrupp_verify_core::RequestHead;

/// The headers of an HTTP request, as verification sees them.
pub(crate) struct Head<'h>(pub(crate) &'h HeaderMap);

impl RequestHead for Head<'_> {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}
