use crate::{Redis, redis::wait_until};

/// A Redis Cluster with three primaries, and replicas if some are added. Each node writes each
/// command to disk before it responds. Stopped on drop.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

const PRIMARIES: usize = 3;

impl RedisCluster {
    /// Starts the primaries, and waits until they serve all slots.
    #[must_use]
    pub fn start() -> Self {
        let mut cluster = Self { nodes: Vec::new() };
        for index in 0..PRIMARIES {
            cluster.add_node();
            let slot = |index: usize| index * 16384 / PRIMARIES;
            let (first, last) = (slot(index), slot(index + 1) - 1);
            let range = [first.to_string(), last.to_string()];
            let () = cluster.nodes[index].run(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
        }
        cluster.wait_until_ok();
        cluster
    }

    /// Adds a replica of a primary, waits until both are in sync, and returns the replica's index.
    pub fn add_replica(&mut self, of: usize) -> usize {
        let primary: String = self.nodes[of].run(&["CLUSTER", "MYID"]);
        let index = self.add_node();
        let replica = &self.nodes[index];
        wait_until("the replica has its primary", || {
            let nodes: String = replica.run(&["CLUSTER", "NODES"]);
            nodes.contains(&primary)
        });
        let () = replica.run(&["CLUSTER", "REPLICATE", &primary]);
        wait_until("the replica is in sync", || {
            let info: String = replica.run(&["INFO", "replication"]);
            info.contains("master_link_status:up")
        });
        // No failover is possible until the gossip of the primary names the replica.
        wait_until("all nodes list the replica", || {
            let id: String = replica.run(&["CLUSTER", "MYID"]);
            self.nodes.iter().all(|node| {
                let nodes: String = node.run(&["CLUSTER", "NODES"]);
                let mut lines = nodes.lines();
                lines.any(|line| line.starts_with(&id) && line.contains("slave"))
            })
        });
        self.wait_until_ok();
        index
    }

    /// Returns the URLs of the nodes, in the order in which they were added.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// Returns a node.
    #[must_use]
    pub fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// Kills a node.
    pub fn kill(&mut self, index: usize) {
        self.nodes[index].kill();
    }

    /// Stops or resumes a node without closing a connection.
    pub fn pause(&self, index: usize, paused: bool) {
        self.nodes[index].pause(paused);
    }

    /// Restarts a killed node with its data. The node may have no slots yet.
    pub fn restart(&mut self, index: usize) {
        self.nodes[index].restart();
    }

    /// Promotes the replica, which demotes its primary. Waits until both are in sync, so nothing is
    /// lost.
    pub fn fail_over(&self) {
        let replica = (0..self.nodes.len()).find(|index| !self.is_primary(*index));
        let replica = &self.nodes[replica.expect("a replica")];
        let () = replica.run(&["CLUSTER", "FAILOVER"]);
        wait_until("the replica is the primary", || {
            let info: String = replica.run(&["INFO", "replication"]);
            info.contains("role:master")
        });
        self.wait_until_ok();
    }

    /// Returns true if a node is a primary.
    #[must_use]
    pub fn is_primary(&self, index: usize) -> bool {
        let info: String = self.nodes[index].run(&["INFO", "replication"]);
        info.contains("role:master")
    }

    /// Returns the number of deliveries that are claimed and not acknowledged, on the running
    /// primaries.
    #[must_use]
    pub fn claims(&self) -> usize {
        let running = (0..self.nodes.len()).filter(|index| self.nodes[*index].is_running());
        let primaries = running.filter(|index| self.is_primary(*index));
        primaries.map(|index| self.nodes[index].claims()).sum()
    }

    /// Waits until every running node reports that all slots are served.
    pub fn wait_until_ok(&self) {
        wait_until("the cluster is complete", || {
            let mut running = self.nodes.iter().filter(|node| node.is_running());
            running.all(|node| {
                let info: String = node.run(&["CLUSTER", "INFO"]);
                let size = format!("cluster_size:{PRIMARIES}");
                info.contains("cluster_state:ok") && info.contains(&size)
            })
        });
    }

    fn add_node(&mut self) -> usize {
        let node = Redis::start_node();
        if let Some(first) = self.nodes.first() {
            first.meet(&node);
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}
