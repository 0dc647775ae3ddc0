//! Handlers that acknowledge a delivery in the transaction of its effects, in SQLite and
//! PostgreSQL.

use core::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::post,
};
use scrupp_verify_core::{
    Secret,
    dedup::{Claimed, DeliveryStore},
};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError};
use scrupp_verify_tests::{Postgres, Retries, SECRET, Scrupp, signed};
use scrupp_verify_tower::{Dedup, ScruppClaim, ScruppEvent, ScruppVerify};
use sqlx::{
    PgPool, SqlitePool, query, query_as, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    net::TcpListener,
    spawn,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{Directory, RETENTION, id, token};

/// A database with the table of claims and a table of effects.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Evaluates an expression with the pool of a database.
macro_rules! with_pool {
    ($database:expr, $pool:ident => $value:expr) => {
        match $database {
            Database::Sqlite($pool) => $value,
            Database::Postgres($pool) => $value,
        }
    };
}

impl Database {
    /// Opens a PostgreSQL database by its URL, or a SQLite database by its path.
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("postgres:") {
            return Self::Postgres(PgPool::connect(url).await.unwrap());
        }
        let options = SqliteConnectOptions::new()
            .filename(url)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(1));
        Self::Sqlite(SqlitePool::connect_with(options).await.unwrap())
    }

    pub(crate) async fn create_tables(&self) {
        with_pool!(self, pool => {
            SqlxStore::new(pool.clone()).migrate().await.unwrap();
            let effects = query("CREATE TABLE effects (process_id bigint NOT NULL)");
            effects.execute(pool).await.unwrap();
        });
    }

    /// Returns the process id of each effect.
    pub(crate) async fn effects(&self) -> Vec<i64> {
        let effects = "SELECT process_id FROM effects ORDER BY process_id";
        with_pool!(self, pool => query_scalar(effects).fetch_all(pool).await.unwrap())
    }

    /// Counts effects and acknowledgements in one snapshot.
    pub(crate) async fn counts(&self) -> (i64, i64) {
        let counts = "SELECT (SELECT count(*) FROM effects),
            (SELECT count(*) FROM scrupp_deliveries WHERE token IS NULL)";
        with_pool!(self, pool => query_as(counts).fetch_one(pool).await.unwrap())
    }

    /// Starts a server with this database.
    pub(crate) async fn serve(self, lease: Duration) -> (SocketAddr, Points) {
        let (steps, points) = mpsc::unbounded_channel();
        let dedup = with_pool!(&self, pool => Dedup::new(SqlxStore::new(pool.clone())));
        let secret = Secret::new(SECRET).unwrap();
        let verify = ScruppVerify::new(secret).dedup(dedup.lease(lease));
        let service = Service {
            database: self,
            steps,
        };
        let app = Router::new()
            .route("/webhooks/scrupp", post(delivered))
            .layer(verify)
            .layer(from_fn_with_state(service.clone(), completed))
            .with_state(service);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async { axum::serve(listener, app).await });
        (address, Points(points))
    }
}

/// The points in the handling of a delivery, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Claimed,
    Begun,
    Affected,
    Acknowledged,
    Committed,
    /// After the commit by the adapter, before the response.
    Completed,
}

/// A handler that waits at a point. Continues if it receives true, and fails otherwise.
type Step = (Point, oneshot::Sender<bool>);

/// The handlers of a server that wait at points.
pub(crate) struct Points(mpsc::UnboundedReceiver<Step>);

impl Points {
    pub(crate) async fn next(&mut self) -> Step {
        let next = timeout(Duration::from_secs(60), self.0.recv());
        next.await.unwrap().unwrap()
    }

    /// Lets handlers continue until one waits at this point.
    async fn run_to(&mut self, point: Point) -> oneshot::Sender<bool> {
        loop {
            match self.next().await {
                (at, next) if at == point => return next,
                (_, next) => next.send(true).unwrap(),
            }
        }
    }
}

#[derive(Clone)]
struct Service {
    database: Database,
    steps: mpsc::UnboundedSender<Step>,
}

impl Service {
    async fn at(&self, point: Point) -> Result<(), sqlx::Error> {
        let (next, signal) = oneshot::channel();
        let _ = self.steps.send((point, next));
        match signal.await {
            Ok(true) => Ok(()),
            _ => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Returns false if the claim was lost.
    async fn handle(&self, claimed: &Claimed, process_id: i64) -> Result<bool, SqlxStoreError> {
        self.at(Point::Claimed).await?;
        let begin = match self.database {
            Database::Sqlite(_) => "BEGIN IMMEDIATE",
            Database::Postgres(_) => "BEGIN",
        };
        with_pool!(&self.database, pool => {
            let mut transaction = pool.begin_with(begin).await?;
            self.at(Point::Begun).await?;
            let effect = query("INSERT INTO effects VALUES ($1)").bind(process_id);
            effect.execute(&mut *transaction).await?;
            self.at(Point::Affected).await?;
            let store = SqlxStore::new(pool.clone());
            if !store.commit_in(claimed, &mut transaction).await? {
                return Ok(false);
            }
            self.at(Point::Acknowledged).await?;
            transaction.commit().await?;
        });
        self.at(Point::Committed).await?;
        Ok(true)
    }
}

async fn delivered(
    State(service): State<Service>,
    ScruppClaim(claimed): ScruppClaim,
    ScruppEvent(event): ScruppEvent,
) -> StatusCode {
    let process_id = event.process_id().unwrap() as i64;
    match service.handle(&claimed, process_id).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn completed(State(service): State<Service>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status().is_success() {
        let _ = service.at(Point::Completed).await;
    }
    response
}

const LEASE: Duration = Duration::from_millis(300);

/// A server with its own database. Both are stopped on drop.
struct Receiver {
    database: Database,
    address: SocketAddr,
    points: Points,
    /// Process id of the next delivery.
    process_id: u64,
    _ends: (Option<Postgres>, Option<Directory>),
}

impl Receiver {
    async fn on_both() -> [Self; 2] {
        let (directory, postgres) = (Directory::new(), Postgres::start().await);
        let file = directory.file();
        let (file, url) = (file.to_str().unwrap(), postgres.url());
        [
            Self::start(file, (None, Some(directory))).await,
            Self::start(&url, (Some(postgres), None)).await,
        ]
    }

    async fn start(url: &str, ends: (Option<Postgres>, Option<Directory>)) -> Self {
        let database = Database::open(url).await;
        database.create_tables().await;
        let (address, points) = database.clone().serve(LEASE).await;
        Self {
            database,
            address,
            points,
            process_id: 1,
            _ends: ends,
        }
    }

    /// Sends one attempt at the delivery. The task returns the status of the response.
    fn deliver(&self) -> JoinHandle<u16> {
        let scrupp = Scrupp::new(Retries::NewHeaders).max_attempts(1);
        let scrupp = scrupp.timeout(Duration::from_secs(60));
        let event = String::from_utf8(signed(self.process_id).body).unwrap();
        let address = self.address;
        spawn(async move {
            scrupp
                .deliver(&[address], &event)
                .await
                .pop()
                .flatten()
                .unwrap()
        })
    }

    async fn run_to(&mut self, point: Point) -> oneshot::Sender<bool> {
        self.points.run_to(point).await
    }

    /// Lets an attempt continue to its response, and returns the status.
    async fn complete(&mut self, attempt: JoinHandle<u16>) -> u16 {
        let next = self.run_to(Point::Completed).await;
        next.send(true).unwrap();
        attempt.await.unwrap()
    }

    /// Asserts that the delivery was handled once, and that another attempt is a duplicate.
    /// Advances to the next delivery.
    async fn assert_handled_once(&mut self) {
        let duplicate = self.deliver();
        // The first point is after the handler, so the handler did not run.
        let (point, next) = self.points.next().await;
        assert_eq!(point, Point::Completed);
        next.send(true).unwrap();
        assert_eq!(duplicate.await.unwrap(), 200);
        let count = self.process_id as i64;
        let once: Vec<_> = (1..=count).collect();
        assert_eq!(self.database.effects().await, once);
        assert_eq!(self.database.counts().await, (count, count));
        self.process_id += 1;
    }
}

#[tokio::test]
async fn late_attempt_is_rolled_back() {
    for mut receiver in Receiver::on_both().await {
        for second_is_in_flight in [false, true] {
            let first = receiver.deliver();
            let first_next = receiver.run_to(Point::Claimed).await;
            sleep(2 * LEASE).await;
            let second = receiver.deliver();
            let mut second_next = receiver.run_to(Point::Claimed).await;
            if !second_is_in_flight {
                second_next.send(true).unwrap();
                second_next = receiver.run_to(Point::Committed).await;
            }
            first_next.send(true).unwrap();
            let first_next = receiver.run_to(Point::Affected).await;
            first_next.send(true).unwrap();
            assert_eq!(first.await.unwrap(), 503);
            second_next.send(true).unwrap();
            assert_eq!(receiver.complete(second).await, 200);
            receiver.assert_handled_once().await;
        }
    }
}

#[tokio::test]
async fn uncommitted_acknowledgement_blocks_further_claims() {
    for mut receiver in Receiver::on_both().await {
        let first = receiver.deliver();
        let first_next = receiver.run_to(Point::Acknowledged).await;
        sleep(2 * LEASE).await;
        assert_eq!(receiver.deliver().await.unwrap(), 503);
        first_next.send(true).unwrap();
        assert_eq!(receiver.complete(first).await, 200);
        receiver.assert_handled_once().await;
    }
}

#[tokio::test]
async fn serialization_failure_is_a_lost_lease() {
    for receiver in Receiver::on_both().await {
        let begin = match receiver.database {
            Database::Sqlite(_) => "BEGIN",
            Database::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        with_pool!(&receiver.database, pool => {
            let store = SqlxStore::new(pool.clone());
            store.claim(id(1), token(1), LEASE).await.unwrap();
            let mut transaction = pool.begin_with(begin).await.unwrap();
            let rows = query("SELECT id FROM scrupp_deliveries");
            rows.fetch_all(&mut *transaction).await.unwrap();
            // Another transaction changes the row after the read.
            store.claim(id(1), token(1), LEASE).await.unwrap();
            let claimed = Claimed::new(id(1), token(1), RETENTION);
            assert!(!store.commit_in(&claimed, &mut transaction).await.unwrap());
        });
    }
}

#[tokio::test]
async fn failed_handler_runs_again_unless_it_has_committed() {
    for mut receiver in Receiver::on_both().await {
        for point in [Point::Affected, Point::Acknowledged, Point::Committed] {
            let first = receiver.deliver();
            receiver.run_to(point).await.send(false).unwrap();
            assert_eq!(first.await.unwrap(), 500);
            if point != Point::Committed {
                let second = receiver.deliver();
                assert_eq!(receiver.complete(second).await, 200);
            }
            receiver.assert_handled_once().await;
        }
    }
}
