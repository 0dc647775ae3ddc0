//! What the store of claims is told, in which order, and by whom.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{convert::Infallible, time::Duration};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use scrupp_verify_tower::{
    ScruppVerify, Secret, Signer, UnixTime, VerifiedBody,
    dedup::{Claim, DeliveryId, DeliveryStore, Owner},
};
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};

const NOW: u64 = 1_735_471_800;
const EVENT: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

/// A store that grants everything, and keeps a list of what it was told.
#[derive(Clone, Default)]
struct Recorder {
    told: Arc<Mutex<Vec<&'static str>>>,
    /// Releases without being waited for.
    is_local: bool,
    /// Takes a second to commit.
    is_slow: bool,
}

impl Recorder {
    fn tell(&self, what: &'static str) {
        self.told.lock().unwrap().push(what);
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }
}

impl DeliveryStore for Recorder {
    type Error = Infallible;

    async fn claim(&self, _: DeliveryId, _: Owner, _: Duration) -> Result<Claim, Infallible> {
        self.tell("claim");
        Ok(Claim::Granted)
    }

    async fn commit(&self, _: DeliveryId, _: Owner, _: Duration) -> Result<bool, Infallible> {
        self.tell("commit");
        if self.is_slow {
            sleep(Duration::from_secs(1)).await;
            self.tell("committed");
        }
        Ok(true)
    }

    async fn release(&self, _: DeliveryId, _: Owner) -> Result<(), Infallible> {
        self.tell("release");
        Ok(())
    }

    fn release_now(&self, _: DeliveryId, _: Owner) -> bool {
        self.tell("release now");
        self.is_local
    }
}

/// A delivery whose handler answers so, after a second; the client waits for so long.
async fn deliver(store: &Recorder, status: StatusCode, patience: Duration) {
    let secret = Secret::new("topsecret").unwrap();
    let headers = Signer::new(&secret).sign(UnixTime::from_secs(NOW), EVENT);
    let mut request = Request::post("/");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from_static(EVENT))).unwrap();
    let handler = service_fn(move |_: Request<VerifiedBody>| async move {
        sleep(Duration::from_secs(1)).await;
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    });
    let layer = ScruppVerify::new(secret)
        .clock(|| Some(UnixTime::from_secs(NOW)))
        .dedup(store.clone());
    let _ = timeout(patience, layer.layer(handler).oneshot(request)).await;
    // What goes on in the background has its time.
    sleep(Duration::from_secs(5)).await;
}

const FOR_EVER: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn is_told_of_a_success_once() {
    for is_local in [false, true] {
        let store = Recorder {
            is_local,
            ..Recorder::default()
        };
        deliver(&store, StatusCode::NO_CONTENT, FOR_EVER).await;
        assert_eq!(store.told(), ["claim", "commit"]);
    }
}

#[tokio::test(start_paused = true)]
async fn is_told_of_a_failure_once() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND] {
        let store = Recorder::default();
        deliver(&store, status, FOR_EVER).await;
        assert_eq!(store.told(), ["claim", "release"]);
    }
}

#[tokio::test(start_paused = true)]
async fn is_told_of_a_hang_up_at_once_or_in_the_background() {
    let patience = Duration::from_millis(500);
    let local = Recorder {
        is_local: true,
        ..Recorder::default()
    };
    deliver(&local, StatusCode::OK, patience).await;
    assert_eq!(local.told(), ["claim", "release now"]);
    let remote = Recorder::default();
    deliver(&remote, StatusCode::OK, patience).await;
    assert_eq!(remote.told(), ["claim", "release now", "release"]);
}

#[tokio::test(start_paused = true)]
async fn hears_a_commit_to_its_end_though_the_client_hangs_up() {
    let store = Recorder {
        is_slow: true,
        ..Recorder::default()
    };
    deliver(&store, StatusCode::OK, Duration::from_millis(1500)).await;
    assert_eq!(store.told(), ["claim", "commit", "committed"]);
}
