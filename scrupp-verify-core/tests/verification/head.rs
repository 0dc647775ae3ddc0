//! Rule 1: each of the two headers exactly once, and what comes first where several are wrong.

use core::{iter, slice};

use scrupp_verify_core::{
    RejectionKind::{
        self, BodyTooLarge, InFuture, MalformedSignature, MalformedTimestamp, MissingSignature,
        MissingTimestamp, RepeatedSignature, RepeatedTimestamp, TooOld,
    },
    RequestHead, UnixTime,
};

use crate::{BODY, NOW, SECRET, refusal, refusal_of_head, signature, verifier};

const TIME: &str = "1735471800";
const T: &str = "x-scrupp-timestamp";
const S: &str = "x-scrupp-signature";

#[test]
fn wants_each_header_exactly_once() {
    let good = &*signature(SECRET.as_bytes(), TIME.as_bytes(), BODY);
    let other = &*signature(b"another", TIME.as_bytes(), BODY);
    let joined_times = &*format!("{TIME}, {TIME}");
    let joined = &*format!("{good}, {good}");
    #[rustfmt::skip]
    let table: &[(&str, &[(&str, &str)], Option<RejectionKind>)] = &[
        ("signature, timestamp", &[(S, good), (T, TIME)], None),
        ("timestamp, signature", &[(T, TIME), (S, good)], None),
        ("among others", &[("host", "a"), (T, TIME), ("x", "y"), (S, good), ("z", "")], None),
        ("no headers", &[], Some(MissingSignature)),
        ("neither", &[("host", "a"), ("content-type", "application/json")], Some(MissingSignature)),
        ("no signature", &[(T, TIME)], Some(MissingSignature)),
        ("no timestamp", &[(S, good)], Some(MissingTimestamp)),
        ("no signature, no time to read", &[(T, "")], Some(MissingSignature)),
        ("no timestamp, and another's signature", &[(S, other)], Some(MissingTimestamp)),
        ("both empty", &[(S, ""), (T, "")], Some(MalformedSignature)),
        ("empty signature", &[(S, ""), (T, TIME)], Some(MalformedSignature)),
        ("empty timestamp", &[(S, good), (T, "")], Some(MalformedTimestamp)),
        ("signature twice", &[(S, good), (S, good), (T, TIME)], Some(RepeatedSignature)),
        ("signature twice, apart", &[(S, good), (T, TIME), (S, good)], Some(RepeatedSignature)),
        ("good, then bad", &[(S, good), (S, other), (T, TIME)], Some(RepeatedSignature)),
        ("bad, then good", &[(S, other), (S, good), (T, TIME)], Some(RepeatedSignature)),
        ("good, then empty", &[(S, good), (S, ""), (T, TIME)], Some(RepeatedSignature)),
        ("empty, then good", &[(S, ""), (S, good), (T, TIME)], Some(RepeatedSignature)),
        ("signature in two spellings of the name", &[(S, good), ("X-SCRUPP-SIGNATURE", good), (T, TIME)], Some(RepeatedSignature)),
        ("signature three times", &[(S, good), (S, good), (S, good), (T, TIME)], Some(RepeatedSignature)),
        ("signature comma-joined", &[(S, joined), (T, TIME)], Some(MalformedSignature)),
        ("timestamp twice", &[(S, good), (T, TIME), (T, TIME)], Some(RepeatedTimestamp)),
        ("good, then stale", &[(S, good), (T, TIME), (T, "1")], Some(RepeatedTimestamp)),
        ("stale, then good", &[(S, good), (T, "1"), (T, TIME)], Some(RepeatedTimestamp)),
        ("good, then an empty one", &[(S, good), (T, TIME), (T, "")], Some(RepeatedTimestamp)),
        ("timestamp in two spellings of the name", &[(S, good), ("X-Scrupp-Timestamp", TIME), (T, TIME)], Some(RepeatedTimestamp)),
        ("timestamp comma-joined", &[(S, good), (T, joined_times)], Some(MalformedTimestamp)),
        ("both twice", &[(T, TIME), (S, good), (T, TIME), (S, good)], Some(RepeatedSignature)),
    ];
    for (label, head, expected) in table {
        assert_eq!(refusal(&verifier(), *head, BODY, NOW), *expected, "{label}");
        assert_eq!(
            refusal_of_head(&verifier(), *head, NOW),
            *expected,
            "{label}, head alone"
        );
    }
}

#[test]
fn decides_in_a_fixed_order() {
    let good = &*signature(SECRET.as_bytes(), TIME.as_bytes(), BODY);
    let ahead = &*(NOW.as_secs() + 61).to_string();
    let huge = ("content-length", "999999999");
    // Each row mends what the one before was refused for.
    #[rustfmt::skip]
    let table: &[(&[(&str, &str)], Option<RejectionKind>)] = &[
        (&[(T, ""), (T, ""), huge], Some(MissingSignature)),
        (&[(S, ""), (S, ""), (T, ""), (T, ""), huge], Some(RepeatedSignature)),
        (&[(S, ""), huge], Some(MalformedSignature)),
        (&[(S, good), huge], Some(MissingTimestamp)),
        (&[(S, good), (T, ""), (T, ""), huge], Some(RepeatedTimestamp)),
        (&[(S, good), (T, ""), huge], Some(MalformedTimestamp)),
        (&[(S, good), (T, "1"), huge], Some(TooOld)),
        (&[(S, good), (T, ahead), huge], Some(InFuture)),
        (&[(S, good), (T, TIME), huge], Some(BodyTooLarge)),
        (&[(S, good), (T, TIME)], None),
    ];
    for (head, expected) in table {
        assert_eq!(
            refusal_of_head(&verifier(), *head, NOW),
            *expected,
            "{head:?}"
        );
    }
}

#[test]
fn knows_a_header_by_its_whole_name_in_any_case() {
    let good = &*signature(SECRET.as_bytes(), TIME.as_bytes(), BODY);
    let table = [
        ("lower case", "x-scrupp-signature", true),
        ("as documented", "X-Scrupp-Signature", true),
        ("upper case", "X-SCRUPP-SIGNATURE", true),
        ("mixed case", "x-sCrUpP-SiGnAtUrE", true),
        ("empty", "", false),
        ("a beginning", "x-scrupp-signatur", false),
        ("longer", "x-scrupp-signature2", false),
        ("an end", "scrupp-signature", false),
        ("underscores", "x_scrupp_signature", false),
        ("space behind", "x-scrupp-signature ", false),
        ("space before", " x-scrupp-signature", false),
        ("colon", "x-scrupp-signature:", false),
        ("the other header", "x-scrupp-timestamp", false),
        ("long s", "x-\u{17f}crupp-signature", false),
        ("another provider's", "x-hub-signature-256", false),
    ];
    for (label, name, known) in table {
        let refused = refusal(&verifier(), &[(T, TIME), (name, good)], BODY, NOW);
        assert_eq!(refused, (!known).then_some(MissingSignature), "{label}");
        let also = refusal(
            &verifier(),
            &[(T, TIME), (S, good), (name, good)],
            BODY,
            NOW,
        );
        let expected = match name {
            "x-scrupp-timestamp" => Some(RepeatedTimestamp),
            _ => known.then_some(RepeatedSignature),
        };
        assert_eq!(also, expected, "{label}, beside the header itself");
    }
}

#[test]
fn takes_pairs_of_whatever_is_bytes() {
    let good = signature(SECRET.as_bytes(), TIME.as_bytes(), BODY);
    let text: [(&str, &str); 2] = [(T, TIME), (S, &good)];
    let owned: Vec<(String, String)> = vec![(T.into(), TIME.into()), (S.into(), good.clone())];
    let bytes: Vec<(&[u8], Vec<u8>)> = vec![
        (T.as_bytes(), TIME.into()),
        (S.as_bytes(), good.clone().into()),
    ];
    assert_eq!(refusal(&verifier(), &text, BODY, NOW), None);
    assert_eq!(refusal(&verifier(), &text[..], BODY, NOW), None);
    assert_eq!(refusal(&verifier(), owned.as_slice(), BODY, NOW), None);
    assert_eq!(refusal(&verifier(), bytes.as_slice(), BODY, NOW), None);
}

#[test]
fn asks_a_head_of_ones_own_for_the_names_in_lower_case() {
    struct Fields {
        timestamp: &'static str,
        signature: String,
    }

    impl RequestHead for Fields {
        fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
            let value = match name {
                "x-scrupp-timestamp" => Some(self.timestamp),
                "x-scrupp-signature" => Some(&*self.signature),
                "content-length" => None,
                other => panic!("{other:?} is no header that matters"),
            };
            value.into_iter().map(str::as_bytes)
        }
    }

    let head = Fields {
        timestamp: TIME,
        signature: signature(SECRET.as_bytes(), TIME.as_bytes(), BODY),
    };
    assert_eq!(refusal(&verifier(), &head, BODY, NOW), None);
    let later = UnixTime::from_secs(NOW.as_secs() + 301);
    assert_eq!(refusal(&verifier(), &head, BODY, later), Some(TooOld));
}

#[test]
fn needs_no_more_than_two_values_to_see_a_repetition() {
    struct Endless;

    impl RequestHead for Endless {
        fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
            let count = if name == S { usize::MAX } else { 0 };
            let mut values = iter::repeat_n(slice::from_ref(&b'0'), count);
            let mut given = 0;
            iter::from_fn(move || {
                given += 1;
                assert!(given <= 2, "a third value is asked for");
                values.next()
            })
        }
    }

    assert_eq!(
        refusal_of_head(&verifier(), &Endless, NOW),
        Some(RepeatedSignature)
    );
}
