use core::{mem, pin::pin, time::Duration};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{
    Arg, Client, Cmd, ConnectionAddr, ConnectionInfo, RedisResult, Value, cluster_routing::Slot,
    cmd, from_redis_value,
};
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    RedisStoreError, RedisStoreErrorKind,
    connection::{Connection, Connector, PAUSE, RETRY, Source, client, client_at},
    url,
};

/// The time without a reply from a node after which all nodes are asked for their slots.
const NODE_TIMEOUT: Duration = Duration::from_millis(500);

/// The primaries of a Redis Cluster and their slots. Each primary has its own connection.
pub(crate) struct Cluster {
    seeds: Vec<Arc<Node>>,
    runtime: Handle,
    map: Mutex<Map>,
    /// The time and the result of the latest [`Cluster::refresh`].
    refreshed: tokio::sync::Mutex<Option<(Instant, Result<(), RedisStoreError>)>>,
}

struct Map {
    nodes: Vec<Arc<Node>>,
    slots: HashMap<Slot, Arc<Node>>,
}

struct Node {
    host: String,
    port: u16,
    client: Client,
    connector: Connector,
}

impl Cluster {
    /// Creates a cluster that is reached through these nodes.
    pub(crate) fn new(seeds: &[ConnectionInfo], runtime: Handle) -> Result<Self, RedisStoreError> {
        let seeds = seeds.iter().map(|info| match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Ok(Node::new(host, *port, client(info)?, &runtime))
            }
            _ => Err(RedisStoreError::invalid_url(url::INVALID)),
        });
        let seeds = seeds.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            map: Mutex::new(Map {
                nodes: seeds.clone(),
                slots: HashMap::new(),
            }),
            seeds,
            runtime,
            refreshed: tokio::sync::Mutex::default(),
        })
    }

    /// Sends a command to the node that has its key. Repeats the command if another node has the key, or
    /// if the node cannot be reached.
    pub(crate) async fn run(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        let started = Instant::now();
        let slot = slot(command);
        let mut follows = true;
        loop {
            let node = self.map().slots.get(&slot).cloned();
            let error = match &node {
                None => {
                    RedisStoreError::no_primary("no node of the cluster has the slot of the key")
                }
                Some(node) => match self.run_at(node, slot, command).await {
                    Some(Ok(reply)) => return Ok(reply),
                    Some(Err(error)) => error,
                    None => continue,
                },
            };
            if let (Some(address), Some(node)) = (error.redirect(), node) {
                let target = self.redirected(address, &node)?;
                if error.code() == Some("ASK") {
                    let reply = target.ask(command).await;
                    return reply.map_err(|error| RedisStoreError::from(error).of_cluster());
                }
                self.map().slots.insert(slot, target);
                if mem::take(&mut follows) {
                    continue;
                }
            }
            if !error.is_passing() || started.elapsed() > RETRY {
                return Err(error.of_cluster());
            }
            self.refresh().await?;
        }
    }

    /// Sends a command to a node. Returns `None` if the node is silent and has lost the slot.
    async fn run_at(
        &self,
        node: &Arc<Node>,
        slot: Slot,
        command: &Cmd,
    ) -> Option<Result<Value, RedisStoreError>> {
        let mut run = pin!(node.connector.run(command));
        loop {
            if let Ok(result) = timeout(NODE_TIMEOUT, run.as_mut()).await {
                return Some(result);
            }
            let _ = timeout(NODE_TIMEOUT, self.refresh()).await;
            match self.map().slots.get(&slot) {
                Some(now) if Arc::ptr_eq(now, node) => {}
                _ => return None,
            }
        }
    }

    /// Sends a command on the replaced connections of all nodes in the background.
    pub(crate) fn send_late(&self, command: &Cmd) {
        for node in &self.map().nodes {
            node.connector.send_late(command);
        }
    }

    /// Asks all nodes at once for their slots, and uses the first reply. One refresh runs at a time, and
    /// waiting operations share its result.
    async fn refresh(&self) -> Result<(), RedisStoreError> {
        let wanted = Instant::now();
        let mut refreshed = self.refreshed.lock().await;
        if let Some((at, result)) = &*refreshed {
            if *at >= wanted {
                return result.clone();
            }
            sleep_until(*at + PAUSE).await;
        }
        let (sender, mut replies) = mpsc::unbounded_channel();
        for node in self.map().nodes.clone() {
            let sender = sender.clone();
            // If the caller aborted the request, the connection would appear to be silent.
            self.runtime.spawn(async move {
                let slots = node.connector.run(cmd("CLUSTER").arg("SLOTS")).await;
                let _ = sender.send((slots, node));
            });
        }
        drop(sender);
        let mut result = Err(RedisStoreError::runtime_ended());
        while result.is_err()
            && let Some((slots, by)) = replies.recv().await
        {
            result = slots.and_then(|slots| self.read(slots, &by));
        }
        *refreshed = Some((Instant::now(), result.clone()));
        result
    }

    /// Reads the reply to `CLUSTER SLOTS`.
    fn read(&self, reply: Value, by: &Node) -> Result<(), RedisStoreError> {
        let mut map = self.map();
        let (mut nodes, mut slots) = (self.seeds.clone(), HashMap::new());
        let rows = from_redis_value::<Vec<Vec<Value>>>(reply).unwrap_or_default();
        for (first, last, host, port) in rows.iter().filter_map(|row| read_row(row)) {
            let node = self.node_at(&mut map, host, port, by)?;
            let range = (first..=last).filter_map(Slot::new);
            slots.extend(range.map(|slot| (slot, Arc::clone(&node))));
            if !nodes.iter().any(|other| Arc::ptr_eq(other, &node)) {
                nodes.push(node);
            }
        }
        if slots.is_empty() {
            return Err(RedisStoreError::no_primary(
                "no node of the cluster has a slot",
            ));
        }
        *map = Map { nodes, slots };
        Ok(())
    }

    /// Returns the node that a redirection names.
    fn redirected(&self, address: &str, by: &Node) -> Result<Arc<Node>, RedisStoreError> {
        let unexpected = || RedisStoreError::new(RedisStoreErrorKind::Unexpected);
        let (host, port) = address.rsplit_once(':').ok_or_else(unexpected)?;
        let port = port.parse().map_err(|_| unexpected())?;
        self.node_at(&mut self.map(), host, port, by)
    }

    /// Returns the node at the address that `by` names. An empty host is the host of `by`. All nodes
    /// have the same credentials and TLS settings.
    fn node_at(
        &self,
        map: &mut Map,
        host: &str,
        port: u16,
        by: &Node,
    ) -> Result<Arc<Node>, RedisStoreError> {
        let host = if host.is_empty() { &by.host } else { host };
        let mut nodes = map.nodes.iter();
        if let Some(node) = nodes.find(|node| node.host == host && node.port == port) {
            return Ok(Arc::clone(node));
        }
        let client = client_at(by.client.get_connection_info(), host, port)?;
        let node = Node::new(host, port, client, &self.runtime);
        map.nodes.push(Arc::clone(&node));
        Ok(node)
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn new(host: &str, port: u16, client: Client, runtime: &Handle) -> Arc<Self> {
        Arc::new(Self {
            host: host.into(),
            port,
            connector: Connector::new(Source::Node(client.clone()), runtime.clone()),
            client,
        })
    }

    /// Sends a command for a slot that is being moved to this node. Opens a connection, because `ASKING`
    /// applies to the next command on its connection.
    async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        let connection = Connection::open(&self.client).await?;
        connection.query(&cmd("ASKING")).await?;
        connection.query(command).await
    }
}

/// Returns the slot of the key in `EVAL script 1 key`.
fn slot(command: &Cmd) -> Slot {
    match command.args_iter().nth(3) {
        Some(Arg::Simple(key)) => Slot::for_key(key),
        _ => Slot::for_key(""),
    }
}

/// Reads the first and the last slot of a range, and the address of its primary. An empty host is the
/// host of the node that responds.
fn read_row(row: &[Value]) -> Option<(u16, u16, &str, u16)> {
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(primary),
        ..,
    ] = row
    else {
        return None;
    };
    let (host, port) = match &**primary {
        [Value::BulkString(host), Value::Int(port), ..] => (core::str::from_utf8(host).ok()?, port),
        [Value::Nil, Value::Int(port), ..] => ("", port),
        _ => return None,
    };
    let number = |int: &i64| u16::try_from(*int).ok();
    (host != "?").then_some((number(first)?, number(last)?, host, number(port)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_slot_from_the_key() {
        let mut command = cmd("EVAL");
        command.arg("return 0").arg(1).arg("{one}:two").arg("three");
        assert_eq!(slot(&command), Slot::for_key("one"));
    }

    #[test]
    fn reads_ranges_of_slots() {
        let host = |host: &str| Value::BulkString(host.into());
        let row = |first, host| {
            let primary = Value::Array(vec![host, Value::Int(6379), Value::Nil]);
            [Value::Int(first), Value::Int(9), primary, Value::Nil]
        };
        for (row, range) in [
            (row(0, host("redis")), Some((0, 9, "redis", 6379))),
            (row(0, host("")), Some((0, 9, "", 6379))),
            (row(0, Value::Nil), Some((0, 9, "", 6379))),
            (row(0, host("?")), None),
            (row(0, Value::Int(1)), None),
            (row(-1, host("redis")), None),
            (row(1 << 16, host("redis")), None),
        ] {
            assert_eq!(read_row(&row), range, "{row:?}");
            assert_eq!(read_row(&row[..2]), None);
        }
    }
}
