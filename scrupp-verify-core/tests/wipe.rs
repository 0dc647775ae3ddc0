//! What held a secret holds nothing of it any more once it is dropped.

#![expect(unsafe_code, reason = "looks at memory that was dropped")]
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use core::{
    mem::{MaybeUninit, size_of},
    slice,
};

use scrupp_verify_core::{Keyring, Policy, Secret, Signer, UnixTime};
use sha2::block_api::compress256;

const TEXTS: [&str; 4] = ["one", "two", "three", "four"];

/// The bytes of a value before and after it is dropped where it is.
fn before_and_after<T>(value: T) -> [Vec<u8>; 2] {
    fn bytes<T>(slot: &MaybeUninit<T>) -> Vec<u8> {
        // SAFETY: the slot was filled; Miri, which knows of padding, does not run these tests; what was dropped is not used as a `T`.
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

/// The two states that a key is prepared to (RFC 2104, section 4), as they are in memory.
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
            assert!(is_in(&before), "{text} is there");
            assert!(!is_in(&after), "{text} is still there");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "looks at padding, too")]
fn wipes_a_secret() {
    assert_wipes(secret("topsecret"), &["topsecret"]);
}

#[test]
#[cfg_attr(miri, ignore = "looks at padding, too")]
fn wipes_every_secret_of_a_keyring() {
    for held in 1..=4 {
        let texts = &TEXTS[..held];
        let keyring = Keyring::new(texts.iter().map(|text| secret(text))).unwrap();
        assert_wipes(keyring, texts);
    }
}

#[test]
#[cfg_attr(miri, ignore = "looks at padding, too")]
fn wipes_the_states_of_a_delivery() {
    let now = UnixTime::from_secs(1_735_471_800);
    let headers = Signer::new(&secret("one")).sign(now, b"{}");
    let head = Policy::default().check_head(&headers, now).unwrap();
    for held in 1..=4 {
        let texts = &TEXTS[..held];
        let keyring = Keyring::new(texts.iter().map(|text| secret(text))).unwrap();
        // Nothing fills a block yet that would change the inner states.
        assert_wipes(head.begin(&keyring), texts);
    }
}
