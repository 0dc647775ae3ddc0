use super::*;
use crate::Account;

fn keyring(secrets: usize) -> Keyring {
    let secret = Secret::new("topsecret").unwrap();
    Keyring::new(core::iter::repeat_n(secret, secrets)).unwrap()
}

#[test]
fn computes_four_keys_for_every_account() {
    let computed = |keyring: &Keyring| keyring.computed;
    assert_eq!(computed(&Keyring::of_unknown_account()), 4);
    for secrets in 1..=4 {
        assert_eq!(computed(&keyring(secrets)), secrets);
        assert_eq!(computed(Account::new("17", keyring(secrets)).keyring()), 4);
    }
}

#[test]
fn placeholders_never_verify() {
    let message: [&[u8]; 2] = [b"1735471800.", b"{}"];
    let tag = mac::tag(&mac::placeholder(), &message);
    for secrets in 1..4 {
        let account = Account::new("17", keyring(secrets));
        for keyring in [&keyring(secrets), account.keyring()] {
            let verdict = keyring.verify(&message, &tag);
            assert_eq!(verdict, Err(RejectionKind::SignatureMismatch));
        }
    }
    let unknown = Keyring::of_unknown_account();
    let verdict = unknown.verify(&message, &tag);
    assert_eq!(verdict, Err(RejectionKind::UnknownAccount));
}
