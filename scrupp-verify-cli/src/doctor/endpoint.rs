use core::{num::NonZeroU32, time::Duration};
use std::{io, net::SocketAddr, sync::Arc};

use reqwest::Url;
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use scrupp_verify_cli::{Connection, Response, Step};
use tokio::{
    net::TcpStream,
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_rustls::TlsConnector;

use crate::output::Error;

/// Time limit for a connection attempt, including the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Receiver that is reached without a proxy. Each request uses a new connection.
pub(crate) struct Endpoint {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    pace: Option<Mutex<Interval>>,
}

impl Endpoint {
    /// Resolves the host, and checks that the receiver is available.
    pub(crate) async fn new(url: &Url, rate: Option<NonZeroU32>) -> Result<Self, Error> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        // An IPv6 address has brackets.
        let name = host.trim_matches(['[', ']']).to_owned();
        let failed = |why: io::Error| Error::failed(host, why);
        let tls = match url.scheme() {
            "http" => None,
            _ => Some(tls(&name).map_err(|why| Error::failed("TLS", why))?),
        };
        // Uses the first address that accepts a connection. `localhost` may have others.
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((&*name, port))).await;
        let stream = stream
            .map_err(io::Error::from)
            .and_then(|stream| stream)
            .map_err(failed)?;
        let endpoint = Self {
            address: stream.peer_addr().map_err(failed)?,
            tls,
            pace: rate.map(pace),
        };
        endpoint.connect().await.map_err(failed)?;
        Ok(endpoint)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let connect = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                None => Ok(Connection::over(stream)),
                Some((tls, name)) => {
                    let stream = tls.connect(name.clone(), stream).await?;
                    Ok(Connection::over(stream))
                }
            }
        };
        timeout(CONNECT_TIMEOUT, connect).await?
    }

    /// Runs the steps on a new connection, and reads the response within the time limit.
    ///
    /// Fails if the receiver is no longer reachable, or responds with 429.
    pub(crate) async fn exchange(
        &self,
        steps: &[Step],
        limit: Duration,
    ) -> Result<io::Result<Response>, Error> {
        if let Some(pace) = &self.pace {
            pace.lock().await.tick().await;
        }
        let connection = self.connect().await;
        let mut connection = connection.map_err(|why| Error::failed("the receiver", why))?;
        let exchange = async {
            connection.send(steps).await?;
            timeout(limit, connection.response()).await?
        };
        match exchange.await {
            Ok(response) if response.status == 429 => {
                let why = "the receiver responded with 429: limit the rate with --rate";
                Err(Error::Failed(why.to_owned()))
            }
            response => Ok(response),
        }
    }
}

fn pace(rate: NonZeroU32) -> Mutex<Interval> {
    let period = Duration::from_secs(1) / rate.get();
    let mut pace = interval(period.max(Duration::from_nanos(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Mutex::new(pace)
}

fn tls(name: &str) -> Result<(TlsConnector, ServerName<'static>), Box<dyn core::error::Error>> {
    // Fails if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig::builder().with_platform_verifier()?;
    let config = Arc::new(config.with_no_client_auth());
    Ok((
        TlsConnector::from(config),
        ServerName::try_from(name.to_owned())?,
    ))
}

/// Returns the value of the `Host` header for a URL.
pub(crate) fn authority(url: &Url) -> Result<String, Error> {
    let host = match (url.scheme(), url.host_str()) {
        // Credentials would not be sent, and would appear in the report.
        _ if !url.username().is_empty() || url.password().is_some() => {
            return Err(Error::Usage("the URL contains credentials".to_owned()));
        }
        ("http" | "https", Some(host)) => host,
        _ => return Err(Error::Usage("the URL is neither http nor https".to_owned())),
    };
    let port = url.port().map(|port| format!(":{port}"));
    Ok(format!("{host}{}", port.unwrap_or_default()))
}

/// Returns the path and the query of a URL.
pub(crate) fn target(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}"));
    format!("{}{}", url.path(), query.unwrap_or_default())
}
