//! Shared by the targets: an allocator that counts the memory in use.

pub mod memory;
