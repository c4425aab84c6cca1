//! What the targets share: an allocator that knows how much is in use.

pub mod memory;
