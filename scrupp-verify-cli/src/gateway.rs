use core::{net::SocketAddr, time::Duration};
use std::{ffi::OsString, io};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    routing::{get, post},
};
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use reqwest::Method;
use scrupp_verify_metrics::{BUCKETS, MetricsObserver};
use scrupp_verify_tower::{ScruppVerify, VerifiedDelivery};
use serde_json::json;
use tracing::{Instrument, Span, field::Empty, info_span};

use crate::{
    client::{Client, with_causes},
    output::{Error, Format},
    secrets::{self, Secrets},
    server, store,
};

/// Maximum number of concurrent connections. Each may hold a read buffer, and 16 KiB of a body outside the
/// budget.
const CONNECTIONS: usize = 8192;

/// Lease of a claim.
const LEASE: Duration = Duration::from_secs(60);

/// Shortest time limit for the tool's response.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Forwards genuine deliveries to a tool that cannot verify them, such as Make, Zapier, n8n or Clay.
///
/// Receives deliveries at POST /webhooks/scrupp, and responds with the status of the tool. Scrupp retries
/// until the tool accepts the delivery. GET /healthz is for health checks.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify gateway --forward-to-env FORWARD_TO
  scrupp-verify gateway --forward-to-env FORWARD_TO --bind 0.0.0.0:3000 --metrics-bind 127.0.0.1:9464
  scrupp-verify gateway --forward-to-env FORWARD_TO --store-env STORE_URL")]
pub(crate) struct Args {
    /// Environment variable with the URL of the tool, which is a secret
    #[arg(long, value_name = "NAME")]
    forward_to_env: OsString,
    /// Store of acknowledged deliveries: sqlite:FILE, memory:, or a PostgreSQL or Redis URL without
    /// credentials
    #[arg(
        long,
        value_name = "URL",
        default_value = "sqlite:scrupp-verify-gateway.db",
        conflicts_with = "store_env"
    )]
    store: String,
    /// Environment variable with the URL of the store. The URL may contain credentials
    #[arg(long, value_name = "NAME")]
    store_env: Option<OsString>,
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    bind: SocketAddr,
    /// Address that serves metrics for Prometheus at /metrics
    #[arg(long, value_name = "ADDRESS")]
    metrics_bind: Option<SocketAddr>,
    /// Time limit for the tool's response, at least 100ms and less than 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_timeout)]
    forward_timeout: Duration,
    #[command(flatten)]
    secrets: Secrets,
}

impl Args {
    pub(crate) async fn run(self, format: Format) -> Result<bool, Error> {
        let verify = ScruppVerify::new(self.secrets.keyring()?);
        let target = secrets::url("--forward-to-env", &self.forward_to_env)?;
        let target = target.parse();
        let target = target.map_err(|why| Error::Usage(format!("--forward-to-env: {why}")))?;
        let target = Client::with_timeout(target, self.forward_timeout)?;
        let store = match &self.store_env {
            Some(name) => secrets::url("--store-env", name)?,
            None if may_have_credentials(&self.store) => {
                let why = "any process on this machine can read command lines, so use \
                           --store-env for a URL with @ or ?";
                return Err(Error::Usage(format!("--store: {why}")));
            }
            None => self.store,
        };
        let mut verify = verify.dedup(store::open(&store).await?.lease(LEASE));
        if let Some(address) = self.metrics_bind {
            serve_metrics(address).map_err(|why| Error::failed(address, why))?;
            verify = verify.observe(MetricsObserver::new());
        }
        // The log starts after the store is open, because the PostgreSQL driver logs unknown parameters
        // of its URL.
        let log = tracing_subscriber::fmt().with_writer(io::stderr);
        // Internal errors go to standard error too, and the subscriber panics if it cannot write them.
        log.log_internal_errors(false).init();
        let app = Router::new()
            .route("/webhooks/scrupp", post(forward).layer(verify))
            .route("/healthz", get(|| async {}))
            .with_state(target);
        let app = TowerToHyperService::new(app);
        // The layer logs one line per delivery. The span adds the cause of a 502 or 504.
        let app = service_fn(move |request| {
            app.call(request)
                .instrument(info_span!("gateway", cause = Empty))
        });
        let (listener, url) = server::listen(self.bind).await?;
        let stopped = stopped().map_err(|why| Error::failed("signals", why))?;
        format.write(&format!("listening on {url}"), &json!({ "listening": url }))?;
        server::serve(listener, CONNECTIONS, app, stopped).await
    }
}

/// Posts a genuine delivery to the target, and returns the target's status.
async fn forward(
    State(target): State<Client>,
    headers: HeaderMap,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
) -> StatusCode {
    // Drops other headers, because the target cannot verify the signature, but could replay the delivery
    // elsewhere.
    let headers = headers
        .iter()
        .filter(|(name, _)| [CONTENT_TYPE, CONTENT_ENCODING].contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let body = delivery.body().clone();
    let (status, cause) = match target.begin(Method::POST, headers, body).await {
        Ok(response) => match response.status() {
            // A 1xx does not complete a request, and redirects are not followed.
            status if status.is_informational() || status.is_redirection() => {
                let cause = format!("the target responded with {status}");
                (StatusCode::BAD_GATEWAY, cause)
            }
            status => return status,
        },
        Err(why) if why.is_timeout() => (StatusCode::GATEWAY_TIMEOUT, with_causes(why)),
        Err(why) => (StatusCode::BAD_GATEWAY, with_causes(why)),
    };
    Span::current().record("cause", cause);
    status
}

fn serve_metrics(address: SocketAddr) -> Result<(), BuildError> {
    let mut prometheus = PrometheusBuilder::new().with_http_listener(address);
    for (name, bounds) in BUCKETS {
        prometheus = prometheus.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    prometheus.install()
}

/// Returns true if a URL may have credentials before `@` or in a parameter.
fn may_have_credentials(url: &str) -> bool {
    !url.starts_with("sqlite:") && url.contains(['@', '?'])
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    // If the timeout is too short for a response, the tool already has the event, and each retry is forwarded
    // too. If the timeout exceeds the lease, the claim expires, and the next attempt is forwarded too.
    if !(SHORTEST_TIMEOUT..LEASE).contains(&timeout) {
        return Err("the time must be at least 100ms and less than 60s".to_owned());
    }
    Ok(timeout)
}

/// Installs handlers for SIGINT and SIGTERM. The returned future completes at the first signal.
#[cfg(unix)]
fn stopped() -> io::Result<impl Future<Output = Result<bool, Error>>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Err(Error::Interrupted),
            _ = terminate.recv() => Ok(true),
        }
    })
}

#[cfg(not(unix))]
fn stopped() -> io::Result<impl Future<Output = Result<bool, Error>>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        Err(Error::Interrupted)
    })
}
