//! What held a secret holds nothing of it any more once it is dropped.

#![expect(unsafe_code, reason = "looks at memory that was dropped")]
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use core::{
    mem::{MaybeUninit, size_of},
    slice,
};

use scrupp_verify_core::{Keyring, Policy, Secret, Signer, UnixTime};

/// The bytes of a value before and after it is dropped where it is.
///
/// `T` must have no padding, or not be looked at under Miri.
fn before_and_after<T>(value: T) -> [Vec<u8>; 2] {
    fn bytes<T>(slot: &MaybeUninit<T>) -> Vec<u8> {
        // SAFETY: the slot was filled; padding is read only where the caller says so; what was dropped is not used as a `T`.
        unsafe { slice::from_raw_parts(slot.as_ptr().cast(), size_of::<T>()) }.to_vec()
    }
    let mut slot = MaybeUninit::new(value);
    let before = bytes(&slot);
    // SAFETY: it is filled, and dropped only here.
    unsafe { slot.assume_init_drop() };
    [before, bytes(&slot)]
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

#[test]
fn wipes_a_secret() {
    // Two states of 32 bytes, and no padding.
    assert_eq!(size_of::<Secret>(), 64);
    let [before, after] = before_and_after(secret("topsecret"));
    assert!(before.iter().filter(|byte| **byte != 0).count() > 32);
    assert_eq!(after, [0; 64]);
}

#[test]
fn wipes_every_secret_of_a_keyring() {
    // Four secrets and two counts, and no padding.
    assert_eq!(size_of::<Keyring>(), 4 * 64 + 2 * size_of::<u16>());
    let texts = ["one", "two", "three", "four"];
    for held in 1..=4 {
        let secrets = texts.iter().take(held).map(|text| secret(text));
        let [before, after] = before_and_after(Keyring::new(secrets).unwrap());
        for text in texts.iter().take(held) {
            let [key, _] = before_and_after(secret(text));
            for state in key.chunks(32) {
                let held_in = |bytes: &[u8]| bytes.windows(32).any(|window| window == state);
                assert!(held_in(&before), "{text} is there, of {held}");
                assert!(!held_in(&after), "{text} is still there, of {held}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "looks at padding, too")]
fn wipes_the_states_of_a_delivery() {
    let now = UnixTime::from_secs(1_735_471_800);
    let head = Signer::new(&secret("one")).sign(now, b"{}");
    let texts = ["one", "two", "three", "four"];
    for held in 1..=4 {
        let texts = || texts.iter().take(held);
        let keyring = Keyring::new(texts().map(|text| secret(text))).unwrap();
        let candidate = Policy::default().admit(&head, now).unwrap();
        let [before, after] = before_and_after(candidate.begin(&keyring));
        for text in texts() {
            let [key, _] = before_and_after(secret(text));
            // Nothing is hashed yet that would change the inner half.
            let states = |bytes: &[u8]| {
                let half = |window: &[u8]| key.chunks(32).any(|half| half == window);
                bytes.windows(32).filter(|window| half(window)).count()
            };
            assert_eq!(states(&before), 2, "{text} is there, of {held}");
            assert_eq!(states(&after), 0, "{text} is still there, of {held}");
        }
    }
}
