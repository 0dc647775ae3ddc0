//! An HTTP client.

use std::{error::Error, net::SocketAddr};

use axum::http::Request;
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a delivery on a new connection, and returns the status of the response.
pub(crate) async fn post(
    receiver: SocketAddr,
    headers: &[(&'static str, String)],
    body: &'static str,
) -> Result<u16, Box<dyn Error>> {
    let stream = TcpStream::connect(receiver).await?;
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);

    let mut request = Request::post("/webhooks/scrupp").header("host", receiver.to_string());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = client
        .send_request(request.body(Full::new(Bytes::from_static(body.as_bytes())))?)
        .await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    connection.abort();
    Ok(status)
}
