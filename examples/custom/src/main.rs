//! A server that takes Scrupp's deliveries, without any HTTP framework: std, httparse, and the
//! core of scrupp-verify.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-custom`, and send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! ```

use std::{error::Error, net::TcpListener, process, sync::Arc, thread};

use example_custom::{Answer, Receiver, serve_all};
use example_support::{deliveries, settings};
use scrupp_verify_core::{Verifier, events::Event};
use signal_hook::{consts, iterator::Signals};

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        process::exit(2);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let receiver = Receiver::new(Verifier::new(settings::keyring()?), delivered);
    let bind = settings::bind();
    let listener = TcpListener::bind(&bind);
    let listener = listener.map_err(|error| format!("BIND={bind}: {error}"))?;
    let mut signals = Signals::new([consts::SIGINT, consts::SIGTERM])?;
    println!("listening on http://{}", listener.local_addr()?);

    thread::spawn(move || serve_all(&listener, &Arc::new(receiver), other));
    signals.forever().next();
    Ok(())
}

/// Runs only on what Scrupp sent, and once for each event.
fn delivered(body: &[u8]) -> Answer {
    match Event::from_json(body) {
        Ok(event) => {
            deliveries::add(event);
            Answer::status(200)
        }
        Err(_) => Answer::status(422),
    }
}

/// Whatever else is asked for.
fn other(method: &str, path: &str) -> Answer {
    match (method, path) {
        ("GET", "/healthz") => Answer::status(200),
        ("GET", "/deliveries") => match serde_json::to_string(&deliveries::all()) {
            Ok(json) => Answer::json(json),
            Err(_) => Answer::status(500),
        },
        _ => Answer::status(404),
    }
}
