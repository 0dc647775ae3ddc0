//! Tests that dropped values leave no secret in memory.

#![expect(unsafe_code, reason = "reads the memory of dropped values")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    mem::{MaybeUninit, size_of},
    slice,
};

use scrupp_verify_core::{Keyring, Policy, Secret, Signer, UnixTime};
use sha2::block_api::compress256;

const TEXTS: [&str; 4] = ["one", "two", "three", "four"];

/// Returns the bytes of a value before and after it is dropped in place.
fn before_and_after<T>(value: T) -> [Vec<u8>; 2] {
    fn bytes<T>(slot: &MaybeUninit<T>) -> Vec<u8> {
        // SAFETY: The slot is initialized, and its bytes are not used as a `T` after the drop. Miri
        // does not run these tests, because they read padding.
        unsafe { slice::from_raw_parts(slot.as_ptr().cast(), size_of::<T>()) }.to_vec()
    }
    let mut slot = MaybeUninit::new(value);
    let before = bytes(&slot);
    // SAFETY: The slot is initialized, and is dropped only here.
    unsafe { slot.assume_init_drop() };
    [before, bytes(&slot)]
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// Returns the two states of a prepared key (RFC 2104, section 4) as they are stored in memory.
fn states(text: &str) -> [Vec<u8>; 2] {
    let initial = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    [0x36, 0x5c].map(|pad| {
        let mut block = [pad; 64];
        for (byte, of_key) in block.iter_mut().zip(text.bytes()) {
            *byte ^= of_key;
        }
        let mut state: [u32; 8] = initial;
        compress256(&mut state, &[block]);
        state.iter().flat_map(|word| word.to_ne_bytes()).collect()
    })
}

#[track_caller]
fn assert_wipes<T>(value: T, texts: &[&str]) {
    let [before, after] = before_and_after(value);
    for text in texts {
        for state in states(text) {
            let is_in = |bytes: &[u8]| bytes.windows(32).any(|window| window == state);
            assert!(is_in(&before), "{text} is not in memory before the drop");
            assert!(!is_in(&after), "{text} is still in memory after the drop");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads padding")]
fn wipes_a_secret() {
    assert_wipes(secret("topsecret"), &["topsecret"]);
}

#[test]
#[cfg_attr(miri, ignore = "reads padding")]
fn wipes_every_secret_of_a_keyring() {
    for held in 1..=4 {
        let texts = &TEXTS[..held];
        let keyring = Keyring::new(texts.iter().map(|text| secret(text))).unwrap();
        assert_wipes(keyring, texts);
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads padding")]
fn wipes_every_secret_of_a_delivery() {
    let now = UnixTime::from_secs(1_735_471_800);
    let headers = Signer::new(&secret("one")).sign(now, b"{}");
    let head = Policy::default().check_head(&headers, now).unwrap();
    for held in 1..=4 {
        let texts = &TEXTS[..held];
        let keyring = Keyring::new(texts.iter().map(|text| secret(text))).unwrap();
        // The message does not fill a block yet, so the inner states are unchanged.
        assert_wipes(head.begin(&keyring), texts);
    }
}
