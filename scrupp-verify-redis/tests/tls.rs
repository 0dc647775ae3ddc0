//! Errors of TLS connections to Redis.

use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};

#[cfg(feature = "tls")]
#[tokio::test]
async fn reports_a_failed_handshake() {
    use core::time::Duration;
    use scrupp_verify_core::dedup::{ClaimToken, DeliveryId, DeliveryStore};
    use std::{io::Write, net::TcpListener};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // A Redis server without TLS.
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"-ERR unknown command\r\n").unwrap();
        std::thread::sleep(Duration::from_secs(2));
    });
    let store = RedisStore::new(&format!("rediss://:hunter2@{address}")).unwrap();
    let claim = store.claim(
        DeliveryId::of(&[b"1"]),
        ClaimToken::from_bytes([1; 16]),
        Duration::from_secs(1),
    );
    let error = claim.await.unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::Unreachable);
    assert_eq!(
        error.to_string(),
        "Redis cannot be reached: received corrupt message of type InvalidContentType"
    );
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn rejects_a_tls_url_without_the_feature() {
    let error = RedisStore::new("rediss://:hunter2@127.0.0.1").unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
    assert_eq!(
        error.to_string(),
        "invalid Redis URL: rediss:// needs the feature `tls` of scrupp-verify-redis"
    );
}
