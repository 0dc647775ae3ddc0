//! Stands for a dependency that needs `alloc`, whether or not it is ever called.

#![no_std]

extern crate alloc;
