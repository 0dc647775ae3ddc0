//! Settings from environment variables. An empty variable counts as not set.

use std::{env, ffi::OsString};

/// Address to listen on.
pub(crate) struct Bind {
    /// Host and port.
    pub(crate) address: String,
    /// The variable that it comes from, with its value, to name it in an error.
    pub(crate) setting: String,
}

/// Reads the address to listen on from `BIND`. If only `PORT` is set, as hosting platforms do, the
/// address is that port on all interfaces, `0.0.0.0`. The default is `127.0.0.1:3000`.
///
/// # Errors
///
/// If the value is not UTF-8.
pub(crate) fn bind() -> Result<Bind, String> {
    if let (None, Some(port)) = (text("BIND")?, text("PORT")?) {
        let (address, setting) = (format!("0.0.0.0:{port}"), format!("PORT={port}"));
        return Ok(Bind { address, setting });
    }
    let address = text("BIND")?.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let setting = format!("BIND={address}");
    Ok(Bind { address, setting })
}

/// Reads a variable.
///
/// # Errors
///
/// If its value is not UTF-8.
pub(crate) fn text(name: &str) -> Result<Option<String>, String> {
    let text = value(name).map(OsString::into_string).transpose();
    text.map_err(|_| format!("{name}: not UTF-8"))
}

/// Reads a variable whose value is any bytes.
pub(crate) fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
