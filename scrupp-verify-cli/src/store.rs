//! Store of acknowledged deliveries, selected by a URL.

use core::{fmt::Display, time::Duration};

use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
use scrupp_verify_sqlx::SqlxStore;
use scrupp_verify_tower::{
    Dedup,
    dedup::{ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::output::{Error, note};

/// Time limit for PostgreSQL's first response.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the store at a URL. No error contains the URL.
pub(crate) async fn open(url: &str) -> Result<Dedup, Error> {
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match scheme {
        "memory" => Ok(MemoryStore::default().into()),
        "sqlite" => sqlite(rest).await,
        "postgres" | "postgresql" => postgres(url).await,
        "redis" | "rediss" => redis(RedisStore::new(url).map_err(usage)?).await,
        "redis+cluster" => redis_cluster(rest).await,
        _ => Err(usage(
            "expected memory:, sqlite:, postgres:, redis:, rediss: or redis+cluster:",
        )),
    }
}

async fn sqlite(path: &str) -> Result<Dedup, Error> {
    if path.is_empty() || path.contains([':', '?']) {
        return Err(usage("expected the path of a file, without parameters"));
    }
    let store = SqlxStore::sqlite_file(path);
    store.migrate().await.map_err(failed)?;
    // In a burst, deliveries wait for each other, because SQLite has one writer.
    Ok(Dedup::new(store).store_timeout(Duration::from_secs(5)))
}

async fn postgres(url: &str) -> Result<Dedup, Error> {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    if parameters.contains('@') {
        // Most likely, a password contains `?`, so the driver would parse the rest of the
        // password as parameters.
        return Err(usage(
            "percent-encode `?` and `@` in the user name, password and parameters",
        ));
    }
    let options: PgConnectOptions = url.parse().map_err(usage)?;
    // PgBouncer rejects this parameter of the driver.
    let store = SqlxStore::new(PgPool::connect_lazy_with(options.extra_float_digits(None)));
    let migrated = timeout(START_TIMEOUT, store.migrate()).await;
    let migrated = migrated.map_err(|_| failed("PostgreSQL did not respond"))?;
    migrated.map_err(failed)?;
    Ok(store.into())
}

/// Opens a cluster of `user:password@node,node`. All nodes share the credentials.
async fn redis_cluster(nodes: &str) -> Result<Dedup, Error> {
    let (credentials, nodes) = nodes.split_at(nodes.rfind('@').map_or(0, |at| at + 1));
    let urls = nodes
        .split(',')
        .map(|node| format!("redis://{credentials}{node}"));
    redis(RedisStore::cluster(urls).map_err(usage)?).await
}

/// Claims and releases an id that no delivery has, because the store connects at its first operation. Fails
/// unless the error is temporary.
async fn redis(store: RedisStore) -> Result<Dedup, Error> {
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
                return Err(failed(error));
            }
            _ => note(&format!("warning: store: {error}")),
        }
    }
    Ok(store.into())
}

fn usage(why: impl Display) -> Error {
    Error::Usage(format!("store: {why}"))
}

fn failed(why: impl Display) -> Error {
    Error::failed("store", why)
}
