//! What the environment says to this service alone.

use core::{str::FromStr, time::Duration};
use std::{env, error::Error};

use scrupp_verify_tower::events::ApiOrigin;

use crate::{api_key::ApiKey, retries::Retries, task_api::TaskApi};

/// `DATABASE_URL`: a file of SQLite, or a PostgreSQL database.
pub(crate) fn database_url() -> Result<String, String> {
    Ok(text("DATABASE_URL")?.unwrap_or_else(|| "sqlite:inbox.db".to_owned()))
}

/// `FETCH_ATTEMPTS` and `FETCH_PAUSE_SECONDS`: by default 20 attempts over about nine hours.
pub(crate) fn retries() -> Result<Retries, String> {
    Ok(Retries {
        max_attempts: number("FETCH_ATTEMPTS", 20)?,
        first_pause: seconds("FETCH_PAUSE_SECONDS", 2.0)?,
    })
}

/// `SCRUPP_API_ORIGIN`, `SCRUPP_API_KEY` and `FETCH_TIMEOUT_SECONDS`.
pub(crate) fn task_api() -> Result<TaskApi, Box<dyn Error>> {
    let origin = match text("SCRUPP_API_ORIGIN")? {
        Some(origin) => ApiOrigin::new(&origin).map_err(named("SCRUPP_API_ORIGIN"))?,
        None => ApiOrigin::default(),
    };
    let timeout = seconds("FETCH_TIMEOUT_SECONDS", 30.0)?;
    Ok(TaskApi::new(origin, api_key()?, timeout)?)
}

fn api_key() -> Result<ApiKey, String> {
    let make = match text("SCRUPP_API_KEY_IN")?.as_deref() {
        None | Some("header") => ApiKey::bearer,
        Some("query") => ApiKey::query,
        Some(_) => return Err("SCRUPP_API_KEY_IN: neither header nor query".to_owned()),
    };
    // What Scrupp signs with is the first API key of the account.
    for name in ["SCRUPP_API_KEY", "SCRUPP_WEBHOOK_SECRET"] {
        if let Some(key) = text(name)? {
            return make(&key).map_err(named(name));
        }
    }
    Err("SCRUPP_API_KEY is not set".to_owned())
}

fn seconds(name: &str, default: f64) -> Result<Duration, String> {
    let seconds = Duration::try_from_secs_f64(number(name, default)?);
    seconds.map_err(named(name))
}

fn number<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    match text(name)? {
        Some(text) => text.parse().map_err(|_| format!("{name}: not a number")),
        None => Ok(default),
    }
}

fn text(name: &str) -> Result<Option<String>, String> {
    let value = env::var_os(name).map(|value| value.into_string());
    value.transpose().map_err(|_| format!("{name}: not UTF-8"))
}

fn named<E: core::fmt::Display>(name: &str) -> impl Fn(E) -> String {
    move |error| format!("{name}: {error}")
}
