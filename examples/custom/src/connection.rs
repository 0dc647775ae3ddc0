use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

/// A connection with one time limit for all that is read on it, however it trickles.
pub(crate) struct Connection {
    stream: TcpStream,
    deadline: Instant,
    received: Vec<u8>,
    consumed: usize,
}

/// How much is received at once.
const READ_BYTES: usize = 16 * 1024;

/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long, and for how many bytes, a connection is read on after the answer: one that is closed
/// with bytes unread is reset, and its client might never see what it was told.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 512 * 1024;

impl Connection {
    pub(crate) fn new(stream: TcpStream, time: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self {
            stream,
            deadline: Instant::now() + time,
            received: Vec::new(),
            consumed: 0,
        })
    }

    /// Starts the time anew.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// What has been received and not consumed.
    pub(crate) fn received(&self) -> &[u8] {
        self.received.get(self.consumed..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.consumed += bytes;
    }

    /// Receives some more.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] once the time is over, [`io::ErrorKind::UnexpectedEof`] where
    /// the client sends no more, and what the operating system says.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; READ_BYTES];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        };
        self.received.drain(..self.consumed);
        self.consumed = 0;
        let received = buffer.get(..count).unwrap_or_default();
        self.received.extend_from_slice(received);
        Ok(())
    }

    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())
    }

    /// Says that nothing more comes, and lets the client finish its sentence.
    pub(crate) fn close(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.allow(LINGER);
        let mut read_on = 0;
        while read_on < LINGER_BYTES && self.receive().is_ok() {
            read_on += self.received().len();
            self.consume(self.received().len());
        }
    }
}
