use std::fmt::Write;

use scrupp_verify_core::Rejection;

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: String,
}

impl Answer {
    /// A status alone.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self {
            status,
            headers: &[],
            body: String::new(),
        }
    }

    /// 200 and a JSON text.
    #[must_use]
    pub const fn json(body: String) -> Self {
        Self {
            status: 200,
            headers: &[("content-type", "application/json")],
            body,
        }
    }

    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    pub(crate) fn to_http(&self) -> String {
        let Self {
            status,
            headers,
            body,
        } = self;
        let mut http = format!("HTTP/1.1 {status} \r\nconnection: close\r\n");
        for (name, value) in *headers {
            let _ = write!(http, "{name}: {value}\r\n");
        }
        let _ = write!(http, "content-length: {}\r\n\r\n{body}", body.len());
        http
    }
}

impl From<Rejection> for Answer {
    fn from(rejection: Rejection) -> Self {
        Self {
            status: rejection.status(),
            headers: rejection.headers(),
            body: rejection.problem().to_owned(),
        }
    }
}
