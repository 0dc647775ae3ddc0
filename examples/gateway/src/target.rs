use core::{fmt, net::IpAddr};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
};
use example_support::{errors::with_causes, settings};
use reqwest::{Client, Url, redirect};
use scrupp_verify_tower::dedup::DeliveryId;

/// Receiver of the forwarded deliveries. An automation tool knows its senders by this URL alone, so
/// the URL is in no `Debug`, error or log.
#[derive(Clone)]
pub(crate) struct Target {
    client: Client,
    url: Url,
}

/// In seconds. Scrupp waits for a few seconds, and gets the target's status.
const DEFAULT_TIMEOUT: f64 = 5.0;

/// In seconds. The server waits for its last requests for 20 s.
const MAX_TIMEOUT: f64 = 20.0;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

impl Target {
    /// Reads the target from `FORWARD_TO` and its timeout from `FORWARD_TIMEOUT_SECONDS`.
    ///
    /// # Errors
    ///
    /// If one of them is not valid, or an `https` target has no root certificates to trust.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let url = settings::required("FORWARD_TO")?;
        let url: Url = url.parse().map_err(|why| format!("FORWARD_TO: {why}"))?;
        let bounds = 0.1..=MAX_TIMEOUT;
        let timeout = settings::seconds("FORWARD_TIMEOUT_SECONDS", DEFAULT_TIMEOUT, bounds)?;
        // Fails if there is a provider already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .timeout(timeout);
        let client = match url.scheme() {
            "https" if is_loopback(&url) => client.no_proxy(),
            "https" => client,
            // A target without TLS needs no root certificates, and a system may have none.
            "http" => client.no_proxy().tls_certs_only([]),
            _ => return Err("FORWARD_TO: not an http or https URL".to_owned()),
        };
        let client = client.build();
        let client = client.map_err(|why| format!("FORWARD_TO: {}", with_causes(&why)))?;
        Ok(Self { client, url })
    }

    /// Posts a body unmodified. Returns the target's status, so that Scrupp retries if the target
    /// wants it to. Returns 504 if the target does not respond in time, and 502 if the request fails.
    pub(crate) async fn forward(
        &self,
        delivery_id: DeliveryId,
        content_type: Option<HeaderValue>,
        body: Bytes,
    ) -> StatusCode {
        let mut request = self.client.post(self.url.clone()).body(body);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                if !status.is_success() {
                    let status = status.as_u16();
                    tracing::warn!(%delivery_id, status, "the target did not accept a delivery");
                }
                // 1xx ends no request.
                match status.is_informational() {
                    true => StatusCode::BAD_GATEWAY,
                    false => status,
                }
            }
            Err(error) => {
                let status = match error.is_timeout() {
                    true => StatusCode::GATEWAY_TIMEOUT,
                    false => StatusCode::BAD_GATEWAY,
                };
                let why = with_causes(&error.without_url());
                tracing::warn!(%delivery_id, status = status.as_u16(), "no response: {why}");
                status
            }
        }
    }
}

/// Returns whether the host is this one, which no proxy reaches.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    // The brackets are around an IPv6 address.
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}
