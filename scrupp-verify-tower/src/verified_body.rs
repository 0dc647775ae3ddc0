use core::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body that was verified, byte for byte as it was on the wire.
///
/// It is there as a whole: the one frame that it yields comes at once, and without an error.
///
/// # Examples
///
/// A service that takes nothing but verified bodies says so by its type:
///
/// ```
/// use http::{Request, Response};
/// use scrupp_verify_tower::VerifiedBody;
///
/// async fn handle(request: Request<VerifiedBody>) -> Response<String> {
///     Response::new(format!("{} bytes", request.into_body().into_bytes().len()))
/// }
/// ```
#[derive(Debug)]
pub struct VerifiedBody {
    bytes: Bytes,
}

impl VerifiedBody {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The bytes, as far as they were not yielded as a frame already.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Body for VerifiedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
