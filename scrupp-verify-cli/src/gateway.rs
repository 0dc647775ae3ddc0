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

/// Number of connections served at once. Each may hold a read buffer and 16 KiB of a body outside the
/// budget.
const CONNECTIONS: usize = 8192;

/// Time for which a claim of the store holds.
const LEASE: Duration = Duration::from_secs(60);

/// Forwards genuine deliveries to a tool that cannot verify them, such as Make, Zapier, n8n or Clay.
///
/// Deliveries are received at POST /webhooks/scrupp. The response is the status of the tool, so Scrupp
/// tries again until the tool accepts the delivery. GET /healthz is for health checks.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify gateway --forward-to-env FORWARD_TO
  scrupp-verify gateway --forward-to-env FORWARD_TO --bind 0.0.0.0:3000 --metrics-bind 127.0.0.1:9464
  scrupp-verify gateway --forward-to-env FORWARD_TO --store-env STORE_URL")]
pub(crate) struct Args {
    /// Environment variable with the URL of the tool. The URL is a secret
    #[arg(long, value_name = "NAME")]
    forward_to_env: OsString,
    /// Store of acknowledged deliveries: sqlite:FILE, memory:, or a URL of PostgreSQL or Redis without
    /// credentials
    #[arg(
        long,
        value_name = "URL",
        default_value = "sqlite:scrupp-verify-gateway.db",
        conflicts_with = "store_env"
    )]
    store: String,
    /// Environment variable with the URL of the store, which may contain credentials
    #[arg(long, value_name = "NAME")]
    store_env: Option<OsString>,
    /// Address to listen on. Port 0 is any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    bind: SocketAddr,
    /// Address to serve metrics for Prometheus on, at /metrics
    #[arg(long, value_name = "ADDRESS")]
    metrics_bind: Option<SocketAddr>,
    /// Time for the tool to respond, below 60s
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
                let why = "every process of this machine can read a command line: use --store-env \
                           for a URL with @ or ?";
                return Err(Error::Usage(format!("--store: {why}")));
            }
            None => self.store,
        };
        let mut verify = verify.dedup(store::open(&store).await?.lease(LEASE));
        if let Some(address) = self.metrics_bind {
            serve_metrics(address).map_err(|why| Error::failed(address, why))?;
            verify = verify.observe(MetricsObserver::new());
        }
        // Not before: the driver of PostgreSQL logs parameters of its URL that it does not know.
        let log = tracing_subscriber::fmt().with_writer(io::stderr);
        // Errors of the log would be printed to standard error too, which panics if that fails.
        log.log_internal_errors(false).init();
        let app = Router::new()
            .route("/webhooks/scrupp", post(forward).layer(verify))
            .route("/healthz", get(|| async {}))
            .with_state(target);
        let app = TowerToHyperService::new(app);
        // The layer logs one line for each delivery. The span adds the cause of a 502 or 504.
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

/// Posts a genuine delivery to the target. Returns the target's status, so Scrupp tries again if the
/// target wants it to.
async fn forward(
    State(target): State<Client>,
    headers: HeaderMap,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
) -> StatusCode {
    // No other header: the target cannot verify the signature, and could use it elsewhere.
    let headers = headers
        .iter()
        .filter(|(name, _)| [CONTENT_TYPE, CONTENT_ENCODING].contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let body = delivery.body().clone();
    let (status, cause) = match target.begin(Method::POST, headers, body).await {
        Ok(response) => match response.status() {
            // 1xx ends no request, and nobody follows a redirect.
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

/// Returns whether a URL is one that can have credentials before `@`, or in a parameter.
fn may_have_credentials(url: &str) -> bool {
    !url.starts_with("sqlite:") && url.contains(['@', '?'])
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    if timeout.is_zero() || timeout >= LEASE {
        // The claim would expire, and the next attempt would be forwarded too.
        return Err("neither zero nor 60s or more is possible".to_owned());
    }
    Ok(timeout)
}

/// Completes at SIGINT or SIGTERM. From the call on, these signals no longer end the process.
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
