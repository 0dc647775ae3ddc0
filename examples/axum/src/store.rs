//! The store of claims, by its URL.

use std::{error::Error, time::Duration};

use scrupp_verify_redis::RedisStore;
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError, SqlxStoreErrorKind};
use scrupp_verify_tower::{Dedup, dedup::MemoryStore};
use sqlx::{PgPool, Postgres, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};
use tracing::{
    info,
    subscriber::{NoSubscriber, with_default},
    warn,
};

use crate::{environment::text, errors::with_causes};

/// Time limit of an attempt to create PostgreSQL's table. The server starts without it after that.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store at `STORE_URL`, or at its older name `REDIS_URL`. The default is a SQLite file in
/// the working directory.
pub(crate) async fn open() -> Result<Dedup, String> {
    let (name, url) = match (text("STORE_URL")?, text("REDIS_URL")?) {
        (Some(url), _) => ("STORE_URL", url),
        (None, Some(url)) => ("REDIS_URL", url),
        (None, None) => ("STORE_URL", "sqlite:deliveries.db".to_owned()),
    };
    let store = at(&url).await;
    let store = store.map_err(|error| format!("{name}: {}", with_causes(&*error)))?;
    // Credentials are before the `@`, or in a parameter.
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
        "redis" | "rediss" => Ok(RedisStore::new(url)?.into()),
        "redis+cluster" => redis_cluster(rest.strip_prefix("//").unwrap_or(rest)),
        _ => Err("expected memory:, sqlite:, postgres:, redis:, rediss: or redis+cluster:".into()),
    }
}

async fn sqlite(path: &str) -> Result<Dedup, Box<dyn Error>> {
    if path.is_empty() || path.contains([':', '?']) {
        return Err("expected the path of a file, without parameters".into());
    }
    let store = SqlxStore::sqlite_file(path);
    store.migrate().await?;
    // In a burst, deliveries wait for the disk, one after the other.
    Ok(Dedup::new(store).store_timeout(Duration::from_secs(5)))
}

/// Takes `user:password@node,node`: the credentials are those of all nodes.
fn redis_cluster(nodes: &str) -> Result<Dedup, Box<dyn Error>> {
    let (credentials, nodes) = nodes.split_at(nodes.rfind('@').map_or(0, |at| at + 1));
    let urls = nodes
        .split(',')
        .map(|node| format!("redis://{credentials}{node}"));
    Ok(RedisStore::cluster(urls)?.into())
}

/// Responds with 503 until the database can be reached, as with Redis.
async fn postgres(url: &str) -> Result<Dedup, Box<dyn Error>> {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    if parameters.contains('@') {
        // Most likely in a password, which the driver would take for a parameter, and log.
        return Err("percent-encode `?` and `@` in the user name, password and parameters".into());
    }
    // The driver logs parameters that it does not know, with their values.
    let options: PgConnectOptions = with_default(NoSubscriber::new(), || url.parse())?;
    // PgBouncer rejects this parameter of the driver.
    let store = SqlxStore::new(PgPool::connect_lazy_with(options.extra_float_digits(None)));
    let migration = tokio::spawn(migrate(store.clone()));
    // After the time-out, the task continues.
    if let Ok(migrated) = timeout(MIGRATION_TIMEOUT, migration).await {
        migrated??;
    }
    Ok(store.into())
}

/// Creates the table, as soon as the database can be reached.
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
