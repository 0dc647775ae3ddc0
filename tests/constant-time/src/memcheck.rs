//! Client requests to Memcheck.
//!
//! A request is a sequence of instructions without effect that Valgrind recognizes. Its codes and
//! registers are part of Valgrind's stable interface (`valgrind.h`, `memcheck.h`).

#![expect(unsafe_code, reason = "passes addresses to Memcheck")]

use core::{mem::size_of_val, ptr};

/// Returns true if the program runs under Valgrind.
#[must_use]
pub fn is_running() -> bool {
    request(0x1001, [0; 5]) > 0
}

/// Returns the number of reports so far. Repeated reports count each time.
#[must_use]
pub fn reports() -> usize {
    request(0x1201, [0; 5])
}

/// Marks every byte of a value as undefined. Copies, and values that are computed from it, are
/// undefined too.
pub fn make_undefined<T: ?Sized>(value: &mut T) {
    let address = ptr::from_mut(value).cast::<u8>() as usize;
    request(MEMCHECK + 1, [address, size_of_val(value), 0, 0, 0]);
}

/// Marks every byte of a value as defined.
pub fn make_defined<T: ?Sized>(value: &mut T) {
    let address = ptr::from_mut(value).cast::<u8>() as usize;
    request(MEMCHECK + 2, [address, size_of_val(value), 0, 0, 0]);
}

/// Returns the number of bytes of a value that have an undefined bit.
#[must_use]
pub fn undefined_bytes<T>(value: &T) -> usize {
    let mut bits = vec![0_u8; size_of_val(value)];
    let address = ptr::from_ref(value) as usize;
    let response = request(
        MEMCHECK + 8,
        [address, bits.as_mut_ptr() as usize, bits.len(), 0, 0],
    );
    assert_eq!(response, 1, "Memcheck did not report the undefined bits");
    bits.iter().filter(|bits| **bits != 0).count()
}

/// First of the codes that only Memcheck has.
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;

/// Sends a request, and returns the response. Without Valgrind, the response is 0.
fn request(code: usize, [a, b, c, d, e]: [usize; 5]) -> usize {
    let words = [code, a, b, c, d, e];
    let response;
    // SAFETY: the instructions change no register except the named one. Memcheck reads the words,
    // and writes only its own state and, for one code, a buffer that is long enough.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &raw const words,
            inout("rdx") 0_usize => response,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") &raw const words,
            inout("x3") 0_usize => response,
            options(nostack),
        );
    }
    response
}
