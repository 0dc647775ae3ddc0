use core::{fmt, time::Duration};
use std::{env, error::Error};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
};
use reqwest::{Client, Url, redirect};

/// Where deliveries are forwarded to. Its URL is all that an automation tool knows its senders by,
/// and so is in no `Debug`, error or log.
#[derive(Clone)]
pub(crate) struct Target {
    client: Client,
    url: Url,
}

/// Scrupp waits for a few seconds, and the target's answer is the one that it gets.
const TIMEOUT_SECONDS: f64 = 5.0;

impl Target {
    /// `FORWARD_TO`, and `FORWARD_TIMEOUT_SECONDS`, by default 5.
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        let url = env::var("FORWARD_TO").map_err(|_| "FORWARD_TO is not set")?;
        let url = url.parse().ok().filter(is_http);
        let url = url.ok_or("FORWARD_TO: not an http or https URL")?;
        // Fails where there is one already, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(timeout()?)
            .build()?;
        Ok(Self { client, url })
    }

    /// Posts a body as it is, and tells the status to answer with: that of the target, so that
    /// Scrupp tries again where the target wants it to; 504 where the target is slow, 502 where it
    /// is not there.
    pub(crate) async fn forward(
        &self,
        content_type: Option<HeaderValue>,
        body: Bytes,
    ) -> StatusCode {
        let mut request = self.client.post(self.url.clone()).body(body);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        match request.send().await {
            Ok(response) => response.status(),
            Err(error) if error.is_timeout() => {
                tracing::warn!("the target does not answer in time");
                StatusCode::GATEWAY_TIMEOUT
            }
            Err(error) => {
                tracing::warn!(
                    is_connect = error.is_connect(),
                    "the target does not answer"
                );
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

fn timeout() -> Result<Duration, String> {
    let seconds = match env::var("FORWARD_TIMEOUT_SECONDS") {
        Ok(text) => text.parse().unwrap_or(f64::NAN),
        Err(_) => TIMEOUT_SECONDS,
    };
    let timeout = Duration::try_from_secs_f64(seconds);
    timeout.map_err(|_| "FORWARD_TIMEOUT_SECONDS: not a number of seconds".to_owned())
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}
