//! Settings from environment variables. An empty variable counts as not set.

use core::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};
use std::{env, ffi::OsString};

use scrupp_verify_core::{Keyring, Secret};

/// Reads the current secret and, during a rotation, the previous one: `SCRUPP_WEBHOOK_SECRET` and
/// `SCRUPP_WEBHOOK_SECRET_PREVIOUS`.
///
/// # Errors
///
/// If `SCRUPP_WEBHOOK_SECRET` is not set, or one of them is not a valid secret.
pub fn keyring() -> Result<Keyring, String> {
    let name = "SCRUPP_WEBHOOK_SECRET";
    let current = secret(name)?.ok_or_else(|| not_set(name))?;
    let previous = secret("SCRUPP_WEBHOOK_SECRET_PREVIOUS")?;
    let keyring = Keyring::new([current].into_iter().chain(previous));
    keyring.map_err(|error| format!("{name}: {error}"))
}

fn secret(name: &str) -> Result<Option<Secret>, String> {
    let secret = value(name).map(|value| Secret::new(value.as_encoded_bytes()));
    let secret = secret.transpose();
    secret.map_err(|error| format!("{name}: {error}"))
}

/// Reads a variable.
///
/// # Errors
///
/// If its value is not UTF-8.
pub fn text(name: &str) -> Result<Option<String>, String> {
    let text = value(name).map(OsString::into_string).transpose();
    text.map_err(|_| format!("{name}: not UTF-8"))
}

/// Reads a variable that has no default.
///
/// # Errors
///
/// If it is not set, or its value is not UTF-8.
pub fn required(name: &str) -> Result<String, String> {
    text(name)?.ok_or_else(|| not_set(name))
}

/// Reads a number.
///
/// # Errors
///
/// If the value is not a number, or outside the bounds.
pub fn number<T>(name: &str, default: T, bounds: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let Some(text) = text(name)? else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    let (least, most) = bounds.into_inner();
    number.ok_or_else(|| format!("{name}: expected a number from {least} to {most}"))
}

/// Reads a time in seconds, which may have a fraction.
///
/// # Errors
///
/// If the value is not a number, or outside the bounds.
pub fn seconds(name: &str, default: f64, bounds: RangeInclusive<f64>) -> Result<Duration, String> {
    let seconds = Duration::try_from_secs_f64(number(name, default, bounds)?);
    seconds.map_err(|error| format!("{name}: {error}"))
}

/// Address to listen on. Displays the variable that it comes from.
#[derive(Debug)]
pub struct Bind {
    /// Host and port.
    pub address: String,
    variable: &'static str,
    value: String,
}

/// Reads the address to listen on from `BIND`. If only `PORT` is set, as hosting platforms do, the
/// address is that port on all interfaces, `0.0.0.0`. The default is `127.0.0.1:3000`.
#[must_use]
pub fn bind() -> Bind {
    let port = || value("PORT").map(|port| ("PORT", port));
    let set = value("BIND").map(|address| ("BIND", address)).or_else(port);
    let (variable, value) = set.unwrap_or_else(|| ("BIND", "127.0.0.1:3000".into()));
    let value = value.to_string_lossy().into_owned();
    let address = match variable {
        "PORT" => format!("0.0.0.0:{value}"),
        _ => value.clone(),
    };
    Bind {
        address,
        variable,
        value,
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.variable, self.value)
    }
}

fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn not_set(name: &str) -> String {
    format!("{name} is not set")
}
