//! An allocator that counts.
//!
//! `GlobalAlloc` is an unsafe trait, so there is no such thing without unsafe code. It lives here, in a workspace
//! that nobody depends on, and only passes calls on.
#![expect(unsafe_code, reason = "an allocator cannot be written in safe Rust")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What was asked of the allocator since the program started: `malloc`, `calloc` and `realloc` alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocations {
    /// How often.
    pub calls: u64,
    /// For how many bytes.
    pub bytes: u64,
}

impl Allocations {
    /// So far.
    #[must_use]
    pub fn now() -> Self {
        Self { calls: CALLS.load(Relaxed), bytes: BYTES.load(Relaxed) }
    }

    /// Since then.
    #[must_use]
    pub fn since(self) -> Self {
        let now = Self::now();
        Self { calls: now.calls - self.calls, bytes: now.bytes - self.bytes }
    }
}

struct Counting;

/// A load and a store cost less than an atomic addition. Threads can lose each other's counts; the programs whose
/// counts are compared have one.
fn note(size: usize) {
    CALLS.store(CALLS.load(Relaxed) + 1, Relaxed);
    BYTES.store(BYTES.load(Relaxed) + size as u64, Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came, and so does what that gives back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: likewise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: likewise; `place` came from the system's allocator.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::Allocations;

    #[test]
    fn an_allocation_is_counted() {
        let before = Allocations::now();
        let bytes = std::hint::black_box(Vec::<u8>::with_capacity(1000));
        let counted = before.since();
        assert!(counted.calls >= 1 && counted.bytes >= 1000, "{counted:?}");
        drop(bytes);
    }
}
