use scrupp_verify_core::RequestHead;

/// How long the head of a request may be.
const MAX_HEAD_BYTES: usize = 32 * 1024;

const MAX_HEADERS: usize = 100;

/// The head of a request.
#[derive(Debug)]
pub struct Head {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
}

/// A head that is not one of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadError;

impl Head {
    /// Reads the head at the start of `received`, and says how long it is; `None` while it is not
    /// whole.
    ///
    /// # Errors
    ///
    /// [`HeadError`] for what is no head, and for one that is too long.
    pub fn parse(received: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(received) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
            Ok(httparse::Status::Partial) if received.len() < MAX_HEAD_BYTES => return Ok(None),
            _ => return Err(HeadError),
        };
        let (Some(method), Some(path)) = (request.method, request.path) else {
            return Err(HeadError);
        };
        let headers = request.headers.iter();
        let head = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers
                .map(|h| (h.name.to_owned(), h.value.trim_ascii().to_vec()))
                .collect(),
        };
        Ok(Some((head, length)))
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn waits_to_be_asked(&self) -> bool {
        self.values("expect")
            .any(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }
}

impl RequestHead for Head {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.as_slice().headers()
    }
}
