//! HTTP client for receivers.

use core::{error::Error as _, iter::successors, net::IpAddr, time::Duration};
use std::time::Instant;

use reqwest::{
    Body, Method, StatusCode, Url,
    header::{HeaderMap, LOCATION},
    redirect,
};
use serde_json::json;

use crate::output::{BAD, Error, Format, GOOD, note, printable};

/// Time limit for a whole request, including the response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest response body that is shown, in bytes.
const SHOWN_BYTES: usize = 64 * 1024;

/// Headers that belong to a connection, or that the client sets itself.
const CONNECTION_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// HTTP client of one receiver, which does not follow redirects.
#[derive(Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    url: Url,
}

/// Response of a receiver.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    millis: u128,
    location: Option<String>,
    body: String,
}

impl Client {
    pub(crate) fn new(url: Url) -> Result<Self, Error> {
        Self::with_timeout(url, TIMEOUT)
    }

    pub(crate) fn with_timeout(url: Url, timeout: Duration) -> Result<Self, Error> {
        // Fails if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .redirect(redirect::Policy::none())
            .timeout(timeout);
        let client = match url.scheme() {
            "https" if is_loopback(&url) => client.no_proxy(),
            "https" => client,
            // HTTP needs no root certificates, and a system may have none.
            "http" => client.no_proxy().tls_certs_only([]),
            _ => return Err(Error::Usage("the URL is neither http nor https".to_owned())),
        };
        let client = client
            .build()
            .map_err(|why| Error::Failed(with_causes(why)))?;
        Ok(Self { client, url })
    }

    /// Sends a request, and reads the response. Fails if the response is incomplete.
    pub(crate) async fn send(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: impl Into<Body>,
    ) -> Result<Response, String> {
        for name in CONNECTION_HEADERS {
            headers.remove(name);
        }
        let started = Instant::now();
        let response = self.begin(method, headers, body).await;
        let mut response = response.map_err(with_causes)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(with_causes)? {
            body.extend_from_slice(&chunk);
            if body.len() > SHOWN_BYTES {
                body.truncate(SHOWN_BYTES);
                break;
            }
        }
        let location = response.headers().get(LOCATION);
        Ok(Response {
            status: response.status(),
            millis: started.elapsed().as_millis(),
            location: location.map(|url| String::from_utf8_lossy(url.as_bytes()).into_owned()),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// Sends a request. Completes as soon as the head of the response has arrived.
    pub(crate) async fn begin(
        &self,
        method: Method,
        headers: HeaderMap,
        body: impl Into<Body>,
    ) -> reqwest::Result<reqwest::Response> {
        let request = self.client.request(method, self.url.clone());
        request.headers(headers).body(body).send().await
    }
}

/// Writes a response to standard output, or the reason for its absence to standard error.
///
/// Returns true if the response is as expected, and `None` without a response.
pub(crate) fn report(
    response: &Result<Response, String>,
    is_expected: impl Fn(StatusCode) -> bool,
    format: Format,
) -> Result<Option<bool>, Error> {
    let response = match response {
        Ok(response) => response,
        Err(why) => {
            note(&format!("no response: {}", printable(why)));
            return Ok(None);
        }
    };
    let as_expected = is_expected(response.status);
    let style = if as_expected { GOOD } else { BAD };
    let mut text = format!(
        "{style}{}{style:#} in {} ms",
        response.status, response.millis
    );
    if let Some(location) = &response.location {
        text.push_str(&format!("\nnot followed: {}", printable(location)));
    }
    if !response.body.is_empty() {
        text.push_str(&format!("\n{}", printable(response.body.trim_end())));
    }
    let json = json!({
        "status": response.status.as_u16(),
        "millis": response.millis as u64,
        "location": response.location,
        "body": response.body,
    });
    format.write(&text, &json)?;
    Ok(Some(as_expected))
}

/// Returns true if all responses are as expected. Fails if one is missing.
pub(crate) fn as_expected(
    responses: impl IntoIterator<Item = Result<Option<bool>, Error>>,
) -> Result<bool, Error> {
    let responses: Vec<_> = responses.into_iter().collect::<Result<_, _>>()?;
    match responses.contains(&None) {
        true => Err(Error::Failed("the receiver did not respond".to_owned())),
        false => Ok(!responses.contains(&Some(false))),
    }
}

/// Formats an error with its causes, without the URL, which may be confidential.
pub(crate) fn with_causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Returns true if the host of a URL is a loopback address, which a proxy on another machine cannot
/// reach.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    // An IPv6 address has brackets.
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}
