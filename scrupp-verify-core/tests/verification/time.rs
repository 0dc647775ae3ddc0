//! Arithmetic that holds at both ends of time, and clocks.

use core::time::Duration;

use scrupp_verify_core::{Clock, Tolerance, UnixTime};

use crate::NOW;

#[test]
fn counts_seconds_between_times_without_overflow() {
    const MAX: u64 = u64::MAX;
    const HALF: u64 = 1 << 63;
    let table = [
        (0, 0, 0),
        (1, 0, 1),
        (0, 1, -1),
        (MAX, MAX, 0),
        (MAX, MAX - 1, 1),
        (MAX - 1, MAX, -1),
        (HALF - 1, 0, i64::MAX),
        (HALF, 0, i64::MAX),
        (MAX, 0, i64::MAX),
        (0, HALF - 1, -i64::MAX),
        (0, HALF, i64::MIN),
        (0, HALF + 1, i64::MIN),
        (0, MAX, i64::MIN),
    ];
    for (later, earlier, expected) in table {
        let since = UnixTime::from_secs(later).secs_since(UnixTime::from_secs(earlier));
        assert_eq!(since, expected, "from {earlier} to {later}");
    }
}

#[test]
fn is_ordered_and_displayed_as_its_number() {
    assert!(UnixTime::from_secs(999) < UnixTime::from_secs(1000));
    assert_eq!(
        UnixTime::from_secs(u64::MAX).to_string(),
        "18446744073709551615"
    );
    assert_eq!(format!("{:>5}", UnixTime::from_secs(7)), "    7");
    assert_eq!(UnixTime::from_secs(7).as_secs(), 7);
}

#[test]
fn tolerates_whole_seconds() {
    let tolerance = Tolerance::new(Duration::from_millis(1_999), Duration::MAX);
    assert_eq!(tolerance.past(), Duration::from_secs(1));
    assert_eq!(tolerance.future(), Duration::from_secs(u64::MAX));
    assert_eq!(tolerance.window(), Duration::from_secs(u64::MAX));
    assert_eq!(Tolerance::default().window(), Duration::from_secs(360));
}

#[test]
fn takes_a_function_for_a_clock() {
    let broken = || None;
    let clocks: [&dyn Clock; 2] = [&|| Some(NOW), &broken];
    assert_eq!(clocks.map(Clock::now), [Some(NOW), None]);
}

#[cfg(feature = "std")]
mod system {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn reads_the_system_clock() {
        let secs = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let before = secs();
        let now = UnixTime::now().unwrap().as_secs();
        assert!((before..=secs()).contains(&now));
    }

    #[test]
    fn converts_system_time_and_knows_none_before_1970() {
        let after = |nanos| UNIX_EPOCH + Duration::from_nanos(nanos);
        let table = [
            ("1970", UNIX_EPOCH, Some(0)),
            ("almost a second on", after(999_999_999), Some(0)),
            ("a second on", after(1_000_000_000), Some(1)),
            (
                "a nanosecond before",
                UNIX_EPOCH - Duration::from_nanos(1),
                None,
            ),
            (
                "a day before",
                UNIX_EPOCH - Duration::from_secs(86_400),
                None,
            ),
        ];
        for (label, time, expected) in table {
            let converted = UnixTime::try_from(time).ok().map(UnixTime::as_secs);
            assert_eq!(converted, expected, "{label}");
        }
    }
}
