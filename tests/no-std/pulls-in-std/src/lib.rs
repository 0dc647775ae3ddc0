//! A dependency that needs `std`, even if no function of it is called.

#![no_std]

extern crate std;
