//! Settings from environment variables. An empty variable counts as unset.

use std::{env, ffi::OsString};

/// The address to listen on.
pub(crate) struct Bind {
    /// The host and the port, separated by a colon.
    pub(crate) address: String,
    /// The variable and its value, for error messages.
    pub(crate) setting: String,
}

/// Reads the address to listen on from `BIND`, by default `127.0.0.1:3000`.
///
/// If only `PORT` is set, returns that port on all interfaces (`0.0.0.0`). Hosting platforms set `PORT`.
///
/// # Errors
///
/// Returns an error if a value is not UTF-8.
pub(crate) fn bind() -> Result<Bind, String> {
    if let (None, Some(port)) = (text("BIND")?, text("PORT")?) {
        let (address, setting) = (format!("0.0.0.0:{port}"), format!("PORT={port}"));
        return Ok(Bind { address, setting });
    }
    let address = text("BIND")?.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let setting = format!("BIND={address}");
    Ok(Bind { address, setting })
}

/// Reads a variable as text.
///
/// # Errors
///
/// Returns an error if the value is not UTF-8.
pub(crate) fn text(name: &str) -> Result<Option<String>, String> {
    let text = value(name).map(OsString::into_string).transpose();
    text.map_err(|_| format!("{name}: not UTF-8"))
}

/// Reads a variable whose value may be any bytes.
pub(crate) fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
