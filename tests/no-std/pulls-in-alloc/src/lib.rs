//! A dependency that needs `alloc`, even if no function of it is called.

#![no_std]

extern crate alloc;
