//! Rule 11: the secret, and what a stranger sent, appear in no text that the crate makes.

use core::fmt::Debug;

use scrupp_verify_core::{
    Account, ConfigError, Keyring, Policy, RejectionKind, Secret, Signer, Tolerance, Verifier,
};

use crate::{BODY, NOW, SECRET, head, hex, secret, tag};

/// The texts of everything that was given this secret.
fn texts(text: &str) -> Vec<(&'static str, String)> {
    fn texts_of(name: &'static str, value: &dyn Debug) -> [(&'static str, String); 2] {
        [(name, format!("{value:?}")), (name, format!("{value:#?}"))]
    }
    let secret = secret(text);
    let keyring = Keyring::from([secret.clone(), secret.clone()]);
    let account = Account::new("customer-17", keyring.clone());
    let candidate = || Policy::default().admit(&*head("1735471800"), NOW).unwrap();
    let mut delivery = candidate().begin(keyring.clone());
    delivery.update(BODY).unwrap();
    let mut for_account = candidate().begin_for(account.clone());
    for_account.update(BODY).unwrap();
    let mut texts = vec![];
    texts.extend(texts_of("Secret", &secret));
    texts.extend(texts_of("Keyring", &keyring));
    texts.extend(texts_of("Account", &account));
    texts.extend(texts_of("Signer", &Signer::new(&secret)));
    texts.extend(texts_of("Verifier", &Verifier::new(keyring.clone())));
    texts.extend(texts_of("Delivery", &delivery));
    texts.extend(texts_of("Delivery for an account", &for_account));
    #[cfg(feature = "adapter")]
    {
        use scrupp_verify_core::adapter::{BodyStream, Broken, Gate};

        struct NoBody;

        impl BodyStream for NoBody {
            type Data = &'static [u8];

            fn poll_piece(
                self: core::pin::Pin<&mut Self>,
                _: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Option<Result<Self::Data, Broken>>> {
                core::task::Poll::Ready(None)
            }

            fn is_end(&self) -> bool {
                true
            }
        }

        let mut gate = Gate::new(keyring);
        gate.clock = std::sync::Arc::new(|| Some(NOW));
        texts.extend(texts_of("Gate", &gate));
        let reception = gate.receive(&*head("1735471800"), &(), NoBody);
        texts.extend(texts_of("Reception", &reception));
    }
    texts
}

#[test]
fn says_the_same_whatever_the_secret_is() {
    // So neither the secret nor anything made of it, such as the prepared keys, can be in there.
    assert_eq!(
        texts("topsecret"),
        texts("sk_live_51H_and_longer_than_one_block_of_sha_256_so_that_it_is_hashed")
    );
    assert!(texts("topsecret").iter().all(|(_, text)| !text.is_empty()));
}

#[test]
fn says_of_a_secret_that_there_is_one() {
    let debug = |value: &dyn Debug| format!("{value:?}");
    let keyring = Keyring::from([secret("a"), secret("b")]);
    assert_eq!(debug(&secret("a")), "Secret(..)");
    assert_eq!(debug(&keyring), "Keyring { secrets: 2, .. }");
    assert_eq!(
        debug(&Signer::new(&secret("a"))),
        "Signer { keyring: Keyring { secrets: 1, .. } }"
    );
    assert_eq!(
        debug(&Verifier::new(keyring)),
        "Verifier { keyring: Keyring { secrets: 2, .. }, policy: Policy { tolerance: \
         Tolerance { past_secs: 300, future_secs: 60 }, body_limit: 262144 } }"
    );
    let account = Account::new("abc", secret("a"));
    assert_eq!(
        debug(&account),
        "Account { id: AccountId(ba7816bf..), keyring: Keyring { secrets: 1, .. } }"
    );
    assert_eq!(
        debug(&Tolerance::default()),
        "Tolerance { past_secs: 300, future_secs: 60 }"
    );
}

#[test]
fn keeps_a_secret_that_is_not_taken_out_of_the_error() {
    let error: ConfigError = Secret::new("topsecret\n").unwrap_err();
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        assert!(!text.contains("topsecret"), "{text}");
    }
}

#[test]
fn says_the_same_whatever_a_stranger_sends() {
    let texts = |timestamp: &str, signature: &str, body: &[u8]| {
        let head = [
            ("x-scrupp-timestamp", timestamp),
            ("x-scrupp-signature", signature),
        ];
        let rejection = Verifier::new(secret(SECRET))
            .verify(&head, body, NOW)
            .unwrap_err();
        (
            rejection.kind(),
            [
                rejection.to_string(),
                format!("{rejection:?}"),
                rejection.problem().into(),
            ],
        )
    };
    let (a, b) = (
        &*format!("sha256={}", "a".repeat(64)),
        &*format!("sha256={}", "b".repeat(64)),
    );
    let table = [
        (
            "mismatch",
            texts("1735471800", a, b"canary"),
            texts("1735471799", b, b""),
        ),
        (
            "signature",
            texts("1735471800", "canary", b""),
            texts("1735471800", "", b"canary"),
        ),
        (
            "timestamp",
            texts("canary", a, b""),
            texts("1735471800\0", b, b"canary"),
        ),
    ];
    for (label, one, other) in table {
        assert_eq!(one, other, "{label}");
    }
}

#[test]
fn shows_neither_signature_nor_body_of_a_delivery_that_is_not_verified() {
    let good = hex(&tag(SECRET.as_bytes(), b"1735471800", BODY));
    let candidate = Policy::default().admit(&*head("1735471800"), NOW).unwrap();
    assert_eq!(
        format!("{candidate:?}"),
        "Candidate { sent: UnixTime(1735471800), received: UnixTime(1735471800), .. }"
    );
    let mut delivery = candidate.begin(secret(SECRET).into());
    delivery.update(b"canary").unwrap();
    let text = format!("{delivery:?}");
    assert_eq!(
        text,
        "Delivery { sent: UnixTime(1735471800), body_bytes: 6, .. }"
    );
    assert!(!text.contains(&good));
}

#[test]
fn shows_what_is_public_of_a_verified_or_a_signed_delivery() {
    let headers = Signer::new(&secret(SECRET)).sign(NOW, BODY);
    let verified = Verifier::new(secret(SECRET))
        .verify(&headers, BODY, NOW)
        .unwrap();
    assert_eq!(
        format!("{verified:?}"),
        "Verified { sent: UnixTime(1735471800), received: UnixTime(1735471800), \
         secret_index: 0, account: None }"
    );
    assert_eq!(
        format!("{headers:?}"),
        format!(
            "SignedHeaders {{ signature: {:?}, timestamp: \"1735471800\", \
             time: UnixTime(1735471800) }}",
            headers.signature()
        )
    );
    assert_eq!(format!("{:?}", RejectionKind::TooOld), "TooOld");
}
