//! A service that stores Scrupp's deliveries, responds at once, and fetches the results in the
//! background.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-inbox`, then send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! curl http://127.0.0.1:3000/results/6666
//! ```
//!
//! `README.md` lists the settings.

mod api_key;
mod environment;
mod errors;
mod fetch_error;
mod inbox;
mod poll;
mod retries;
mod routes;
mod secrets;
mod serve;
mod settings;
mod task_api;
mod workers;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use hyper_util::service::TowerToHyperService;
use scrupp_verify_tower::ScruppVerify;

use crate::{errors::with_causes, inbox::Inbox, poll::poll, workers::Workers};

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        [] => serve().await,
        ["poll", process_id] => poll_task(process_id).await,
        _ => Err("usage: example-inbox [poll PROCESS_ID]".into()),
    };
    ended.unwrap_or_else(|error| errors::exit_code(Err(error)))
}

/// Serves until a signal. If a worker panics, returns exit code 1.
async fn serve() -> Result<ExitCode, Box<dyn Error>> {
    let bind = environment::bind()?;
    let verify = ScruppVerify::new(secrets::keyring()?);
    let (api, retries) = (settings::task_api()?, settings::retries()?);
    let inbox = Inbox::open(&settings::database_url()?).await;
    let inbox = inbox.map_err(|error| format!("DATABASE_URL: {}", with_causes(&*error)))?;

    let mut workers = Workers::start(&inbox, &api, retries);
    let app = TowerToHyperService::new(routes::router(inbox, verify));
    let ended = tokio::select! {
        served = serve::until_stopped(&bind.address, app) => {
            served.map_err(|error| format!("{}: {error}", bind.setting))?;
            workers.stop().await
        }
        ended = workers.ended() => ended,
    };
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`, which panics if the write fails.
            let _ = writeln!(io::stderr(), "a worker ended: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Waits for a task, and prints its result.
async fn poll_task(process_id: &str) -> Result<ExitCode, Box<dyn Error>> {
    let id = process_id.parse();
    let id = id.map_err(|_| format!("{process_id}: not a process id"))?;
    let polled = poll(&settings::task_api()?, settings::retries()?, id).await;
    let printed = polled.and_then(|result| {
        let printed = writeln!(io::stdout(), "{result}");
        printed.map_err(|error| format!("cannot print the result: {error}"))
    });
    Ok(match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "task {id}: {error}");
            ExitCode::FAILURE
        }
    })
}
