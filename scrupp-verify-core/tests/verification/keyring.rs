//! Rule 5: several secrets, and which of them a keyring takes.

use core::iter;

use scrupp_verify_core::{
    ConfigError, Keyring, Rejection,
    RejectionKind::{self, SignatureMismatch},
    Secret, Verified, Verifier,
};

use crate::{BODY, NOW, head_for, judge, secret, signature};

fn keyring(secrets: &[&str]) -> Keyring {
    Keyring::new(secrets.iter().map(secret)).unwrap()
}

fn signed_with(secret: &str) -> crate::Head {
    let mut head = head_for("1735471800", BODY);
    head[1].1 = signature(secret.as_bytes(), b"1735471800", BODY).into_bytes();
    head
}

fn verdict(keyring: Keyring, signed_with_secret: &str) -> Result<Verified, Rejection> {
    judge(
        &Verifier::new(keyring),
        &*signed_with(signed_with_secret),
        BODY,
        NOW,
    )
}

#[test]
fn says_which_of_the_secrets_matched() {
    let secrets = ["one", "two", "three", "four"];
    for held in 1..=4 {
        for (index, signer) in secrets.iter().enumerate() {
            let verdict = verdict(keyring(&secrets[..held]), signer);
            let expected = if index < held {
                Ok(index)
            } else {
                Err(SignatureMismatch)
            };
            let matched = verdict
                .map(|verified| verified.secret_index())
                .map_err(|rejection| rejection.kind());
            assert_eq!(matched, expected, "{held} secrets, signed with {signer}");
        }
    }
}

#[test]
fn says_the_first_where_a_secret_is_held_twice() {
    let table: &[(&[&str], &str, usize)] = &[
        (&["a", "a"], "a", 0),
        (&["a", "a", "a", "a"], "a", 0),
        (&["a", "b", "b"], "b", 1),
        (&["a", "b", "a", "b"], "b", 1),
        (&["a", "b", "c", "b"], "c", 2),
        (&["b", "a", "a", "a"], "a", 1),
    ];
    for (secrets, signer, expected) in table {
        let verified = verdict(keyring(secrets), signer).unwrap();
        assert_eq!(
            verified.secret_index(),
            *expected,
            "{secrets:?}, signed with {signer}"
        );
    }
}

#[test]
fn goes_through_a_rotation() {
    #[rustfmt::skip]
    let steps: &[(&str, &[&str], &str, Result<usize, RejectionKind>)] = &[
        ("before", &["old"], "old", Ok(0)),
        ("the new key is not there yet", &["old"], "new", Err(SignatureMismatch)),
        ("both, Scrupp still signs with the old", &["new", "old"], "old", Ok(1)),
        ("both, Scrupp signs with the new", &["new", "old"], "new", Ok(0)),
        ("after, with the new", &["new"], "new", Ok(0)),
        ("after, a late one with the old", &["new"], "old", Err(SignatureMismatch)),
    ];
    for (label, secrets, signer, expected) in steps {
        let matched = verdict(keyring(secrets), signer)
            .map(|verified| verified.secret_index())
            .map_err(|rejection| rejection.kind());
        assert_eq!(matched, *expected, "{label}");
    }
}

#[test]
fn holds_one_to_four_secrets() {
    let table: [(usize, Option<ConfigError>); 7] = [
        (0, Some(ConfigError::NoSecret)),
        (1, None),
        (2, None),
        (3, None),
        (4, None),
        (5, Some(ConfigError::TooManySecrets)),
        (usize::MAX, Some(ConfigError::TooManySecrets)),
    ];
    for (count, expected) in table {
        let made = Keyring::new(iter::repeat_n(secret("a"), count));
        assert_eq!(made.err(), expected, "{count} secrets");
    }
    assert_eq!(Keyring::MAX_SECRETS, 4);
}

#[test]
fn is_made_of_a_secret_or_an_array_of_them() {
    let index = |keyring: Keyring| verdict(keyring, "b").map(|verified| verified.secret_index());
    let [a, b, c] = ["a", "b", "c"].map(secret);
    assert_eq!(index(b.clone().into()), Ok(0));
    assert_eq!(index([b.clone()].into()), Ok(0));
    assert_eq!(index([a.clone(), b.clone()].into()), Ok(1));
    assert_eq!(index([a.clone(), c.clone(), b.clone()].into()), Ok(2));
    assert_eq!(index([a.clone(), c.clone(), a.clone(), b].into()), Ok(3));
    let none = index([a.clone(), c.clone(), a, c].into()).unwrap_err();
    assert_eq!(none.kind(), SignatureMismatch);
}

#[test]
fn takes_every_secret_that_could_be_meant() {
    let (empty, space) = (
        Some(ConfigError::EmptySecret),
        Some(ConfigError::SpaceAroundSecret),
    );
    let table: &[(&str, &[u8], Option<ConfigError>)] = &[
        ("one byte", b"x", None),
        ("an API key", b"sk_live_51H", None),
        ("a block", &[b'k'; 64], None),
        ("longer than a block", &[b'k'; 65], None),
        ("8 KiB", &[b'k'; 8192], None),
        ("space within", b"correct horse", None),
        ("line feed within", b"correct\nhorse", None),
        ("not UTF-8", b"\xff\xfe", None),
        ("NUL", b"\0", None),
        ("no-break space", "\u{a0}key\u{a0}".as_bytes(), None),
        ("empty", b"", empty),
        ("only a space", b" ", space),
        ("only a line feed", b"\n", space),
        ("space before", b" key", space),
        ("space behind", b"key ", space),
        ("tab before", b"\tkey", space),
        ("tab behind", b"key\t", space),
        ("line feed before", b"\nkey", space),
        ("line feed behind", b"key\n", space),
        ("carriage return behind", b"key\r", space),
        ("CR LF behind", b"key\r\n", space),
        ("form feed behind", b"key\x0c", space),
    ];
    for (label, bytes, expected) in table {
        assert_eq!(Secret::new(bytes).err(), *expected, "{label}");
    }
}

#[test]
fn verifies_with_secrets_of_every_length() {
    for length in 1..=200 {
        let text = "k".repeat(length);
        let longer = "k".repeat(length + 1);
        assert!(verdict(keyring(&[&text]), &text).is_ok(), "{length} bytes");
        let refused = verdict(keyring(&[&text]), &longer).unwrap_err();
        assert_eq!(
            refused.kind(),
            SignatureMismatch,
            "{length} bytes, one more"
        );
    }
}
