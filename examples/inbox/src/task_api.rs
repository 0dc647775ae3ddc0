use core::{net::IpAddr, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, HeaderValue, RETRY_AFTER},
    redirect,
};
use scrupp_verify_tower::events::{ApiOrigin, ApiUrl, Status};
use serde_json::{Value, value::RawValue};

use crate::{api_key::ApiKey, fetch_error::FetchError};

/// A client of Scrupp's Task API, with one origin and one key.
#[derive(Clone, Debug)]
pub(crate) struct TaskApi {
    client: Client,
    origin: ApiOrigin,
    key: ApiKey,
    timeout: Duration,
}

/// Maximum size of a response, which each worker holds in memory.
const RESPONSE_LIMIT_BYTES: usize = 16 * 1024 * 1024;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

impl TaskApi {
    /// Creates a client. Requests to loopback addresses use no proxy, because a proxy could read the key.
    pub(crate) fn new(
        origin: ApiOrigin,
        key: ApiKey,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        // An error means that the process already has a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .timeout(timeout);
        let is_plain = origin.as_str().starts_with("http://");
        if is_plain {
            // Plain HTTP must also work on a system without certificates.
            client = client.tls_certs_only([]);
        }
        if is_plain || is_loopback(&origin) {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build()?,
            origin,
            key,
            timeout,
        })
    }

    /// Returns the origin. The key is sent to no other origin.
    pub(crate) fn origin(&self) -> &ApiOrigin {
        &self.origin
    }

    /// Returns the time limit of a request, which includes the body of the response.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Fetches the result of a task, as JSON.
    pub(crate) async fn result(&self, url: &ApiUrl) -> Result<String, FetchError> {
        let response = self.get(url).await?;
        let json: Box<RawValue> =
            serde_json::from_slice(&response).map_err(|_| FetchError::Unexpected)?;
        Ok(json.get().to_owned())
    }

    /// Fetches the status of a task, and its error if the task failed. An error that is not text is
    /// returned as JSON.
    pub(crate) async fn status(
        &self,
        process_id: u64,
    ) -> Result<(Status, Option<String>), FetchError> {
        let response = self.get(&self.origin.status_url(process_id)).await?;
        let json: Value = serde_json::from_slice(&response).map_err(|_| FetchError::Unexpected)?;
        let status = json.get("status").and_then(Value::as_str);
        let status = status.ok_or(FetchError::Unexpected)?;
        let error = match json.get("error") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(json) => Some(json.to_string()),
        };
        Ok((status.into(), error))
    }

    async fn get(&self, url: &ApiUrl) -> Result<Vec<u8>, FetchError> {
        let request = self.key.get(&self.client, url);
        let json = HeaderValue::from_static("application/json");
        let mut response = request.header(ACCEPT, json).send().await?;
        // Another 2xx, such as a 202, has no result.
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status {
                status: response.status().as_u16(),
                retry_after: retry_after(&response),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len().saturating_add(chunk.len()) > RESPONSE_LIMIT_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Reads the `Retry-After` of a 429 or 503 in seconds (RFC 9110, section 10.2.3). Ignores dates.
fn retry_after(response: &Response) -> Option<Duration> {
    let asks = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let secs = value.parse().ok().map(Duration::from_secs);
    secs.filter(|_| asks.contains(&response.status()))
}

fn is_loopback(origin: &ApiOrigin) -> bool {
    let url = Url::parse(origin.as_str()).ok();
    let Some(host) = url.as_ref().and_then(Url::host_str) else {
        return false;
    };
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_loopback_origins() {
        for (origin, expected) in [
            ("https://api.scrupp.com", false),
            ("https://localhost.example.com", false),
            ("https://192.0.2.1", false),
            ("https://[2001:db8::1]", false),
            ("http://localhost", true),
            ("https://localhost:8443", true),
            ("https://127.0.0.2", true),
            ("http://[::1]:8080", true),
        ] {
            let origin = ApiOrigin::new(origin).unwrap();
            assert_eq!(is_loopback(&origin), expected, "{origin}");
        }
    }
}
