use core::time::Duration;

use reqwest::{
    Client,
    header::{ACCEPT, HeaderValue},
    redirect,
};
use scrupp_verify_tower::events::{ApiOrigin, ApiUrl, Status};
use serde_json::{Value, value::RawValue};

use crate::{api_key::ApiKey, fetch_error::FetchError};

/// Scrupp's Task API, at one origin and with one key.
#[derive(Clone, Debug)]
pub(crate) struct TaskApi {
    client: Client,
    origin: ApiOrigin,
    key: ApiKey,
    timeout: Duration,
}

/// So much of an answer is kept in memory at most, by each worker.
const RESPONSE_LIMIT_BYTES: usize = 16 * 1024 * 1024;

impl TaskApi {
    pub(crate) fn new(
        origin: ApiOrigin,
        key: ApiKey,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        // Fails where there is one already, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            .build()?;
        Ok(Self {
            client,
            origin,
            key,
            timeout,
        })
    }

    /// The only place that the key is sent to.
    pub(crate) fn origin(&self) -> &ApiOrigin {
        &self.origin
    }

    /// How long a request may take, with all of its answer.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The result of a task, as JSON.
    pub(crate) async fn result(&self, url: &ApiUrl) -> Result<String, FetchError> {
        let response = self.get(url).await?;
        let json: Box<RawValue> =
            serde_json::from_slice(&response).map_err(|_| FetchError::Unreadable)?;
        Ok(json.get().to_owned())
    }

    /// How a task stands, and what went wrong if it failed.
    pub(crate) async fn status(
        &self,
        process_id: u64,
    ) -> Result<(Status, Option<String>), FetchError> {
        let response = self.get(&self.origin.status_url(process_id)).await?;
        let json: Value = serde_json::from_slice(&response).map_err(|_| FetchError::Unreadable)?;
        let text = |name| json.get(name).and_then(Value::as_str);
        let status = text("status").ok_or(FetchError::Unreadable)?;
        Ok((status.into(), text("error").map(str::to_owned)))
    }

    async fn get(&self, url: &ApiUrl) -> Result<Vec<u8>, FetchError> {
        let request = self.key.get(&self.client, url);
        let json = HeaderValue::from_static("application/json");
        let mut response = request.header(ACCEPT, json).send().await?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status().as_u16()));
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
