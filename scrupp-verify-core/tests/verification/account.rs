//! Secrets that are looked up: accounts that exist, and such as do not.

use std::collections::HashSet;

use scrupp_verify_core::{
    Account, Candidate, Delivery, Keyring, Policy, Rejection,
    RejectionKind::{BodyTooLarge, SignatureMismatch, TooOld, UnknownAccount},
    UnixTime, Verified,
};

use crate::{BODY, NOW, SECRET, head, secret};

fn candidate() -> Candidate {
    Policy::default().admit(&*head("1735471800"), NOW).unwrap()
}

fn finish(mut delivery: Delivery) -> Result<Verified, Rejection> {
    delivery.update(BODY)?;
    delivery.finish()
}

#[test]
fn says_whose_delivery_it_is() {
    let account = Account::new("customer-17", [secret("newer"), secret(SECRET)]);
    let id = account.id();
    let verified = finish(candidate().begin_for(account)).unwrap();
    assert_eq!(verified.account(), Some(id));
    assert_eq!(verified.secret_index(), 1);
    assert_eq!(verified.time(), NOW);
}

#[test]
fn says_no_account_where_none_was_named() {
    let verified = finish(candidate().begin(Keyring::from(secret(SECRET)))).unwrap();
    assert_eq!(verified.account(), None);
}

#[test]
fn refuses_the_delivery_of_another_account() {
    let other = Account::new("customer-18", secret("another"));
    let rejection = finish(candidate().begin_for(other)).unwrap_err();
    assert_eq!(rejection.kind(), SignatureMismatch);
}

#[test]
fn never_verifies_for_an_unknown_account() {
    let rejection = finish(candidate().begin_unknown()).unwrap_err();
    assert_eq!(rejection.kind(), UnknownAccount);
    let unread = candidate().begin_unknown().finish().unwrap_err();
    assert_eq!(unread.kind(), UnknownAccount);
}

#[test]
fn holds_an_unknown_account_to_the_same_limits() {
    let now = UnixTime::from_secs(NOW.as_secs() + 301);
    let too_old = Policy::default()
        .admit(&*head("1735471800"), now)
        .unwrap_err();
    assert_eq!(too_old.kind(), TooOld);

    let policy = Policy::default().body_limit(BODY.len() - 1);
    let mut delivery = policy
        .admit(&*head("1735471800"), NOW)
        .unwrap()
        .begin_unknown();
    assert_eq!(delivery.update(BODY).unwrap_err().kind(), BodyTooLarge);
    assert_eq!(delivery.finish().unwrap_err().kind(), BodyTooLarge);
}

#[test]
fn keeps_accounts_apart_by_their_ids_alone() {
    let id = |name: &str, text: &str| Account::new(name, secret(text)).id();
    assert_eq!(id("customer-17", "a"), id("customer-17", "b"));
    let names = [
        "",
        " ",
        "1",
        "01",
        "customer-17",
        "Customer-17",
        "customer-17 ",
        "customer-170",
    ];
    let ids: HashSet<_> = names.iter().map(|name| id(name, "a")).collect();
    assert_eq!(ids.len(), names.len());
}

#[test]
fn has_the_sha_256_of_the_name_as_id() {
    // FIPS 180-4's example of one block.
    let id = Account::new("abc", secret("a")).id();
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(crate::hex(id.as_bytes()), expected);
}
