mod actix;
mod axum;
mod custom;
mod hyper;
pub mod lambda;
mod warp;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use scrupp_verify_core::{ConfigError, Keyring, Secret};

use crate::{PREVIOUS_SECRET, Program, SECRET};

/// A server that verifies deliveries with the default settings, and keeps those that it handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontEnd {
    /// axum, with the tower layer.
    Axum,
    /// actix-web, with its middleware.
    Actix,
    /// warp, with the tower layer.
    Warp,
    /// hyper, with the tower layer.
    Hyper,
    /// hyper, with the core alone.
    Custom,
    /// The program of an example.
    Example(&'static str),
    /// The Lambda example, behind a gateway that sends events like one of the example's event
    /// files.
    Lambda {
        /// Name of the file.
        event: &'static str,
        /// True if the service encodes bodies in Base64.
        base64: bool,
    },
}

/// A running front end.
#[derive(Debug)]
pub struct Server {
    front_end: FrontEnd,
    address: SocketAddr,
    handled: Handled,
}

#[derive(Debug)]
enum Handled {
    Kept(Bodies),
    Listed(Box<Program>),
}

/// Bodies that a handler received.
type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

impl FrontEnd {
    /// Front ends that run in this process.
    pub const IN_PROCESS: [Self; 5] = [
        Self::Axum,
        Self::Actix,
        Self::Warp,
        Self::Hyper,
        Self::Custom,
    ];

    /// Front ends that run as separate programs.
    pub const EXAMPLES: [Self; 8] = [
        Self::Example("example-axum"),
        Self::Example("example-actix"),
        Self::Example("example-warp"),
        Self::Example("example-hyper"),
        Self::Example("example-custom"),
        Self::ROCKET,
        Self::Example("example-poem"),
        Self::Example("example-salvo"),
    ];

    /// The example for Rocket, whose server behaves differently.
    pub const ROCKET: Self = Self::Example("example-rocket");

    /// Starts the front end on a free port of 127.0.0.1.
    pub async fn start(self) -> Server {
        self.start_with(&[]).await
    }

    /// Starts the front end with further settings, which apply only to programs.
    pub async fn start_with(self, settings: &[(&str, String)]) -> Server {
        let bodies = Bodies::default();
        let kept = Arc::clone(&bodies);
        let keep = move |body: &[u8]| lock(&kept).push(body.to_vec());
        let address = match self {
            Self::Axum => axum::start(keep).await,
            Self::Actix => actix::start(keep).await,
            Self::Warp => warp::start(keep).await,
            Self::Hyper => hyper::start(keep).await,
            Self::Custom => custom::start(keep).await,
            Self::Example(package) => {
                return Server::of(self, Program::start(package, settings).await);
            }
            Self::Lambda { event, base64 } => {
                return Server::of(self, lambda::start(event, base64, settings).await);
            }
        };
        Server {
            front_end: self,
            address,
            handled: Handled::Kept(bodies),
        }
    }

    /// Returns true if the handler keeps bodies, and false if it keeps only events.
    #[must_use]
    pub fn keeps_bodies(self) -> bool {
        !matches!(self, Self::Example(_) | Self::Lambda { .. })
    }

    /// Returns true if a gateway passes only the last of repeated headers.
    #[must_use]
    pub fn passes_only_last_header(self) -> bool {
        matches!(self, Self::Lambda { event, .. } if ["rest", "alb"].contains(&event))
    }

    /// Returns true if the server is actix-web.
    #[must_use]
    pub fn is_actix(self) -> bool {
        matches!(self, Self::Actix | Self::Example("example-actix"))
    }
}

impl Server {
    fn of(front_end: FrontEnd, program: Program) -> Self {
        Self {
            front_end,
            address: program.address(),
            handled: Handled::Listed(Box::new(program)),
        }
    }

    /// Returns the kind of the front end.
    #[must_use]
    pub fn front_end(&self) -> FrontEnd {
        self.front_end
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process id of a program.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match &self.handled {
            Handled::Kept(_) => None,
            Handled::Listed(program) => Some(program.pid()),
        }
    }

    /// Returns the body of each run of the handler for a task, or `None` if only the event is
    /// known.
    pub async fn handled(&self, process_id: u64) -> Vec<Option<Vec<u8>>> {
        match &self.handled {
            Handled::Kept(bodies) => {
                let mark = format!("\"process_id\":{process_id},");
                let bodies = lock(bodies);
                let marked = bodies.iter().filter(|body| contains(body, mark.as_bytes()));
                marked.cloned().map(Some).collect()
            }
            Handled::Listed(program) => {
                let response = program.get("/deliveries").await;
                let deliveries: serde_json::Value =
                    serde_json::from_slice(&response.body).expect("JSON");
                let deliveries = deliveries.as_array().expect("an array");
                let same = |event: &&serde_json::Value| event["process_id"] == process_id;
                deliveries.iter().filter(same).map(|_| None).collect()
            }
        }
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn lock(bodies: &Bodies) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    bodies.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keyring() -> Result<Keyring, ConfigError> {
    Ok([Secret::new(SECRET)?, Secret::new(PREVIOUS_SECRET)?].into())
}
