//! The secrets that Scrupp signs with, from environment variables.

use scrupp_verify_core::{Keyring, Secret};

use crate::environment;

/// Reads the current secret and, during a rotation, the previous one: `SCRUPP_WEBHOOK_SECRET` and
/// `SCRUPP_WEBHOOK_SECRET_PREVIOUS`.
///
/// # Errors
///
/// If `SCRUPP_WEBHOOK_SECRET` is not set, or one of them is not a valid secret.
pub(crate) fn keyring() -> Result<Keyring, String> {
    let name = "SCRUPP_WEBHOOK_SECRET";
    let current = secret(name)?.ok_or_else(|| format!("{name} is not set"))?;
    let previous = secret("SCRUPP_WEBHOOK_SECRET_PREVIOUS")?;
    let keyring = Keyring::new([current].into_iter().chain(previous));
    keyring.map_err(|error| format!("{name}: {error}"))
}

fn secret(name: &str) -> Result<Option<Secret>, String> {
    let secret = environment::value(name).map(|value| Secret::new(value.as_encoded_bytes()));
    let secret = secret.transpose();
    secret.map_err(|error| format!("{name}: {error}"))
}
