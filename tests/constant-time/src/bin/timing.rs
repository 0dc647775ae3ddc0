//! Measures whether the time that a rejection takes depends on where the received tag differs.
//!
//! `scripts/check-constant-time` runs this program in a release build. `verify` times the last step
//! of the core, after the whole body was read. `leaky` times a comparison that stops at the first
//! difference. Each sample has its own body, and a tag that differs in the first or the last byte,
//! at random. `dudect-bencher` prints the greatest t of Welch's test. A |t| of 5 or more means that
//! the times differ.

use dudect_bencher::{
    BenchRng, Class, CtRunner, ctbench_main,
    rand::{Rng, RngExt},
};
use scrupp_verify_constant_time::leaky::LeakyDelivery;
use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const TEXT: &str = "sk_live_51H";
const SAMPLES: usize = 1_000_000;

ctbench_main!(verify, leaky);

fn verify(runner: &mut CtRunner, rng: &mut BenchRng) {
    let bench = Bench::new();
    let verifier = Verifier::new(secret());
    for _ in 0..SAMPLES {
        let (class, body, candidate) = bench.sample(rng);
        let signature = format!("sha256={}", hex(&candidate));
        let head = [
            ("x-scrupp-timestamp", "1735471800"),
            ("x-scrupp-signature", &signature),
        ];
        let mut delivery = verifier.begin(&head, NOW).expect("valid headers");
        delivery.update(&body).expect("a body within the limit");
        runner.run_one(class, || delivery.clone().finish().is_ok());
    }
}

fn leaky(runner: &mut CtRunner, rng: &mut BenchRng) {
    let bench = Bench::new();
    for _ in 0..SAMPLES {
        let (class, body, candidate) = bench.sample(rng);
        let content = [&b"1735471800."[..], &body].concat();
        let delivery = LeakyDelivery::new(TEXT.as_bytes(), &content, candidate);
        runner.run_one(class, || delivery.clone().finish());
    }
}

struct Bench {
    signer: Signer,
}

impl Bench {
    fn new() -> Self {
        Self {
            signer: Signer::new(&secret()),
        }
    }

    /// Returns a body and a tag for it that differs in the first byte (left) or the last byte
    /// (right).
    fn sample(&self, rng: &mut BenchRng) -> (Class, [u8; 32], [u8; 32]) {
        let mut body = [0; 32];
        rng.fill_bytes(&mut body);
        let mut candidate = tag(self.signer.sign(NOW, &body).signature());
        let difference = rng.random_range(1..=u8::MAX);
        let class = if rng.random() {
            candidate[0] ^= difference;
            Class::Left
        } else {
            candidate[31] ^= difference;
            Class::Right
        };
        (class, body, candidate)
    }
}

fn secret() -> Secret {
    Secret::new(TEXT).expect("a valid secret")
}

fn tag(signature: &str) -> [u8; 32] {
    let digits = signature.strip_prefix("sha256=").expect("a signature");
    core::array::from_fn(|byte| {
        u8::from_str_radix(&digits[2 * byte..2 * byte + 2], 16).expect("hex digits")
    })
}

fn hex(tag: &[u8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}
