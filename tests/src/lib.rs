//! What every front end has to do, over real sockets: the front ends, a client that sends what it
//! is told to, and the conformance table.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot go on may panic"
)]

mod client;
mod delivery;
mod expected;
mod front_end;
mod http2;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod program;
mod prometheus;
mod proxy;
mod redis;
mod redis_cluster;
mod scrupp;
mod sentinel;
mod table;
mod task_api;

pub use client::{Connection, Response, Step};
pub use delivery::{Delivery, Headers};
pub use expected::Expected;
pub use front_end::{FrontEnd, Server};
pub use http2::{Frame, Http2Row, check_http2, http2_rows};
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::Postgres;
pub use process::Process;
pub use program::Program;
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use scrupp::{Attempt, Retries, Scrupp, is_acknowledged};
pub use sentinel::Sentinel;
pub use table::{Row, check, http1_rows};
pub use task_api::{Fetch, KeyIn, TaskApi, Trouble};

/// What all deliveries here are signed with.
pub const SECRET: &str = "topsecret";

/// What they may be signed with too.
pub const PREVIOUS_SECRET: &str = "formersecret";
