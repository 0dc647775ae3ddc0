use core::{fmt, time::Duration};
use std::sync::Arc;

use redis::{
    Client, FromRedisValue, Script, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};

use crate::{RedisStoreError, RedisStoreErrorKind};

/// A [`DeliveryStore`] in Redis (7 or later) or Valkey, for a service of several processes.
///
/// Each operation is one round trip, on one key: so it works with a cluster's proxy too, and there
/// is nothing to clean up, since every key expires. A key's value is the word `acknowledged`, or
/// the [`ClaimToken`] of the claim in hex digits.
///
/// # Reconnecting
///
/// It connects when it is first used, and again when a connection broke off. An operation then
/// fails at once, after one second at most, rather than wait for Redis to come back: Scrupp tries
/// again. Clones share the connection, on which operations do not wait for each other.
///
/// # Security
///
/// Whoever can write to this Redis can make deliveries be handled twice, or never; but not make a
/// forged one be handled.
///
/// # Examples
///
/// ```
/// use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::new("redis://127.0.0.1:6379/0")?.key_prefix("billing:scrupp:");
///
/// let error = RedisStore::new("http://127.0.0.1").unwrap_err();
/// assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    scripts: Arc<Scripts>,
    key_prefix: Arc<str>,
}

/// What Redis runs as one step each, by the rules of `dedup::Record`.
struct Scripts {
    claim: Script,
    commit: Script,
    release: Script,
}

const CLAIM: &str = "
local held = redis.call('GET', KEYS[1])
if held == 'acknowledged' then return 'acknowledged' end
if held and held ~= ARGV[1] then return 'in flight' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'granted'";

const COMMIT: &str = "
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and held ~= 'acknowledged' then return 0 end
redis.call('SET', KEYS[1], 'acknowledged', 'PX', ARGV[2])
return 1";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

/// How long Redis may take to be connected to, and to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

impl RedisStore {
    /// A store in the Redis at this URL, `redis://[user:password@]host[:port][/database]`, or
    /// `rediss://` with the feature `tls`. Does not connect yet.
    ///
    /// # Errors
    ///
    /// [`RedisStoreErrorKind::InvalidUrl`], and [`RedisStoreErrorKind::NoRuntime`] outside of a
    /// tokio runtime, on which the connection is to live.
    pub fn new(url: &str) -> Result<Self, RedisStoreError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(RedisStoreError::new(RedisStoreErrorKind::NoRuntime));
        }
        #[cfg(feature = "tls")]
        {
            // An error says that the program has made its choice.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let invalid = |_| RedisStoreError::new(RedisStoreErrorKind::InvalidUrl);
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(0);
        let client = Client::open(url).map_err(invalid)?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            scripts: Arc::new(Scripts {
                claim: Script::new(CLAIM),
                commit: Script::new(COMMIT),
                release: Script::new(RELEASE),
            }),
            key_prefix: "scrupp:delivery:".into(),
        })
    }

    /// Sets what keys start with, by default `scrupp:delivery:`. What shares a prefix shares its
    /// deliveries.
    #[must_use]
    pub fn key_prefix(mut self, prefix: &str) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    fn step<'s>(
        &self,
        script: &'s Script,
        id: DeliveryId,
        token: ClaimToken,
    ) -> ScriptInvocation<'s> {
        let mut step = script.key(format!("{}{id}", self.key_prefix));
        step.arg(format!("{:032x}", u128::from_be_bytes(*token.as_bytes())));
        step
    }

    async fn run<T: FromRedisValue>(
        &self,
        step: ScriptInvocation<'_>,
    ) -> Result<T, RedisStoreError> {
        Ok(step.invoke_async(&mut self.connection.clone()).await?)
    }
}

impl DeliveryStore for RedisStore {
    type Error = RedisStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, RedisStoreError> {
        let mut step = self.step(&self.scripts.claim, id, token);
        step.arg(millis(lease));
        match &*self.run::<String>(step).await? {
            "granted" => Ok(Claim::Granted),
            "in flight" => Ok(Claim::InFlight),
            "acknowledged" => Ok(Claim::Acknowledged),
            _ => Err(RedisStoreError::new(RedisStoreErrorKind::Unexpected)),
        }
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, RedisStoreError> {
        let mut step = self.step(&self.scripts.commit, id, token);
        step.arg(millis(retention));
        self.run(step).await
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), RedisStoreError> {
        let step = self.step(&self.scripts.release, id, token);
        self.run::<i64>(step).await.map(drop)
    }
}

/// Converts to what Redis takes as an expiry: whole milliseconds, rounded up so that a claim lasts
/// at least as long as asked, from 1 to the most that Redis can count to.
fn millis(duration: Duration) -> u64 {
    const MAX: u64 = 1 << 52;
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(MAX).clamp(1, MAX)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("key_prefix", &self.key_prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_expiries_up_to_whole_milliseconds() {
        for (duration, expiry) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(900), 900),
            (Duration::from_nanos(900_000_001), 901),
            (Duration::MAX, 1 << 52),
        ] {
            assert_eq!(millis(duration), expiry, "{duration:?}");
        }
    }
}
