//! How often a `RedisStore` asks its server.

use core::time::Duration;

use scrupp_verify_core::dedup::{ClaimToken, DeliveryId, DeliveryStore};
use scrupp_verify_redis::RedisStore;
use scrupp_verify_tests::Redis;
use tokio::runtime;

use crate::{figure::Figure, load::Result};

const CLAIMS: u64 = 100;

pub(crate) fn figures() -> Result<Vec<Figure>> {
    let redis = Redis::start(&[]);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let round_trips = runtime.block_on(async {
        let store = RedisStore::new(&redis.url())?;
        let claim = |number: u64| {
            let id = DeliveryId::of(&[&number.to_be_bytes()]);
            let token = ClaimToken::from_bytes(u128::from(number).to_be_bytes());
            store.claim(id, token, Duration::from_secs(60))
        };
        // The first one brings the script along.
        claim(0).await?;
        let asked = || ["eval", "evalsha", "script|load"].map(|command| redis.calls(command));
        let before: u64 = asked().iter().sum();
        for number in 1..=CLAIMS {
            claim(number).await?;
        }
        Ok::<_, Box<dyn core::error::Error>>(asked().iter().sum::<u64>() - before)
    })?;
    let each = round_trips as f64 / CLAIMS as f64;
    Ok(vec![Figure::at_most(
        "redis_store_claim_round_trips",
        each,
        1.0,
    )])
}
