//! The webhook secrets, from environment variables.

use scrupp_verify_core::{Keyring, Secret};

use crate::environment;

/// Reads the current secret from `SCRUPP_WEBHOOK_SECRET`, and during a rotation the previous one from
/// `SCRUPP_WEBHOOK_SECRET_PREVIOUS`.
///
/// # Errors
///
/// Returns an error if `SCRUPP_WEBHOOK_SECRET` is not set, or if either secret is invalid.
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
