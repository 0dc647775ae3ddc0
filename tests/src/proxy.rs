use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A TCP proxy whose target can change, like the address of a service that fails over.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _accepting: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    /// One flag for each opened connection, which is true while the connection is held.
    connections: Vec<watch::Sender<bool>>,
}

impl Proxy {
    /// Starts a proxy on a free port of 127.0.0.1.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            target,
            connections: Vec::new(),
        }));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _accepting: accepting,
        }
    }

    /// Returns the URL of a Redis server behind the proxy.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Returns the URL of a PostgreSQL server behind the proxy.
    #[must_use]
    pub fn postgres_url(&self) -> String {
        format!("postgres://test@{}/postgres", self.address)
    }

    /// Forwards new connections to another server. Open connections keep their server.
    pub fn set_target(&self, target: SocketAddr) {
        lock(&self.shared).target = target;
    }

    /// Holds all open connections: they stay open but transfer nothing. New connections work.
    pub fn hold(&self) {
        for connection in &lock(&self.shared).connections {
            connection.send_replace(true);
        }
    }

    /// Resumes all held connections without losing a byte.
    pub fn resume(&self) {
        for connection in &lock(&self.shared).connections {
            connection.send_replace(false);
        }
    }

    /// Returns the number of connections that were opened.
    #[must_use]
    pub fn opened(&self) -> usize {
        lock(&self.shared).connections.len()
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        let shared = lock(&self.shared);
        let open = shared.connections.iter().filter(|held| !held.is_closed());
        open.count()
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (sender, held) = watch::channel(false);
        let target = {
            let mut shared = lock(&shared);
            shared.connections.push(sender);
            shared.target
        };
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            let (client_reads, client_writes) = client.into_split();
            let (server_reads, server_writes) = server.into_split();
            tokio::select! {
                () = forward(client_reads, server_writes, held.clone()) => {}
                () = forward(server_reads, client_writes, held) => {}
            }
        });
    }
}

/// Forwards bytes until one side ends.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: watch::Receiver<bool>,
) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
