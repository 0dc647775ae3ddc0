use core::time::Duration;

use crate::fetch_error::FetchError;

/// The maximum number of attempts, and the pauses between them.
///
/// Each pause is twice as long as the previous one, and at least the `Retry-After` of the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) max_attempts: u32,
    pub(crate) first_pause: Duration,
}

/// Maximum pause, even if a `Retry-After` is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl Retries {
    /// Returns the pause after a failed attempt, or `None` after the last one. Attempts are counted from 1.
    pub(crate) fn pause_after(&self, attempt: u32, error: &FetchError) -> Option<Duration> {
        if attempt >= self.max_attempts || error.is_final() {
            return None;
        }
        let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
        let pause = self.first_pause.saturating_mul(doubled);
        let asked = error.retry_after().unwrap_or_default();
        Some(pause.max(asked).min(LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries {
        max_attempts: 40,
        first_pause: Duration::from_secs(2),
    };

    fn status(status: u16, retry_after: Option<u64>) -> FetchError {
        FetchError::Status {
            status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn pause_doubles_up_to_an_hour() {
        let pauses =
            [1, 2, 3, 11, 12, 39].map(|attempt| RETRIES.pause_after(attempt, &FetchError::Timeout));
        let expected = [2, 4, 8, 2048, 3600, 3600].map(|secs| Some(Duration::from_secs(secs)));
        assert_eq!(pauses, expected);
        assert_eq!(RETRIES.pause_after(40, &FetchError::Timeout), None);
    }

    #[test]
    fn pause_is_at_least_retry_after_up_to_an_hour() {
        let pause = |secs| RETRIES.pause_after(2, &status(429, Some(secs)));
        assert_eq!(pause(1), Some(Duration::from_secs(4)));
        assert_eq!(pause(60), Some(Duration::from_secs(60)));
        assert_eq!(pause(u64::MAX), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn final_status_has_no_pause() {
        for code in [301, 302, 308, 400, 401, 403, 404, 410, 422, 499, 501, 505] {
            assert_eq!(
                RETRIES.pause_after(1, &status(code, Some(1))),
                None,
                "{code}"
            );
        }
        for code in [202, 204, 408, 425, 429, 500, 502, 503, 504] {
            assert!(
                RETRIES.pause_after(1, &status(code, None)).is_some(),
                "{code}"
            );
        }
    }
}
