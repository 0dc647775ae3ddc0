//! Time of a verification in one process, compared with the minimum and with peers.

use core::hint::black_box;

use scrupp_verify_benches::delivery::{self, HttpHead, http_headers, sign, sign_at};
use scrupp_verify_core::{Headers, Rejection, Secret, UnixTime, VerifiedDelivery, Verifier};
use sha2::{Digest, Sha256, block_api::compress256};

use crate::{
    chart,
    figure::Figure,
    peers,
    rounds::{Rounds, Times},
};

const SMALL: usize = 256;
const LARGE: usize = 1024 * 1024;

/// Number of SHA-256 blocks of a body of 256 bytes with timestamp, dot and padding, plus one for the outer hash.
const SMALL_BLOCKS: usize = 6;

/// Number of calls in one turn.
///
/// Large enough that the first call, with cold caches, hardly matters. Small enough that a turn ends before another
/// process gets the core.
const REPEATS: u32 = 200;

pub(crate) fn figures(rounds: u32) -> Vec<Figure> {
    let small = small(rounds);
    let large = large(rounds / 10);
    let verify = "verify";
    let over_http = "verify, http headers";
    let mut figures = vec![
        Figure::at_most(
            "verify_256_per_its_compressions",
            small.ratio(verify, "compressions"),
            1.8,
        ),
        Figure::at_most(
            "verify_256_per_webhook_verify",
            small.ratio(verify, "webhook-verify"),
            0.75,
        ),
        Figure::at_most(
            "verify_256_per_svix",
            small.ratio(verify, "svix, http headers"),
            0.25,
        ),
        Figure::at_most(
            "verify_1mib_per_sha256",
            large.ratio(verify, "sha256"),
            1.02,
        ),
        Figure::at_most(
            "verify_256_with_4_secrets_per_1",
            small.ratio("4 secrets, the last matching", verify),
            3.7,
        ),
    ];
    for reject in [STALE, MALFORMED_SIGNATURE, MALFORMED_TIMESTAMP, UNSIGNED] {
        let name = format!("{}_per_verify_256", reject.replace(' ', "_"));
        figures.push(Figure::at_most(name, small.ratio(reject, verify), 0.25));
    }
    for (name, other) in [
        ("webhook_verify", "webhook-verify"),
        ("svix", "svix, http headers"),
    ] {
        let name = format!("compressions_and_clock_per_{name}");
        figures.push(Figure::reported(name, small.ratio(LEAST, other)));
    }
    for (name, other) in [
        ("its_compressions", "compressions"),
        ("webhook_verify", "webhook-verify, http headers"),
        ("svix", "svix, http headers"),
        ("by_hand", "by hand, http headers"),
    ] {
        let name = format!("verify_256_http_headers_per_{name}");
        figures.push(Figure::reported(name, small.ratio(over_http, other)));
    }
    for name in small.names() {
        let slug = name.replace(", ", "_").replace([' ', '-'], "_");
        let nanoseconds = small.median(name) * 1e9;
        figures.push(Figure::reported(
            format!("{}{slug}", chart::PREFIX),
            nanoseconds,
        ));
    }
    figures
}

const LEAST: &str = "compressions and clock";
const STALE: &str = "reject stale";
const MALFORMED_SIGNATURE: &str = "reject malformed signature";
const MALFORMED_TIMESTAMP: &str = "reject malformed timestamp";
const UNSIGNED: &str = "reject unsigned";

fn small(count: u32) -> Times {
    let body = delivery::body(SMALL);
    let signed = sign(&body);
    let head = signed.pairs();
    let [signature, timestamp] = head;
    let headers = http_headers(&signed, SMALL);
    let one = Verifier::new(delivery::secret());
    let four = Verifier::new([other(1), other(2), other(3), delivery::secret()]);
    let stale = sign_at(UnixTime::from_secs(signed.time().as_secs() - 3600), &body);
    let bad_signature = [(signature.0, "sha256=0123"), timestamp];
    let bad_timestamp = [signature, (timestamp.0, "+1735471800")];
    let unsigned = [("content-type", "application/json"), ("host", "127.0.0.1")];

    let mut rounds = Rounds::default();
    let mut state = [0; 8];
    rounds.add("compressions", REPEATS, move || {
        compress256(black_box(&mut state), black_box(&[[7; 64]; SMALL_BLOCKS]));
    });
    // The minimum work of any verification.
    rounds.add(LEAST, REPEATS, move || {
        black_box(UnixTime::now());
        compress256(black_box(&mut state), black_box(&[[7; 64]; SMALL_BLOCKS]));
    });
    let body = body.as_slice();
    rounds.add("verify", REPEATS, accepts(&one, &head, body));
    let http = HttpHead(&headers);
    rounds.add("verify, http headers", REPEATS, accepts(&one, &http, body));
    let name = "4 secrets, the last matching";
    rounds.add(name, REPEATS, accepts(&four, &head, body));
    let stale = stale.pairs();
    rounds.add(STALE, REPEATS, rejects(&one, &stale, body));
    rounds.add(
        MALFORMED_SIGNATURE,
        REPEATS,
        rejects(&one, &bad_signature, body),
    );
    rounds.add(
        MALFORMED_TIMESTAMP,
        REPEATS,
        rejects(&one, &bad_timestamp, body),
    );
    rounds.add(UNSIGNED, REPEATS, rejects(&one, &unsigned, body));
    peers::add(&mut rounds, body, REPEATS);
    rounds.run(count)
}

fn large(count: u32) -> Times {
    let body = delivery::body(LARGE);
    let signed = sign(&body);
    let head = signed.pairs();
    let verifier = Verifier::new(delivery::secret()).body_limit(LARGE);
    let mut rounds = Rounds::default();
    rounds.add("sha256", 1, || {
        black_box(Sha256::digest(black_box(&body)));
    });
    rounds.add("verify", 1, accepts(&verifier, &head, &body));
    rounds.run(count)
}

fn accepts<'a>(
    verifier: &'a Verifier,
    head: &'a impl Headers,
    body: &'a [u8],
) -> impl FnMut() + 'a {
    move || assert!(verify(verifier, head, body).is_ok())
}

fn rejects<'a>(
    verifier: &'a Verifier,
    head: &'a impl Headers,
    body: &'a [u8],
) -> impl FnMut() + 'a {
    move || assert!(verify(verifier, head, body).is_err())
}

/// Verifies with the system clock, like a server.
fn verify<'b>(
    verifier: &Verifier,
    head: &impl Headers,
    body: &'b [u8],
) -> Result<VerifiedDelivery<&'b [u8]>, Rejection> {
    let now = UnixTime::now().unwrap_or(UnixTime::from_secs(0));
    black_box(verifier.verify(black_box(head), black_box(body), now))
}

fn other(number: u8) -> Secret {
    Secret::new([b'k', number]).expect("neither empty nor padded")
}
