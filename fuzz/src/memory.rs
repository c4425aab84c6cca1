//! The memory in use, counted by the allocator.
//!
//! A neuron does not know its size, nor a decoder how much it has reserved. The memory of libFuzzer
//! itself is not counted.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the system, with a count of the bytes in use. A target that needs the count
/// declares this as its global allocator.
pub struct Counting;

// SAFETY: every call is forwarded unchanged; counting changes only two atomic numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        on_alloc(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        on_alloc(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        on_free(layout.size());
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist for a moment.
        on_alloc(size);
        on_free(layout.size());
        unsafe { System.realloc(block, layout, size) }
    }
}

fn on_alloc(bytes: usize) {
    let in_use = IN_USE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(in_use, Relaxed);
}

fn on_free(bytes: usize) {
    IN_USE.fetch_sub(bytes, Relaxed);
}

/// Returns the number of bytes in use.
pub fn in_use() -> usize {
    IN_USE.load(Relaxed)
}

/// A measurement of the memory in use since it was begun.
#[derive(Debug)]
pub struct Meter {
    start: usize,
}

impl Meter {
    /// Begins a measurement. The program has one peak, so only one measurement can run at a time.
    pub fn begin() -> Self {
        let start = in_use();
        PEAK.store(start, Relaxed);
        Self { start }
    }

    /// Returns the peak of the bytes in use since the measurement began, less those in use at that
    /// time.
    pub fn peak(&self) -> usize {
        PEAK.load(Relaxed).saturating_sub(self.start)
    }
}
