use core::hash::BuildHasher;
use std::collections::HashSet;

use super::*;

#[test]
fn hashes_ids_apart() {
    let hasher = BuildHasherDefault::<IdHasher>::default();
    let ids = (0..1000_u32).map(|number| DeliveryId::of(&[&number.to_be_bytes()]));
    let hashes: HashSet<_> = ids.map(|id| hasher.hash_one(id)).collect();
    assert_eq!(hashes.len(), 1000);
}
