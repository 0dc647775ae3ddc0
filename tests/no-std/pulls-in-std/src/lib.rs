//! Stands for a dependency that needs `std`, whether or not it is ever called.

#![no_std]

extern crate std;
