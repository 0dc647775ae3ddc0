use core::time::Duration;

use tokio::time::sleep;

use crate::fetch_error::FetchError;

/// How often something is attempted, and how long the pauses in between are: each twice as long
/// as the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) max_attempts: u32,
    pub(crate) first_pause: Duration,
}

const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl Retries {
    /// How long to wait after a failed attempt, counted from 1; `None` after the last one.
    pub(crate) fn pause_after(&self, attempt: u32) -> Option<Duration> {
        let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
        let pause = self.first_pause.saturating_mul(doubled).min(LONGEST_PAUSE);
        (attempt < self.max_attempts).then_some(pause)
    }

    /// Attempts something until it succeeds, or for the last time.
    pub(crate) async fn run<T>(
        &self,
        step: impl AsyncFn() -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let mut attempt = 1;
        loop {
            match (step().await, self.pause_after(attempt)) {
                (Err(_), Some(pause)) => sleep(pause).await,
                (ended, _) => return ended,
            }
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_and_none_is_over_an_hour() {
        let retries = Retries {
            max_attempts: 40,
            first_pause: Duration::from_secs(2),
        };
        let pauses = [1, 2, 3, 11, 12, 39].map(|attempt| retries.pause_after(attempt));
        let expected = [2, 4, 8, 2048, 3600, 3600].map(|secs| Some(Duration::from_secs(secs)));
        assert_eq!(pauses, expected);
        assert_eq!(retries.pause_after(40), None);
    }
}
