extern crate alloc;

use alloc::{format, string::ToString};

use super::*;

#[test]
fn the_prefix_fits_the_longest_timestamp() {
    let longest = u64::MAX.to_string();
    assert_eq!(
        parse_timestamp(longest.as_bytes()),
        Some(UnixTime::from_secs(u64::MAX))
    );
    assert_eq!(parse_timestamp(format!("{longest}0").as_bytes()), None);
    let prefix = Prefix::new(longest.as_bytes());
    assert_eq!(prefix.as_bytes(), format!("{longest}.").as_bytes());
}

#[test]
fn nibble_accepts_only_hex_digits() {
    for byte in 0..=u8::MAX {
        let value = char::from(byte).to_digit(16);
        match value {
            Some(value) => assert_eq!(u32::from(nibble(byte)), value, "{byte}"),
            None => assert!(nibble(byte) > 15, "{byte}"),
        }
    }
}
