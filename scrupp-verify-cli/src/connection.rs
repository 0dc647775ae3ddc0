use core::{fmt, mem, time::Duration};
use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Step of a client before it reads the response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Sends bytes unmodified.
    Send(Vec<u8>),
    /// Sends bytes this many times.
    Repeat(Vec<u8>, usize),
    /// Waits for this duration.
    Wait(Duration),
    /// Waits for `100 Continue`.
    AwaitContinue,
    /// Closes the sending half of the connection.
    Finish,
}

/// Connection that sends raw bytes, for requests that no HTTP client sends.
pub struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Response to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an HTTP response has no other parts"
)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Time limit for a read or write. Longer than the time that a receiver should wait for a stalled body.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Maximum size of a response, in bytes.
const LARGEST_RESPONSE: usize = 16 << 20;

impl Connection {
    /// Connects over TCP.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if connecting fails.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Creates a connection over a connected stream, such as a TLS stream.
    #[must_use]
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            received: Vec::new(),
        }
    }

    /// Runs the steps. Returns early if the server stops reading, because it may have sent a response.
    ///
    /// # Errors
    ///
    /// Returns an error if [`Step::AwaitContinue`] does not read `100 Continue`, or if [`Step::Finish`] fails.
    pub async fn send(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if self.write(bytes).await.is_err() {
                        return Ok(());
                    }
                }
                Step::Repeat(bytes, times) => {
                    for _ in 0..*times {
                        if self.write(bytes).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                Step::Wait(duration) => sleep(*duration).await,
                Step::AwaitContinue => {
                    let interim = self.read_head().await?;
                    if interim.status != 100 {
                        return Err(io::Error::other("the server did not send 100 Continue"));
                    }
                }
                Step::Finish => self.stream.shutdown().await?,
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(TIMEOUT, self.stream.write_all(bytes)).await??;
        self.stream.flush().await
    }

    /// Reads a response with its body. Skips interim responses (RFC 9110, section 15.2).
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::UnexpectedEof`] if the server closes the connection before the response is
    /// complete, and [`io::ErrorKind::TimedOut`] if the server sends nothing for 25 s. Also fails if the
    /// response is malformed or exceeds 16 MiB.
    pub async fn response(&mut self) -> io::Result<Response> {
        let mut response = self.read_head().await?;
        while matches!(response.status, 100 | 102..=199) {
            response = self.read_head().await?;
        }
        if let Some(length) = response.header("content-length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            while self.received.len() < length {
                self.read_more().await?;
            }
            response.body = self.received.drain(..length).collect();
        } else if response
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            response.body = self.read_chunks().await?;
        } else if !matches!(response.status, 101 | 204 | 304) {
            // The body ends when the server closes the connection (RFC 9112, section 6.3).
            let closed = loop {
                if let Err(closed) = self.read_more().await {
                    break closed;
                }
            };
            if closed.kind() == io::ErrorKind::TimedOut {
                return Err(closed);
            }
            response.body = mem::take(&mut self.received);
        }
        Ok(response)
    }

    async fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let (start, size) = loop {
                match httparse::parse_chunk_size(&self.received) {
                    Ok(httparse::Status::Complete(size)) => break size,
                    Ok(httparse::Status::Partial) => self.read_more().await?,
                    Err(_) => return Err(io::Error::other("malformed chunk")),
                }
            };
            self.received.drain(..start);
            if size == 0 {
                break;
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            while self.received.len() < size.saturating_add(2) {
                self.read_more().await?;
            }
            if body.len() > LARGEST_RESPONSE {
                return Err(too_large());
            }
            body.extend(self.received.drain(..size));
            self.received.drain(..2);
        }
        // Skips trailers up to the empty line.
        loop {
            match self.received.windows(2).position(|end| end == b"\r\n") {
                Some(0) => break,
                Some(end) => drop(self.received.drain(..end + 2)),
                None => self.read_more().await?,
            }
        }
        self.received.drain(..2);
        Ok(body)
    }

    async fn read_head(&mut self) -> io::Result<Response> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 128];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.received).map_err(io::Error::other)?;
            if let (httparse::Status::Complete(length), Some(status)) = (parsed, head.code) {
                let headers = head.headers.iter().map(|header| {
                    let value = String::from_utf8_lossy(header.value);
                    (header.name.to_lowercase(), value.into_owned())
                });
                let response = Response {
                    status,
                    headers: headers.collect(),
                    body: Vec::new(),
                };
                self.received.drain(..length);
                return Ok(response);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        if self.received.len() > LARGEST_RESPONSE {
            return Err(too_large());
        }
        match timeout(TIMEOUT, self.stream.read_buf(&mut self.received)).await?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn too_large() -> io::Error {
    io::Error::other("the response exceeds 16 MiB")
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Response {
    /// Returns the first value of a header. `name` must be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }
}
