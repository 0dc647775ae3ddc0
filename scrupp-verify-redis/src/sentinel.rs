use std::sync::Arc;

use redis::{Client, ConnectionInfo, Value, cmd, from_redis_value};
use tokio::task::JoinSet;

use crate::{
    RedisStoreError, RedisStoreErrorKind,
    connection::{Connection, client_at, is_unavailable},
};

/// The sentinels of a primary.
pub(crate) struct Sentinels {
    pub(crate) sentinels: Vec<Client>,
    pub(crate) name: String,
    /// The credentials, database and TLS settings of the primary.
    pub(crate) primary: ConnectionInfo,
}

impl Sentinels {
    /// Asks all sentinels at once, and returns the first connection to a primary. A sentinel that is
    /// silent or out of date causes no delay.
    pub(crate) async fn open(self: &Arc<Self>) -> Result<Connection, RedisStoreError> {
        let mut attempts = JoinSet::new();
        for sentinel in self.sentinels.clone() {
            let this = Arc::clone(self);
            attempts.spawn(async move { this.open_primary_of(&sentinel).await });
        }
        let mut last = RedisStoreError::runtime_ended();
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error,
                Err(_) => {}
            }
        }
        Err(last)
    }

    async fn open_primary_of(&self, sentinel: &Client) -> Result<Connection, RedisStoreError> {
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let address = Connection::open(sentinel).await?.query(&ask).await?;
        let address = from_redis_value::<Option<(String, u16)>>(address);
        let unexpected = |_| RedisStoreError::new(RedisStoreErrorKind::Unexpected);
        let Some((host, port)) = address.map_err(unexpected)? else {
            return Err(RedisStoreError::no_primary(
                "the sentinels do not monitor a primary of this name",
            ));
        };
        let connection = Connection::open(&client_at(&self.primary, &host, port)?).await?;
        match connection.query(&cmd("ROLE")).await {
            Ok(Value::Array(role)) if role.first() != Some(&Value::BulkString("master".into())) => {
                Err(RedisStoreError::no_primary("a sentinel names a replica"))
            }
            Err(error) if !is_unavailable(&error) => Err(error.into()),
            _ => Ok(connection),
        }
    }
}
