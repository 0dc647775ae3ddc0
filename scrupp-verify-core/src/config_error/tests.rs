extern crate alloc;

use alloc::string::ToString;

use super::{ConfigError::*, *};
use crate::Keyring;

/// The error after this one; a new one does not compile until it is in here.
const fn next(error: ConfigError) -> Option<ConfigError> {
    Some(match error {
        EmptySecret => SpaceAroundSecret,
        SpaceAroundSecret => NoSecret,
        NoSecret => TooManySecrets,
        TooManySecrets => MalformedApiOrigin,
        MalformedApiOrigin => InsecureApiOrigin,
        InsecureApiOrigin => RetentionTooShort,
        RetentionTooShort => return None,
    })
}

#[test]
fn says_what_the_operator_has_to_mend() {
    let all = core::iter::successors(Some(EmptySecret), |error| next(*error));
    let expected = [
        "the secret is empty",
        "the secret starts or ends with white space (a line feed from a file?)",
        "there is no secret",
        "there are more than 4 secrets",
        "the API origin is not of the form https://host or https://host:port (lower case, no default port, nothing after it)",
        "the API origin is http and not on this machine: the API key would be readable",
        "the retention is shorter than the tolerance",
    ];
    assert!(all.map(|error| error.to_string()).eq(expected));
}

#[test]
fn names_the_number_of_secrets_that_a_keyring_holds() {
    let number = Keyring::MAX_SECRETS.to_string();
    assert!(TooManySecrets.to_string().contains(&number));
}
