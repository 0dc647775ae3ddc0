//! TCP streams that report a reset while nothing is read from them.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::{io, sync::Arc};

use tokio::{
    io::{AsyncRead, Interest, Join, ReadBuf, join},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Reading half of a stream. Clones share the stream.
#[derive(Clone)]
pub(crate) struct Reader(Arc<OwnedReadHalf>);

impl Reader {
    /// Splits a stream into its reading half and a stream for hyper.
    pub(crate) fn new(stream: TcpStream) -> (Self, Join<Self, OwnedWriteHalf>) {
        let (read, write) = stream.into_split();
        let reader = Self(Arc::new(read));
        (reader.clone(), join(reader, write))
    }

    /// Completes when the client resets the connection.
    pub(crate) async fn reset(&self) {
        let _ = self.0.ready(Interest::ERROR).await;
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.0).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}
