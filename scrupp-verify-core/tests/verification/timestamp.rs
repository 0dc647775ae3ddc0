//! Rules 2 and 3: which timestamps are read, and which of those are in time.

use core::time::Duration;

use scrupp_verify_core::{
    RejectionKind::{self, InFuture, MalformedTimestamp, TimestampInMilliseconds, TooOld},
    Tolerance, UnixTime,
};

use crate::{BODY, NOW, head, refusal, refusal_of_head, verifier};

#[test]
fn reads_decimal_seconds_from_1_to_the_largest_that_fit() {
    const YEAR_57000: u64 = 1_735_471_800_000;
    let table: &[(&str, &str, u64, Option<RejectionKind>)] = &[
        ("the smallest", "1", 1, None),
        ("9 as first digit", "9", 9, None),
        ("10 digits", "1735471800", 1_735_471_800, None),
        ("13 digits", "1735471800000", YEAR_57000, None),
        (
            "13 digits, too old",
            "1735471799699",
            YEAR_57000,
            Some(TooOld),
        ),
        ("20 digits", "10000000000000000000", 10_u64.pow(19), None),
        ("the largest", "18446744073709551615", u64::MAX, None),
        (
            "the largest, now",
            "18446744073709551615",
            1,
            Some(InFuture),
        ),
    ];
    for (label, timestamp, now, expected) in table {
        let (head, now) = (head(timestamp), UnixTime::from_secs(*now));
        assert_eq!(
            refusal(&verifier(), &*head, BODY, now),
            *expected,
            "{label}"
        );
        assert_eq!(
            refusal_of_head(&verifier(), &*head, now),
            *expected,
            "{label}, head alone"
        );
    }
}

#[test]
fn reads_nothing_but_decimal_seconds() {
    let table: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("zero", b"0"),
        ("zeros", b"00"),
        ("leading zero", b"01735471800"),
        ("leading zero before one", b"01"),
        ("plus", b"+1735471800"),
        ("plus one", b"+1"),
        ("minus", b"-1735471800"),
        ("minus one", b"-1"),
        ("minus at the end", b"1735471800-"),
        ("only a space", b" "),
        ("only a tab", b"\t"),
        ("space before", b" 1735471800"),
        ("space behind", b"1735471800 "),
        ("space within", b"17354 71800"),
        ("tab before", b"\t1735471800"),
        ("tab behind", b"1735471800\t"),
        ("line feed behind", b"1735471800\n"),
        ("NUL behind", b"1735471800\0"),
        ("the byte before 0", b"173547180/"),
        ("the byte after 9", b"173547180:"),
        ("fraction", b"1735471800.0"),
        ("point", b"1735471800."),
        ("exponent", b"1735e6"),
        ("hexadecimal", b"0x67714038"),
        ("hex digits", b"67714f38"),
        ("separators", b"1_735_471_800"),
        ("comma-joined", b"1735471800,1735471800"),
        ("comma-joined with a space", b"1735471800, 1735471800"),
        ("RFC 3339", b"2024-12-29T11:30:00Z"),
        ("HTTP date", b"Sun, 29 Dec 2024 11:30:00 GMT"),
        ("obs-text", b"\xff"),
        ("obs-text behind", b"1735471800\x80"),
        ("digit with the high bit", b"\xb1735471800"),
        ("full-width digit", "\u{ff11}735471800".as_bytes()),
        ("Arabic-Indic digit", "\u{661}735471800".as_bytes()),
        ("20 digits, one too many", b"18446744073709551616"),
        ("20 digits, wrapping to a time", b"18446744075445023416"),
        ("20 nines", &[b'9'; 20]),
        ("21 digits", b"100000000000000000000"),
        ("21 digits with leading zeros", b"000000000000000000001"),
        ("a block of digits", &[b'1'; 64]),
        ("8 KiB of digits", &[b'1'; 8192]),
    ];
    // Any time would be in the window.
    let verifier = verifier().tolerance(Tolerance::new(Duration::MAX, Duration::MAX));
    for (label, timestamp) in table {
        let head = head(timestamp);
        let malformed = Some(MalformedTimestamp);
        assert_eq!(refusal(&verifier, &*head, BODY, NOW), malformed, "{label}");
        assert_eq!(
            refusal_of_head(&verifier, &*head, NOW),
            malformed,
            "{label}, head alone"
        );
    }
}

#[test]
fn takes_no_other_byte_for_a_digit() {
    for byte in 0..=u8::MAX {
        for place in 0..10 {
            let mut timestamp = *b"1735471800";
            timestamp[place] = byte;
            let refused = refusal_of_head(&verifier(), &*head(timestamp), NOW);
            let digit = byte.is_ascii_digit() && (byte, place) != (b'0', 0);
            assert_eq!(
                refused == Some(MalformedTimestamp),
                !digit,
                "byte {byte:#04x} at {place}: {refused:?}"
            );
        }
    }
}

type Row = (
    &'static str,
    Tolerance,
    u64,
    u64,
    Option<(RejectionKind, i64)>,
);

#[test]
fn accepts_the_window_and_not_a_second_more() {
    const MAX: u64 = u64::MAX;
    let default = Tolerance::default();
    let secs =
        |past, future| Tolerance::new(Duration::from_secs(past), Duration::from_secs(future));
    let none = Tolerance::new(Duration::ZERO, Duration::ZERO);
    let all = Tolerance::new(Duration::MAX, Duration::MAX);
    let any_past = Tolerance::new(Duration::MAX, Duration::ZERO);
    let any_future = Tolerance::new(Duration::ZERO, Duration::MAX);
    let fractions = Tolerance::new(Duration::from_millis(2_999), Duration::from_millis(1_999));

    #[rustfmt::skip]
    let table: &[Row] = &[
        ("now", default, 1000, 1000, None),
        ("a second old", default, 999, 1000, None),
        ("as old as may be", default, 700, 1000, None),
        ("a second older", default, 699, 1000, Some((TooOld, 301))),
        ("a second ahead", default, 1001, 1000, None),
        ("as far ahead as may be", default, 1060, 1000, None),
        ("a second further ahead", default, 1061, 1000, Some((InFuture, -61))),
        ("the past's tolerance ahead", default, 1300, 1000, Some((InFuture, -300))),
        ("clock at 0, a second ahead", default, 1, 0, None),
        ("clock at 0, at the limit", default, 60, 0, None),
        ("clock at 0, one past it", default, 61, 0, Some((InFuture, -61))),
        ("clock at 0, the end of time", default, MAX, 0, Some((InFuture, i64::MIN))),
        ("clock at the end, now", default, MAX, MAX, None),
        ("clock at the end, at the limit", default, MAX - 300, MAX, None),
        ("clock at the end, one past it", default, MAX - 301, MAX, Some((TooOld, 301))),
        ("clock at the end, the first second", default, 1, MAX, Some((TooOld, i64::MAX))),
        ("half of time old", default, 1, 1 << 63, Some((TooOld, i64::MAX))),
        ("half of time ahead", default, 1 << 63, 0, Some((InFuture, i64::MIN))),
        ("almost half of time ahead", default, i64::MAX as u64, 0, Some((InFuture, -i64::MAX))),
        ("no tolerance, now", none, 1000, 1000, None),
        ("no tolerance, a second old", none, 999, 1000, Some((TooOld, 1))),
        ("no tolerance, a second ahead", none, 1001, 1000, Some((InFuture, -1))),
        ("all tolerance, the first second", all, 1, MAX, None),
        ("all tolerance, the end of time", all, MAX, 0, None),
        ("any past, the first second", any_past, 1, MAX, None),
        ("any past, a second ahead", any_past, 1001, 1000, Some((InFuture, -1))),
        ("any future, the end of time", any_future, MAX, 0, None),
        ("any future, a second old", any_future, 999, 1000, Some((TooOld, 1))),
        ("fractions are dropped, past", fractions, 998, 1000, None),
        ("fractions are dropped, one past", fractions, 997, 1000, Some((TooOld, 3))),
        ("fractions are dropped, future", fractions, 1001, 1000, None),
        ("fractions are dropped, one ahead", fractions, 1002, 1000, Some((InFuture, -2))),
        ("the two sides are not mixed up, past", secs(5, 9), 995, 1000, None),
        ("one past the past", secs(5, 9), 994, 1000, Some((TooOld, 6))),
        ("the two sides are not mixed up, future", secs(5, 9), 1009, 1000, None),
        ("one past the future", secs(5, 9), 1010, 1000, Some((InFuture, -10))),
    ];
    for (label, tolerance, sent, now, expected) in table {
        let verifier = verifier().tolerance(*tolerance);
        let (head, now) = (head(sent.to_string()), UnixTime::from_secs(*now));
        let refused = refusal(&verifier, &*head, BODY, now);
        assert_eq!(refused, expected.map(|(kind, _)| kind), "{label}");
        let age = verifier
            .begin(&*head, now)
            .err()
            .map(|rejection| rejection.age_secs());
        assert_eq!(age, expected.map(|(_, age)| Some(age)), "{label}: age");
    }
}

#[test]
fn takes_milliseconds_for_such_only_where_they_are_ahead() {
    #[rustfmt::skip]
    let edges = [
        ("largest of 12 digits", 999_999_999_999, InFuture),
        ("smallest of 13 digits", 1_000_000_000_000, TimestampInMilliseconds),
        ("largest of 13 digits", 9_999_999_999_999, TimestampInMilliseconds),
        ("smallest of 14 digits", 10_000_000_000_000_u64, InFuture),
    ];
    for (label, sent, expected) in edges {
        let head = head(sent.to_string());
        let rejection = verifier().begin(&*head, NOW).unwrap_err();
        assert_eq!(rejection.kind(), expected, "{label}");
        assert_eq!(
            rejection.age_secs(),
            Some(1_735_471_800 - sent as i64),
            "{label}"
        );
    }
}

#[test]
fn puts_the_bytes_as_they_came_into_the_mac() {
    // The same number under another spelling is another signed content.
    for spelling in ["01735471800", "+1735471800", "1735471800 "] {
        let mut head = head(spelling);
        head[0].1 = b"1735471800".to_vec();
        let refused = refusal(&verifier(), &*head, BODY, NOW);
        assert_eq!(
            refused,
            Some(RejectionKind::SignatureMismatch),
            "{spelling:?}"
        );
    }
}

#[test]
fn keeps_timestamp_and_body_apart() {
    // "1735471800" + "." + "1.{}" and "1735471800.1" + "." + "{}" are one signed content.
    let body = b"1.{}";
    let mut head = crate::head_for("1735471800", body);
    assert_eq!(refusal(&verifier(), &*head, body, NOW), None);
    head[0].1 = b"1735471800.1".to_vec();
    assert_eq!(
        refusal(&verifier(), &*head, b"{}", NOW),
        Some(MalformedTimestamp)
    );
}
