use core::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a verified delivery, byte for byte as it was signed.
///
/// The body is complete: it yields its bytes in one chunk, without waiting and without an error.
///
/// # Examples
///
/// A service with this type as its body takes only verified deliveries:
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime, VerifiedBody};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// async fn echo(request: Request<VerifiedBody>) -> Result<Response<Full<Bytes>>, Infallible> {
///     Ok(Response::new(Full::new(request.into_body().into_bytes())))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let service = ScruppVerify::new(secret.clone()).layer(service_fn(echo));
///
/// let now = UnixTime::now().ok_or("the clock returned no time")?;
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// for (body, status) in [("{}", 200), ("[]", 401)] {
///     let request = Request::post("/")
///         .header("X-Scrupp-Timestamp", headers.timestamp())
///         .header("X-Scrupp-Signature", headers.signature())
///         .body(Full::new(Bytes::from(body)))?;
///     assert_eq!(service.clone().oneshot(request).await?.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct VerifiedBody {
    bytes: Bytes,
}

impl VerifiedBody {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// Returns the bytes that have not been yielded yet.
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
