//! Messages, responses and traits of the public types.

use core::{fmt::Debug, panic::UnwindSafe};

use scrupp_verify_core::*;

const KINDS: &[(RejectionKind, u16, &str, &str)] = &[
    (
        RejectionKind::MissingSignature,
        401,
        "missing_signature",
        "the signature header is missing",
    ),
    (
        RejectionKind::RepeatedSignature,
        401,
        "repeated_signature",
        "the signature header occurs more than once",
    ),
    (
        RejectionKind::MalformedSignature,
        401,
        "malformed_signature",
        "the signature is not sha256= followed by 64 hex digits",
    ),
    (
        RejectionKind::MissingTimestamp,
        401,
        "missing_timestamp",
        "the timestamp header is missing",
    ),
    (
        RejectionKind::RepeatedTimestamp,
        401,
        "repeated_timestamp",
        "the timestamp header occurs more than once",
    ),
    (
        RejectionKind::MalformedTimestamp,
        401,
        "malformed_timestamp",
        "the timestamp is not a decimal number of seconds",
    ),
    (
        RejectionKind::TimestampInMilliseconds,
        401,
        "timestamp_in_milliseconds",
        "the timestamp appears to be in milliseconds instead of seconds",
    ),
    (
        RejectionKind::TooOld,
        401,
        "too_old",
        "the timestamp is too old",
    ),
    (
        RejectionKind::InFuture,
        401,
        "in_future",
        "the timestamp is in the future",
    ),
    (
        RejectionKind::SignatureMismatch,
        401,
        "signature_mismatch",
        "the signature matches none of the secrets",
    ),
    (
        RejectionKind::UnknownAccount,
        401,
        "unknown_account",
        "the account is unknown",
    ),
    (
        RejectionKind::BodyTooLarge,
        413,
        "body_too_large",
        "the body exceeds the limit",
    ),
    (
        RejectionKind::BodyTimeout,
        408,
        "body_timeout",
        "the body was not complete in time",
    ),
    (
        RejectionKind::BodyBroken,
        400,
        "body_broken",
        "the body could not be read",
    ),
    (
        RejectionKind::ClockUnavailable,
        503,
        "clock_unavailable",
        "the clock returned no time",
    ),
    (
        RejectionKind::SecretsUnavailable,
        503,
        "secrets_unavailable",
        "the account lookup failed",
    ),
    (
        RejectionKind::StoreUnavailable,
        503,
        "store_unavailable",
        "the delivery store failed",
    ),
    (
        RejectionKind::InFlight,
        503,
        "in_flight",
        "another attempt is being handled",
    ),
];

#[test]
fn rejections_have_exact_messages_and_statuses() {
    for &(kind, status, name, message) in KINDS {
        let rejection = Rejection::new(kind);
        assert_eq!(rejection.kind(), kind);
        assert_eq!(rejection.status(), status, "{name}");
        assert_eq!(kind.as_str(), name);
        assert_eq!(kind.to_string(), message);
        assert_eq!(rejection.to_string(), message);
        assert_eq!(rejection.age_secs(), None);
    }
}

#[test]
fn each_status_has_one_response() {
    const PROBLEM_JSON: (&str, &str) = ("content-type", "application/problem+json");
    type Response = (u16, &'static [(&'static str, &'static str)], &'static str);
    let responses: &[Response] = &[
        (
            401,
            &[
                PROBLEM_JSON,
                ("www-authenticate", "ScruppSignature realm=\"webhook\""),
            ],
            r#"{"title":"Unauthorized","status":401}"#,
        ),
        (
            413,
            &[PROBLEM_JSON],
            r#"{"title":"Content Too Large","status":413}"#,
        ),
        (
            408,
            &[PROBLEM_JSON],
            r#"{"title":"Request Timeout","status":408}"#,
        ),
        (
            400,
            &[PROBLEM_JSON],
            r#"{"title":"Bad Request","status":400}"#,
        ),
        (
            503,
            &[PROBLEM_JSON, ("retry-after", "5")],
            r#"{"title":"Service Unavailable","status":503}"#,
        ),
    ];
    for &(kind, status, ..) in KINDS {
        let rejection = Rejection::from(kind);
        let (_, headers, problem) = responses
            .iter()
            .find(|response| response.0 == status)
            .unwrap();
        assert_eq!(rejection.headers(), *headers, "{kind:?}");
        assert_eq!(rejection.problem(), *problem, "{kind:?}");
    }
}

#[test]
fn config_errors_have_exact_messages() {
    let rows = [
        (ConfigError::EmptySecret, "the secret is empty"),
        (
            ConfigError::NulSecret,
            "the secret consists of NUL bytes only",
        ),
        (
            ConfigError::SpaceAroundSecret,
            "the secret starts or ends with whitespace, such as a line feed",
        ),
        (
            ConfigError::InvisibleCharacter('\u{feff}'),
            "the secret starts or ends with the invisible character U+FEFF",
        ),
        (
            ConfigError::QuotedSecret('"'),
            "the secret is enclosed in quotes (\")",
        ),
        (ConfigError::NoSecret, "there is no secret"),
        (ConfigError::TooManySecrets, "there are more than 4 secrets"),
        (
            ConfigError::RetentionTooShort,
            "the retention is shorter than the window of the tolerance",
        ),
    ];
    for (error, message) in rows {
        assert_eq!(error.to_string(), message);
        // `main` prints the `Debug` output of an error that it returns.
        assert_eq!(format!("{error:?}"), format!("ConfigError({message})"));
    }
}

#[test]
fn rejects_empty_secrets_and_secrets_with_whitespace_around_them() {
    let rows: &[(&[u8], Option<ConfigError>)] = &[
        (b"", Some(ConfigError::EmptySecret)),
        (b" ", Some(ConfigError::SpaceAroundSecret)),
        (b" key", Some(ConfigError::SpaceAroundSecret)),
        (b"key ", Some(ConfigError::SpaceAroundSecret)),
        (b"key\n", Some(ConfigError::SpaceAroundSecret)),
        (b"key\r\n", Some(ConfigError::SpaceAroundSecret)),
        (b"\tkey", Some(ConfigError::SpaceAroundSecret)),
        (b"\0", Some(ConfigError::NulSecret)),
        (&[0; 64], Some(ConfigError::NulSecret)),
        (&[0; 65], Some(ConfigError::NulSecret)),
        (b"\0k", None),
        (b"k", None),
        (b"two words", None),
        (b"\xff\x00", None),
    ];
    for (secret, error) in rows {
        assert_eq!(Secret::new(secret).err(), *error, "{secret:?}");
    }
}

#[test]
fn rejects_invisible_characters_and_quotes_around_secrets() {
    let space = ConfigError::SpaceAroundSecret;
    let invisible = ConfigError::InvisibleCharacter;
    let quoted = ConfigError::QuotedSecret;
    let rows = [
        ("key\u{a0}", Some(space)),
        ("\u{3000}key", Some(space)),
        ("key\u{2028}", Some(space)),
        ("key\u{b}", Some(space)),
        ("\u{feff}key", Some(invisible('\u{feff}'))),
        ("key\u{200b}", Some(invisible('\u{200b}'))),
        ("\u{ad}", Some(invisible('\u{ad}'))),
        ("\u{202a}key\u{202c}", Some(invisible('\u{202a}'))),
        ("key\u{e0001}", Some(invisible('\u{e0001}'))),
        ("key\u{9d}", Some(invisible('\u{9d}'))),
        ("\u{7f}key", Some(invisible('\u{7f}'))),
        ("key\u{85}", Some(space)),
        ("\"key\"", Some(quoted('"'))),
        ("'key'", Some(quoted('\''))),
        ("`key`", Some(quoted('`'))),
        ("\"\"", Some(quoted('"'))),
        ("\u{201c}key\u{201d}", Some(quoted('\u{201c}'))),
        ("\u{2018}key\u{2019}", Some(quoted('\u{2018}'))),
        ("\u{201e}key\u{201c}", Some(quoted('\u{201e}'))),
        ("\u{ab}key\u{bb}", Some(quoted('\u{ab}'))),
        ("\u{bb}key\u{ab}", Some(quoted('\u{bb}'))),
        ("\u{2039}key\u{203a}", Some(quoted('\u{2039}'))),
        ("\u{300c}key\u{300d}", Some(quoted('\u{300c}'))),
        ("\u{ff02}key\u{ff02}", Some(quoted('\u{ff02}'))),
        ("\u{b4}key\u{b4}", Some(quoted('\u{b4}'))),
        ("`key'", Some(quoted('`'))),
        ("key\u{2800}", Some(invisible('\u{2800}'))),
        ("\u{fff9}key", Some(invisible('\u{fff9}'))),
        // A secret with control characters below U+0020 is binary.
        ("k\u{1}", None),
        ("\u{1b}key\u{8}", None),
        // Invisible characters and quotes are accepted inside a secret, and unpaired quotes anywhere.
        ("k\u{200b}ey", None),
        ("k\"e\"y", None),
        ("\"", None),
        ("\u{201d}", None),
        ("\"key", None),
        ("kéy", None),
        ("\u{1f511}", None),
    ];
    for (secret, error) in rows {
        assert_eq!(Secret::new(secret).err(), error, "{secret:?}");
    }
    // Bytes that are not UTF-8 are accepted at both ends.
    assert!(Secret::new(b"\xbb\xbfkey\xef\xbb").is_ok());
}

#[test]
fn a_keyring_holds_one_to_four_secrets() {
    let secrets = |count: usize| (0..count).map(|n| Secret::new(format!("secret {n}")).unwrap());
    assert_eq!(Keyring::new(secrets(0)).unwrap_err(), ConfigError::NoSecret);
    for count in 1..=4 {
        assert!(Keyring::new(secrets(count)).is_ok(), "{count}");
    }
    assert_eq!(
        Keyring::new(secrets(5)).unwrap_err(),
        ConfigError::TooManySecrets
    );
}

#[test]
fn debug_output_contains_no_secret() {
    const SECRET: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
    let secret = Secret::new(SECRET).unwrap();
    let keyring = Keyring::from(secret.clone());
    let verifier = Verifier::new(keyring.clone());
    let signer = Signer::new(&secret);
    let now = UnixTime::from_secs(1_735_471_800);
    let head = signer.sign(now, b"payload");
    let account = Account::new("17", keyring.clone());
    let unverified = Policy::default().check_head(&head, now).unwrap();
    let mut delivery = verifier.begin(&head, now).unwrap();
    delivery.update(b"payload").unwrap();
    let verified = verifier.verify(&head, b"payload", now).unwrap();

    let shown: &[(&dyn Debug, &str)] = &[
        (&secret, "Secret(..)"),
        (&keyring, "Keyring { secrets: 1, .. }"),
        (
            &verifier,
            "Verifier { keyring: Keyring { secrets: 1, .. }, policy: Policy { tolerance: \
             Tolerance { past_secs: 300, future_secs: 60 }, body_limit: 262144 } }",
        ),
        (&signer, "Signer { secret: Secret(..) }"),
        (
            &account,
            "Account { id: AccountId(4523540f..), keyring: Keyring { secrets: 1, .. } }",
        ),
        (
            &unverified,
            "UnverifiedHead { sent: UnixTime(1735471800), received: UnixTime(1735471800), .. }",
        ),
        (
            &delivery,
            "Delivery { sent: UnixTime(1735471800), body_bytes: 7, .. }",
        ),
        (
            verified.verified(),
            "Verified { sent: UnixTime(1735471800), received: UnixTime(1735471800), \
             secret_index: 0, account: None }",
        ),
        (
            &verified,
            "VerifiedDelivery { verified: Verified { sent: UnixTime(1735471800), received: \
             UnixTime(1735471800), secret_index: 0, account: None }, body_bytes: 7, .. }",
        ),
    ];
    assert_eq!(account.id().to_string(), "4523540f1504cd17");
    for (value, expected) in shown {
        assert_eq!(format!("{value:?}"), *expected);
        assert!(!format!("{value:#?}").contains("4eC39"));
    }
}

#[test]
fn secs_since_saturates_at_the_bounds_of_i64() {
    let time = UnixTime::from_secs;
    let rows = [
        (5, 3, 2),
        (3, 5, -2),
        (7, 7, 0),
        (u64::MAX, 0, i64::MAX),
        (0, u64::MAX, i64::MIN),
        (i64::MAX as u64, 0, i64::MAX),
        (0, i64::MAX as u64, -i64::MAX),
        (0, i64::MAX as u64 + 1, i64::MIN),
    ];
    for (later, earlier, secs) in rows {
        assert_eq!(
            time(later).secs_since(time(earlier)),
            secs,
            "{later} since {earlier}"
        );
    }
}

#[cfg(feature = "std")]
#[test]
fn reads_the_system_clock() {
    use core::time::Duration;
    use std::time::{SystemTime, UNIX_EPOCH};

    let before = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let now = UnixTime::now().unwrap().as_secs();
    let after = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!((before..=after).contains(&now));

    let half_past = UNIX_EPOCH + Duration::from_millis(1500);
    assert_eq!(
        UnixTime::try_from(half_past).unwrap(),
        UnixTime::from_secs(1)
    );
    assert!(UnixTime::try_from(UNIX_EPOCH - Duration::from_secs(1)).is_err());
}

#[test]
fn public_types_are_send_and_sync() {
    fn everywhere<T: Send + Sync + Unpin + UnwindSafe + Clone + 'static>() {}
    everywhere::<Secret>();
    everywhere::<Keyring>();
    everywhere::<Account>();
    everywhere::<Verifier>();
    everywhere::<Policy>();
    everywhere::<UnverifiedHead>();
    everywhere::<VerifiedDelivery<&[u8]>>();
    everywhere::<VerifySteps<&[u8]>>();
    everywhere::<Delivery>();
    everywhere::<Verified>();
    everywhere::<Signer>();
    everywhere::<SignedHeaders>();
    everywhere::<Rejection>();
    everywhere::<ConfigError>();
}

#[test]
fn debug_output_contains_the_signed_headers() {
    let signer = Signer::new(&Secret::new("topsecret").unwrap());
    let headers = signer.sign(UnixTime::from_secs(1_735_471_800), b"hello world");
    let shown = format!(
        "SignedHeaders {{ signature: {:?}, timestamp: \"1735471800\", time: UnixTime(1735471800) }}",
        headers.signature()
    );
    assert_eq!(format!("{headers:?}"), shown);
}

#[test]
fn types_are_small_enough_to_store_for_each_connection() {
    // Two states of 40 bytes, and one block.
    assert!(size_of::<Secret>() <= 152, "{}", size_of::<Secret>());
    assert!(
        size_of::<Keyring>() <= 4 * 152 + 56,
        "{}",
        size_of::<Keyring>()
    );
    assert!(
        size_of::<UnverifiedHead>() <= 96,
        "{}",
        size_of::<UnverifiedHead>()
    );
    assert!(size_of::<Delivery>() <= 800, "{}", size_of::<Delivery>());
    assert!(size_of::<Rejection>() <= 24);
    // 71 and 20 characters, their lengths, and the time.
    assert!(size_of::<SignedHeaders>() <= 120);
}

#[test]
fn returns_the_age_of_a_verified_delivery() {
    let sent = UnixTime::from_secs(1_735_471_800);
    let secret = Secret::new("topsecret").unwrap();
    let head = Signer::new(&secret).sign(sent, b"{}");
    let verifier = Verifier::new(secret);
    for (now, age_secs) in [
        (1_735_471_800, 0),
        (1_735_472_100, 300),
        (1_735_471_740, -60),
    ] {
        let delivery = verifier.verify(&head, b"{}", UnixTime::from_secs(now));
        let delivery = delivery.unwrap();
        assert_eq!(delivery.verified().age_secs(), age_secs);
        assert_eq!(delivery.verified().time(), sent);
    }
}

#[test]
fn returns_all_values_of_a_header_in_order() {
    let head = [("Expect", "1"), ("expected", "2"), ("eXPECT", "3")];
    let values: Vec<_> = head.values("expect").collect();
    assert_eq!(values, [b"1", b"3"]);
    assert_eq!(head.values("host").count(), 0);
}
