//! Settings of the inbox, from environment variables. An empty variable counts as unset.

use core::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use scrupp_verify_tower::events::ApiOrigin;

use crate::{
    api_key::ApiKey, environment::text, errors::with_causes, retries::Retries, task_api::TaskApi,
};

/// Reads `DATABASE_URL`, by default `sqlite:inbox.db`.
pub(crate) fn database_url() -> Result<String, String> {
    Ok(text("DATABASE_URL")?.unwrap_or_else(|| "sqlite:inbox.db".to_owned()))
}

/// Reads `FETCH_ATTEMPTS` and `FETCH_PAUSE_SECONDS`. By default, 20 attempts take about nine hours.
pub(crate) fn retries() -> Result<Retries, String> {
    Ok(Retries {
        max_attempts: number("FETCH_ATTEMPTS", 20, 1..=1000)?,
        first_pause: seconds("FETCH_PAUSE_SECONDS", 2.0, 0.01..=3600.0)?,
    })
}

/// Reads `SCRUPP_API_ORIGIN`, `SCRUPP_API_KEY`, `SCRUPP_API_KEY_IN` and `FETCH_TIMEOUT_SECONDS`.
pub(crate) fn task_api() -> Result<TaskApi, String> {
    let origin = match text("SCRUPP_API_ORIGIN")? {
        Some(origin) => ApiOrigin::new(&origin).map_err(named("SCRUPP_API_ORIGIN"))?,
        None => ApiOrigin::default(),
    };
    let timeout = seconds("FETCH_TIMEOUT_SECONDS", 30.0, 0.1..=3600.0)?;
    let api = TaskApi::new(origin, api_key()?, timeout);
    api.map_err(|error| {
        let error = with_causes(&error);
        format!("cannot create an HTTP client with the certificates of SSL_CERT_FILE or the system: {error}")
    })
}

fn api_key() -> Result<ApiKey, String> {
    let make = match text("SCRUPP_API_KEY_IN")?.as_deref() {
        None | Some("header") => ApiKey::bearer,
        Some("query") => ApiKey::query,
        Some(_) => return Err("SCRUPP_API_KEY_IN: expected header or query".to_owned()),
    };
    // The webhook secret is the first API key of the account.
    for name in ["SCRUPP_API_KEY", "SCRUPP_WEBHOOK_SECRET"] {
        if let Some(key) = text(name)? {
            return make(&key).map_err(named(name));
        }
    }
    Err("SCRUPP_API_KEY is not set".to_owned())
}

/// Reads a number within bounds.
fn number<T>(name: &str, default: T, bounds: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let Some(text) = text(name)? else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    let (least, most) = bounds.into_inner();
    number.ok_or_else(|| format!("{name}: expected a number from {least} to {most}"))
}

/// Reads a number of seconds within bounds, with an optional fraction.
fn seconds(name: &str, default: f64, bounds: RangeInclusive<f64>) -> Result<Duration, String> {
    let seconds = Duration::try_from_secs_f64(number(name, default, bounds)?);
    seconds.map_err(named(name))
}

fn named<E: Display>(name: &str) -> impl Fn(E) -> String {
    move |error| format!("{name}: {error}")
}
