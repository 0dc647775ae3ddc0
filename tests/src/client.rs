use core::time::Duration;
use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// What a client does on a connection before it reads the response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Sends bytes as they are.
    Send(Vec<u8>),
    /// Does nothing for a while.
    Wait(Duration),
    /// Reads until the server asks for the body.
    AwaitContinue,
    /// Sends no more.
    Finish,
}

/// A connection on which bytes are sent as they are, for requests that no HTTP client would make.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A response, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Longer than any time-out of a front end.
const TIMEOUT: Duration = Duration::from_secs(25);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Does what the steps say. A server that closes its end early does not stop the client from
    /// reading what it has answered.
    ///
    /// # Errors
    ///
    /// What reading says while the server is to ask for the body.
    pub async fn send(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if self.stream.write_all(bytes).await.is_err() {
                        return Ok(());
                    }
                }
                Step::Wait(duration) => sleep(*duration).await,
                Step::AwaitContinue => {
                    let interim = self.read_head().await?;
                    if interim.status != 100 {
                        return Err(io::Error::other("the server did not ask for the body"));
                    }
                }
                Step::Finish => self.stream.shutdown().await?,
            }
        }
        Ok(())
    }

    /// Reads one response with its body.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] where the server closes the connection before it is whole,
    /// [`io::ErrorKind::TimedOut`] where it does not come.
    pub async fn response(&mut self) -> io::Result<Response> {
        let mut response = self.read_head().await?;
        let header = |name: &str| {
            let found = response.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        if let Some(length) = header("content-length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            while self.received.len() < length {
                self.read_more().await?;
            }
            response.body = self.received.drain(..length).collect();
        } else if header("transfer-encoding") == Some("chunked") {
            while !self.received.ends_with(b"0\r\n\r\n") {
                self.read_more().await?;
            }
            response.body = core::mem::take(&mut self.received);
        }
        Ok(response)
    }

    async fn read_head(&mut self) -> io::Result<Response> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
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
        match timeout(TIMEOUT, self.stream.read_buf(&mut self.received)).await?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
