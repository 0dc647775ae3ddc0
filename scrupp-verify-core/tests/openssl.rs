//! Signatures of OpenSSL 3.0 for the two documented bodies and an empty body, created with:
//!
//! ```text
//! printf '%s.%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -hmac "$SECRET"
//! ```

use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier};

#[test]
fn signs_and_verifies_like_openssl() {
    for vector in VECTORS {
        let secret = Secret::new(vector.secret).unwrap();
        let body = vector.body.as_bytes();
        let now = UnixTime::from_secs(vector.timestamp);
        let signed = Signer::new(&secret).sign(now, body);
        assert_eq!(signed.signature(), vector.signature);

        let timestamp = vector.timestamp.to_string();
        let head = [
            ("X-Scrupp-Signature", vector.signature),
            ("X-Scrupp-Timestamp", &timestamp),
        ];
        assert!(Verifier::new(secret).verify(&head, body, now).is_ok());
    }
}

struct Vector {
    secret: &'static str,
    timestamp: u64,
    body: &'static str,
    signature: &'static str,
}

const COMPLETED: &str = concat!(
    r#"{"event":"task.completed","process_id":6666,"status":"completed","#,
    r#""result_url":"https://api.scrupp.com/api/v1/task/6666/data","#,
    r#""meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#,
);

const FAILED: &str = r#"{"event":"task.completed","process_id":6666,"status":"failed","error":"Message (optional)"}"#;

const VECTORS: &[Vector] = &[
    Vector {
        secret: "topsecret",
        timestamp: 1,
        body: COMPLETED,
        signature: "sha256=2d96937b8c6b04a9ab3adda50c822308d92660f89e85a60039d576be6eef2fb2",
    },
    Vector {
        secret: "topsecret",
        timestamp: 1,
        body: FAILED,
        signature: "sha256=51d2e8d60f90b73ab5a5ea87be0b61f52780cf9be356a0f8c7d4889e38cfec81",
    },
    Vector {
        secret: "topsecret",
        timestamp: 1,
        body: "",
        signature: "sha256=5e894ba717dd97ce5dde7dd54af64b9bec653a31b30f9ec34a7b7ba23137825c",
    },
    Vector {
        secret: "topsecret",
        timestamp: 1_735_471_800,
        body: COMPLETED,
        signature: "sha256=9c800ff981c5752fa37a835a3c15931703e0487537a0b17feaf8a20f48d8d1f6",
    },
    Vector {
        secret: "topsecret",
        timestamp: 1_735_471_800,
        body: FAILED,
        signature: "sha256=b1b81b527627d0beb6ff739245786326932f3f68bf23932b9c06d48464e0c965",
    },
    Vector {
        secret: "topsecret",
        timestamp: 1_735_471_800,
        body: "",
        signature: "sha256=5556aeb4e2db090d58f6d0c8a28a1f136f1ff51d3df3f319f25a7f47a21f9990",
    },
    Vector {
        secret: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        timestamp: 1_735_471_800,
        body: COMPLETED,
        signature: "sha256=e84a756210396dff3b8cbe9ee9b8da6a9a8109c724d60df216f1142ced02b7c2",
    },
    Vector {
        secret: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        timestamp: 1_735_471_800,
        body: FAILED,
        signature: "sha256=d2828f3fc97aa9126009855b2031703e988e5f90065e2c80896b4cf3487c49cc",
    },
    Vector {
        secret: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        timestamp: 1_735_471_800,
        body: "",
        signature: "sha256=b8dbca766e512f7c8c41a8112270b5a49517c939e8a2237ea9316074e9cca902",
    },
    Vector {
        secret: "topsecret",
        timestamp: 18_446_744_073_709_551_615,
        body: COMPLETED,
        signature: "sha256=7d1ea741cfff5373f59e63744c85aad6e20c35a2a425f82fecbb52ed6625c5fb",
    },
    Vector {
        secret: "topsecret",
        timestamp: 18_446_744_073_709_551_615,
        body: FAILED,
        signature: "sha256=29c7532fc30090ecb0b6c93c2ab78aad19cf4be091e6196b6f950bab8932f57b",
    },
    Vector {
        secret: "topsecret",
        timestamp: 18_446_744_073_709_551_615,
        body: "",
        signature: "sha256=b4e882378b61f4dfe32a8d6585052b04f5c7c05622d774310a1c8f2b434295ee",
    },
];
