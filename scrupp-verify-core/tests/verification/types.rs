//! What the types are: where they may go, and how large they are.

use core::{
    mem::{needs_drop, size_of},
    panic::{RefUnwindSafe, UnwindSafe},
};

use scrupp_verify_core::{
    Account, AccountId, Candidate, ConfigError, Delivery, Keyring, Policy, Rejection,
    RejectionKind, Secret, SignedHeaders, Signer, Tolerance, UnixTime, Verified, Verifier,
};

const fn goes_anywhere<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
const fn is_copied<T: Copy + Eq + Send + Sync>() {}
const fn is_error<T: core::error::Error + Copy + Eq + Send + Sync + 'static>() {}

const _: () = {
    goes_anywhere::<Account>();
    goes_anywhere::<AccountId>();
    goes_anywhere::<Candidate>();
    goes_anywhere::<ConfigError>();
    goes_anywhere::<Delivery>();
    goes_anywhere::<Keyring>();
    goes_anywhere::<Policy>();
    goes_anywhere::<Rejection>();
    goes_anywhere::<RejectionKind>();
    goes_anywhere::<Secret>();
    goes_anywhere::<SignedHeaders>();
    goes_anywhere::<Signer>();
    goes_anywhere::<Tolerance>();
    goes_anywhere::<UnixTime>();
    goes_anywhere::<Verified>();
    goes_anywhere::<Verifier>();

    is_copied::<AccountId>();
    is_copied::<Policy>();
    is_copied::<Tolerance>();
    is_copied::<UnixTime>();
    is_copied::<Verified>();

    is_error::<ConfigError>();
    is_error::<Rejection>();
};

#[cfg(feature = "adapter")]
const _: () = {
    use scrupp_verify_core::adapter::{Admitted, Broken, Gate, Reception, Refused, Rest};

    const fn is_shared<T: Send + Sync + Unpin + 'static>() {}
    const fn is_sent<T: Send + 'static>() {}

    // Also with what may not be shared: it is only ever lent to a lookup.
    is_shared::<Gate<core::cell::Cell<u8>>>();
    is_shared::<Admitted>();
    is_shared::<Broken>();
    is_sent::<Reception<core::cell::Cell<u8>>>();
    is_sent::<Refused<core::cell::Cell<u8>>>();
    is_sent::<Rest<core::cell::Cell<u8>>>();
};

#[test]
fn what_holds_keys_does_something_when_dropped() {
    let table = [
        ("Secret", needs_drop::<Secret>()),
        ("Keyring", needs_drop::<Keyring>()),
        ("Account", needs_drop::<Account>()),
        ("Signer", needs_drop::<Signer>()),
        ("Verifier", needs_drop::<Verifier>()),
        ("Delivery", needs_drop::<Delivery>()),
    ];
    for (name, wipes) in table {
        assert!(wipes, "{name} is not wiped");
    }
    assert!(!needs_drop::<Candidate>(), "a candidate holds no key");
}

#[test]
fn is_no_larger_than_it_has_to_be() {
    let table = [
        // Two states of 32 bytes for each of four keys, and their number.
        ("Keyring", size_of::<Keyring>(), 4 * 64 + 8),
        ("Secret", size_of::<Secret>(), 64),
        // A keyring, an unfinished block, a tag, two times, an account's id and four small ones.
        (
            "Delivery",
            size_of::<Delivery>(),
            264 + 80 + 32 + 2 * 8 + 33 + 2 * 8 + 7,
        ),
        ("Candidate", size_of::<Candidate>(), 80 + 32 + 2 * 8 + 8),
        ("Verified", size_of::<Verified>(), 56),
        ("Rejection", size_of::<Rejection>(), 24),
        ("RejectionKind", size_of::<RejectionKind>(), 1),
        ("SignedHeaders", size_of::<SignedHeaders>(), 128),
    ];
    for (name, bytes, most) in table {
        assert!(bytes <= most, "{name} has {bytes} bytes, more than {most}");
    }
}
