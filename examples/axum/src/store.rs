//! The store of acknowledged deliveries, selected by its URL.

use std::{error::Error, time::Duration};

use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError, SqlxStoreErrorKind};
use scrupp_verify_tower::{
    Dedup,
    dedup::{ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use sqlx::{PgPool, Postgres, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};
use tracing::{
    info,
    subscriber::{NoSubscriber, with_default},
    warn,
};

use crate::{environment::text, errors::with_causes};

/// Time limit of an attempt to create the table in PostgreSQL. The server starts after this time at the
/// latest.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store at `STORE_URL` or `REDIS_URL`, by default `sqlite:deliveries.db`.
pub(crate) async fn open() -> Result<Dedup, String> {
    let (name, url) = match (text("STORE_URL")?, text("REDIS_URL")?) {
        (Some(url), _) => ("STORE_URL", url),
        (None, Some(url)) => ("REDIS_URL", url),
        (None, None) => ("STORE_URL", "sqlite:deliveries.db".to_owned()),
    };
    let store = at(&url).await;
    let store = store.map_err(|error| format!("{name}: {}", with_causes(&*error)))?;
    // Logs no credentials, which are before the `@` or in a parameter.
    let (shown, _) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, shown) = shown.split_once(':').unwrap_or((shown, ""));
    let (_, place) = shown.rsplit_once('@').unwrap_or(("", shown));
    info!(scheme, place, "store of claims");
    Ok(store)
}

async fn at(url: &str) -> Result<Dedup, Box<dyn Error>> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" => Ok(MemoryStore::default().into()),
        "sqlite" => sqlite(rest.strip_prefix("//").unwrap_or(rest)).await,
        "postgres" | "postgresql" => postgres(url).await,
        "redis" | "rediss" => redis(RedisStore::new(url)?).await,
        "redis+cluster" => redis_cluster(rest.strip_prefix("//").unwrap_or(rest)).await,
        _ => Err("expected memory:, sqlite:, postgres:, redis:, rediss: or redis+cluster:".into()),
    }
}

async fn sqlite(path: &str) -> Result<Dedup, Box<dyn Error>> {
    if path.is_empty() || path.contains([':', '?']) {
        return Err("expected the path of a file, without parameters".into());
    }
    let store = SqlxStore::sqlite_file(path);
    store.migrate().await?;
    // SQLite commits one delivery at a time, so a burst of deliveries waits for the disk.
    Ok(Dedup::new(store).store_timeout(Duration::from_secs(5)))
}

/// Opens a Redis Cluster. `nodes` is `user:password@node,node`, with the same credentials for all nodes.
async fn redis_cluster(nodes: &str) -> Result<Dedup, Box<dyn Error>> {
    let (credentials, nodes) = nodes.split_at(nodes.rfind('@').map_or(0, |at| at + 1));
    let urls = nodes
        .split(',')
        .map(|node| format!("redis://{credentials}{node}"));
    redis(RedisStore::cluster(urls)?).await
}

/// Claims and releases an id that no delivery has, because the store connects at its first operation. While
/// Redis is unavailable, operations fail.
async fn redis(store: RedisStore) -> Result<Dedup, Box<dyn Error>> {
    use RedisStoreErrorKind::{ClusterNode, Rejected, Unauthorized};
    let (id, token) = (DeliveryId::of(&[b"start"]), ClaimToken::from_bytes([0; 16]));
    let mut checked = store
        .claim(id, token, Duration::from_secs(1))
        .await
        .map(drop);
    if checked.is_ok() {
        checked = store.release(id, token).await;
    }
    if let Err(error) = checked {
        match (error.kind(), error.code()) {
            // Other codes are temporary, such as `LOADING`.
            (ClusterNode | Unauthorized, _) | (Rejected, Some("ERR" | "NOPERM")) => {
                return Err(error.into());
            }
            _ => warn!(%error, "Redis is unavailable"),
        }
    }
    Ok(store.into())
}

/// Opens a PostgreSQL database. While the database is unavailable, operations fail.
async fn postgres(url: &str) -> Result<Dedup, Box<dyn Error>> {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    if parameters.contains('@') {
        // Usually an unescaped password, which sqlx would parse and log as a parameter.
        return Err("percent-encode `?` and `@` in the user name, password and parameters".into());
    }
    // sqlx logs unknown URL parameters with their values, which may contain secrets.
    let options: PgConnectOptions = with_default(NoSubscriber::new(), || url.parse())?;
    // PgBouncer rejects this startup parameter.
    let store = SqlxStore::new(PgPool::connect_lazy_with(options.extra_float_digits(None)));
    let migration = tokio::spawn(migrate(store.clone()));
    // The task continues after the timeout.
    if let Ok(migrated) = timeout(MIGRATION_TIMEOUT, migration).await {
        migrated??;
    }
    Ok(store.into())
}

/// Creates the table as soon as the database is available.
async fn migrate(store: SqlxStore<Postgres>) -> Result<(), SqlxStoreError> {
    use SqlxStoreErrorKind::{PoolExhausted, Unreachable};
    loop {
        match timeout(MIGRATION_TIMEOUT, store.migrate()).await {
            Ok(Err(error)) if matches!(error.kind(), PoolExhausted | Unreachable) => {
                warn!(%error, "PostgreSQL cannot be reached");
            }
            Ok(migrated) => return migrated,
            Err(_) => warn!("PostgreSQL does not respond"),
        }
        sleep(Duration::from_secs(1)).await;
    }
}
