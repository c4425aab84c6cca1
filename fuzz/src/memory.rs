//! How much memory the program holds, counted as it is taken and given back.
//!
//! A neuron does not tell how large it is, and a decoder not how much it has reserved; so the allocator is asked. What
//! libFuzzer takes for itself does not come through here.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and a count of the bytes that are in use.
///
/// A target that wants to know declares it as its global allocator.
pub struct Counting;

// SAFETY: every call is passed on as it came; the counting touches nothing but two numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // For a moment both blocks may be there.
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(block, layout, size) }
    }
}

fn taken(bytes: usize) {
    let in_use = IN_USE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(in_use, Relaxed);
}

fn given_back(bytes: usize) {
    IN_USE.fetch_sub(bytes, Relaxed);
}

/// How many bytes are in use.
pub fn in_use() -> usize {
    IN_USE.load(Relaxed)
}

/// How much memory has been taken since it was begun.
#[derive(Debug)]
pub struct Meter {
    start: usize,
}

impl Meter {
    /// Begins to measure. There is one peak for the whole program, so only one of them can measure at a time.
    pub fn begin() -> Self {
        let start = in_use();
        PEAK.store(start, Relaxed);
        Self { start }
    }

    /// The most bytes that were in use since the beginning, above those that were in use then.
    pub fn peak(&self) -> usize {
        PEAK.load(Relaxed).saturating_sub(self.start)
    }
}
