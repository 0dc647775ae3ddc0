//! Memory use of a full [`MemoryStore`], in total and in its largest allocation.
#![cfg(all(feature = "dedup", feature = "std", not(loom)))]
#![expect(unsafe_code, reason = "implements a counting allocator")]

use core::{
    alloc::{GlobalAlloc, Layout},
    pin::pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::{alloc::System, sync::Arc};

use scrupp_verify_core::{
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore, MemoryStoreError},
};

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static MOST_ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        let allocated = ALLOCATED.fetch_add(size, Ordering::Relaxed) + size;
        MOST_ALLOCATED.fetch_max(allocated, Ordering::Relaxed);
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a memory store never waits"),
    }
}

#[test]
fn default_store_holds_262_144_deliveries_in_at_most_64_mib() {
    const CAPACITY: u64 = 262_144;
    let before = ALLOCATED.load(Ordering::Relaxed);
    let secs = Arc::new(AtomicU64::new(1_735_471_800));
    let clock = Arc::clone(&secs);
    let store = MemoryStore::default()
        .clock(move || Some(UnixTime::from_secs(clock.load(Ordering::Relaxed))));
    let token = ClaimToken::from_bytes([1; 16]);
    let claim = |number: u64| {
        let id = DeliveryId::of(&[&number.to_be_bytes()]);
        let claim = now(store.claim(id, token, Duration::from_secs(60)))?;
        assert_eq!(claim, Claim::Granted);
        now(store.commit(id, token, Duration::from_secs(86_400)))
    };
    // Four deliveries per second fill the store within the retention.
    for number in 0..CAPACITY {
        secs.fetch_add(u64::from(number % 4 == 0), Ordering::Relaxed);
        assert_eq!(claim(number), Ok(true));
    }
    assert_eq!(claim(CAPACITY), Err(MemoryStoreError::Full));

    // After weeks at capacity, the maps can be twice as large: 61 MiB in total.
    let most = MOST_ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(most <= 40 << 20, "{most} bytes");
    // A single map would allocate 24 MiB at once.
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest <= 256 << 10, "{largest} bytes at once");
}
