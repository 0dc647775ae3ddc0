//! What the environment says.

use std::{env, error::Error};

use scrupp_verify_core::{Keyring, Secret};

/// The current secret and, while it is being replaced, the previous one.
///
/// # Errors
///
/// Where `SCRUPP_WEBHOOK_SECRET` is not set, or one of them cannot be a secret.
pub fn keyring() -> Result<Keyring, Box<dyn Error>> {
    let current = secret("SCRUPP_WEBHOOK_SECRET")?.ok_or("SCRUPP_WEBHOOK_SECRET is not set")?;
    let previous = secret("SCRUPP_WEBHOOK_SECRET_PREVIOUS")?;
    Ok(Keyring::new([current].into_iter().chain(previous))?)
}

fn secret(name: &str) -> Result<Option<Secret>, String> {
    let secret = env::var_os(name).map(|value| Secret::new(value.as_encoded_bytes()));
    secret.transpose().map_err(|why| format!("{name}: {why}"))
}

/// The address to listen on.
#[must_use]
pub fn bind() -> String {
    match env::var_os("BIND") {
        Some(address) => address.to_string_lossy().into_owned(),
        None => "127.0.0.1:3000".to_owned(),
    }
}
