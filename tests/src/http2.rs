use core::time::Duration;
use std::{io, net::SocketAddr};

use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use http::{HeaderMap, Request};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    Delivery, Expected, PREVIOUS_SECRET, Response, SIGNATURE, Server, conformance::compare, signed,
};

/// A row of the conformance table for HTTP/2 with prior knowledge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Http2Row {
    /// Name of the row.
    pub name: &'static str,
    /// The delivery. The frames carry its body.
    pub delivery: Delivery,
    /// Frames that the client sends after the headers.
    pub frames: Vec<Frame>,
    /// The expected outcome.
    pub expected: Expected,
}

/// One step of a client on a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// A DATA frame.
    Data(Bytes),
    /// An empty DATA frame that ends the stream.
    End,
    /// Trailers, which end the stream.
    Trailers(Vec<(&'static str, String)>),
    /// RST_STREAM.
    Reset,
    /// A short pause.
    Pause,
}

/// Time limit of a response, longer than any timeout of a front end.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Returns the rows of the conformance table for HTTP/2.
#[must_use]
pub fn http2_rows() -> Vec<Http2Row> {
    let mut table = Table::default();
    table.genuine("genuine", |_| {});
    table.genuine("signed with the previous secret", |d| {
        d.sign_with(PREVIOUS_SECRET, d.now);
    });
    table.genuine("200 KiB", |d| d.pad_to(200 * 1024));
    table.rejected("modified body", 401, |d| d.body.push(b' '));
    table.rejected("stale", 401, |d| d.sign_with(crate::SECRET, d.now - 1000));
    table.rejected("repeated signature", 401, |d| {
        d.headers.push((SIGNATURE, d.value(SIGNATURE)));
    });
    table.rejected("no headers", 401, |d| d.headers.clear());
    table.rejected("body exceeds the limit", 413, |d| d.pad_to(256 * 1024 + 1));
    table.rejected("declared length exceeds the limit", 413, |d| {
        d.pad_to(256 * 1024 + 1);
        d.headers.push(("content-length", d.body.len().to_string()));
    });

    table.add("one byte per frame, with empty frames in between", |d| {
        let bytes = d.body.iter();
        let pairs = bytes.flat_map(|byte| [data(&[*byte]), data(b"")]);
        (pairs.chain([Frame::End]).collect(), handled(d))
    });
    table.add("signature in the headers and in a trailer", |d| {
        let trailers = vec![(SIGNATURE, "sha256=00".to_owned())];
        (vec![data(&d.body), Frame::Trailers(trailers)], handled(d))
    });
    table.add("signature in a trailer", |d| {
        let trailers = core::mem::take(&mut d.headers);
        let frames = vec![data(&d.body), Frame::Trailers(trailers)];
        (frames, Expected::Rejected(401))
    });
    table.add("stale headers without a body", |d| {
        d.sign_with(crate::SECRET, d.now - 1000);
        (Vec::new(), Expected::Rejected(401))
    });
    table.add("reset in the middle of the body", |d| {
        let half = d.body.len() / 2;
        let frames = vec![data(&d.body[..half]), Frame::Pause, Frame::Reset];
        (frames, Expected::RejectedOrClosed(400))
    });
    table.add(
        "reset after the last byte, before the end of the stream",
        |d| {
            let frames = vec![data(&d.body), Frame::Pause, Frame::Reset];
            (frames, Expected::RejectedOrClosed(400))
        },
    );
    table.add("body shorter than declared", |d| {
        let declared = (d.body.len() + 5).to_string();
        d.headers.push(("content-length", declared));
        (
            vec![data(&d.body), Frame::End],
            Expected::RejectedOrClosed(400),
        )
    });
    table.add("body longer than declared", |d| {
        let declared = (d.body.len() - 5).to_string();
        d.headers.push(("content-length", declared));
        (
            vec![data(&d.body), Frame::End],
            Expected::RejectedOrClosed(400),
        )
    });
    table.add("body that stalls", |d| {
        let half = d.body.len() / 2;
        (vec![data(&d.body[..half])], Expected::Rejected(408))
    });
    table.rows
}

fn data(bytes: &[u8]) -> Frame {
    Frame::Data(Bytes::copy_from_slice(bytes))
}

fn handled(delivery: &Delivery) -> Expected {
    Expected::Handled(delivery.body.clone())
}

#[derive(Default)]
struct Table {
    rows: Vec<Http2Row>,
}

impl Table {
    fn add(
        &mut self,
        name: &'static str,
        row: impl FnOnce(&mut Delivery) -> (Vec<Frame>, Expected),
    ) {
        let mut delivery = signed(2000 + self.rows.len() as u64);
        let (frames, expected) = row(&mut delivery);
        self.rows.push(Http2Row {
            name,
            delivery,
            frames,
            expected,
        });
    }

    fn genuine(&mut self, name: &'static str, change: impl FnOnce(&mut Delivery)) {
        self.add(name, |d| {
            change(d);
            (vec![data(&d.body), Frame::End], handled(d))
        });
    }

    fn rejected(&mut self, name: &'static str, status: u16, change: impl FnOnce(&mut Delivery)) {
        self.add(name, |d| {
            change(d);
            (vec![data(&d.body), Frame::End], Expected::Rejected(status))
        });
    }
}

/// Sends the delivery of a row and a genuine one on the same connection, and compares the outcomes
/// with the expected ones.
///
/// # Errors
///
/// Returns a description of the difference.
pub async fn check_http2(row: &Http2Row, server: &Server) -> Result<(), String> {
    let connection = connect(server.address()).await;
    let mut connection = connection.map_err(|error| format!("connecting: {error}"))?;
    let response = deliver(&mut connection, &row.delivery, &row.frames).await;
    let handled = server.handled(row.delivery.process_id).await;
    compare(&row.expected, response, &handled)?;

    let next = signed(row.delivery.process_id + 500_000);
    let frames = [data(&next.body), Frame::End];
    let status = deliver(&mut connection, &next, &frames)
        .await
        .map(|response| response.status);
    match status {
        Ok(200) => Ok(()),
        other => Err(format!("a delivery on the same connection got {other:?}")),
    }
}

async fn connect(address: SocketAddr) -> io::Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(address).await?;
    let (requests, connection) = h2::client::handshake(stream)
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(requests)
}

async fn deliver(
    connection: &mut SendRequest<Bytes>,
    delivery: &Delivery,
    frames: &[Frame],
) -> io::Result<Response> {
    let mut request = Request::post("http://localhost/webhooks/scrupp");
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    let request = request.body(()).map_err(io::Error::other)?;
    let mut ready = connection.clone().ready().await.map_err(io::Error::other)?;
    let (response, mut stream) = ready
        .send_request(request, false)
        .map_err(io::Error::other)?;
    for frame in frames {
        let sent = match frame {
            Frame::Data(bytes) => stream.send_data(bytes.clone(), false),
            Frame::End => stream.send_data(Bytes::new(), true),
            Frame::Trailers(trailers) => stream.send_trailers(header_map(trailers)?),
            Frame::Reset => {
                stream.send_reset(Reason::CANCEL);
                Ok(())
            }
            Frame::Pause => {
                sleep(Duration::from_millis(100)).await;
                Ok(())
            }
        };
        // The server may have rejected the delivery and reset the stream.
        if sent.is_err() {
            break;
        }
    }
    let response = timeout(TIMEOUT, async {
        let response = response.await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        let headers = headers.collect();
        let (mut incoming, mut body) = (response.into_body(), Vec::new());
        while let Some(chunk) = incoming.data().await {
            body.extend_from_slice(&chunk?);
        }
        Ok::<_, h2::Error>(Response {
            status,
            headers,
            body,
        })
    });
    response.await?.map_err(io::Error::other)
}

fn header_map(headers: &[(&'static str, String)]) -> io::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        map.append(name, value.parse().map_err(io::Error::other)?);
    }
    Ok(map)
}
