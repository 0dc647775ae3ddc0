//! Tools for tests over real sockets: front ends, a stand-in for Scrupp, servers of stores, and the
//! conformance tables.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

/// Runs the code of the guide as doc tests.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../docs/accounts.md")]
    struct Accounts;
    #[doc = include_str!("../../docs/duplicates.md")]
    struct Duplicates;
    #[doc = include_str!("../../docs/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../docs/replacing.md")]
    struct Replacing;
    #[doc = include_str!("../../docs/testing.md")]
    struct Testing;
}

mod conformance;
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
mod task_api;

pub use conformance::{check, http1_rows, left_out, signed};
pub use front_end::{FrontEnd, Server, lambda};
pub use http2::{Frame, Http2Row, check_http2, http2_rows};
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::Postgres;
pub use process::Process;
pub use program::{Program, path};
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use scrupp::{Attempt, Retries, Scrupp, is_acknowledged};
pub use scrupp_verify_cli::{
    Connection, Delivery, Expected, Headers, Response, Row, SIGNATURE, Step, TIMESTAMP,
};
pub use sentinel::Sentinel;
pub use task_api::{Fetch, KeyIn, ScriptedResponse, TaskApi};

/// The secret that deliveries are signed with.
pub const SECRET: &str = "topsecret";

/// The previous secret, which every front end accepts too.
pub const PREVIOUS_SECRET: &str = "formersecret";
