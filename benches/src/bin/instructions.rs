//! Cases whose instructions `scripts/check-instructions` counts.
//!
//! `instructions CASE` runs a case inside the counted function. The output is the number of calls.

use core::hint::black_box;
use std::{env, process::ExitCode};

use bytes::Bytes;
use http_body_util::Full;
use scrupp_verify_benches::{
    delivery::{self, HttpHead},
    service::{Handler, call, request, runtime},
};
use scrupp_verify_core::{Secret, UnixTime, Verifier};
use scrupp_verify_tower::ScruppVerify;
use sha2::block_api::compress256;
use tower::{Layer, Service};

/// Fixed time, so that every run executes the same instructions.
const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

const REPEATS: usize = 100;

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    let runtime = runtime();
    let _entered = runtime.enter();
    match case.as_str() {
        "compressions_5" => compressions::<5>(),
        "compressions_6" => compressions::<6>(),
        "compressions_66" => compressions::<66>(),
        "verify_256" => verify(&Verifier::new(delivery::secret()), 256),
        "verify_256_4_secrets" => verify(&Verifier::new([1, 2, 3, 4].map(secret)), 256),
        "verify_4096" => verify(&Verifier::new(delivery::secret()), 4096),
        "verify_256_http_headers" => verify_http_headers(256),
        "reject_stale" => reject_stale(),
        "tower_bare" => tower(&mut Handler),
        "tower_layer" => {
            tower(
                &mut ScruppVerify::new(delivery::secret())
                    .clock(|| Some(NOW))
                    .layer(Handler),
            );
        }
        _ => {
            eprintln!("unknown case {case}");
            return ExitCode::from(2);
        }
    }
    println!("{REPEATS}");
    ExitCode::SUCCESS
}

/// Returns one of four secrets. The fourth is the secret that signs.
fn secret(number: u8) -> Secret {
    match number {
        4 => delivery::secret(),
        other => Secret::new([b'k', other]).expect("neither empty nor padded"),
    }
}

/// Function whose instructions are counted. Excludes the first call, which does one-time preparation.
#[inline(never)]
fn counted(turn: &mut dyn FnMut()) {
    for _ in 0..REPEATS {
        turn();
    }
}

fn count(mut turn: impl FnMut()) {
    turn();
    counted(&mut turn);
}

fn compressions<const BLOCKS: usize>() {
    let blocks = [[7; 64]; BLOCKS];
    let mut state = [0; 8];
    count(|| compress256(black_box(&mut state), black_box(&blocks)));
}

fn verify(verifier: &Verifier, bytes: usize) {
    let body = delivery::body(bytes);
    let signed = delivery::sign_at(NOW, &body);
    let head = signed.pairs();
    count(|| {
        let verified = verifier.verify(black_box(&head), black_box(&body), NOW);
        assert!(black_box(verified).is_ok());
    });
}

fn verify_http_headers(bytes: usize) {
    let body = delivery::body(bytes);
    let headers = delivery::http_headers(&delivery::sign_at(NOW, &body), bytes);
    let verifier = Verifier::new(delivery::secret());
    count(|| {
        let verified = verifier.verify(&HttpHead(black_box(&headers)), black_box(&body), NOW);
        assert!(black_box(verified).is_ok());
    });
}

fn reject_stale() {
    let body = delivery::body(256);
    let signed = delivery::sign_at(UnixTime::from_secs(NOW.as_secs() - 301), &body);
    let head = signed.pairs();
    let verifier = Verifier::new(delivery::secret());
    count(|| {
        let verified = verifier.verify(black_box(&head), black_box(&body), NOW);
        assert!(black_box(verified).is_err());
    });
}

fn tower<S>(service: &mut S)
where
    S: Service<http::Request<Full<Bytes>>, Response: Status, Error: core::fmt::Debug>,
{
    let body = Bytes::from(delivery::body(delivery::EVENT_BYTES));
    let headers = delivery::http_headers(&delivery::sign_at(NOW, &body), body.len());
    count(|| {
        let request = request(&headers, Full::new(body.clone()));
        let response = call(service, black_box(request));
        assert!(response.is_success());
    });
}

trait Status {
    fn is_success(&self) -> bool;
}

impl<B> Status for http::Response<B> {
    fn is_success(&self) -> bool {
        self.status().is_success()
    }
}
