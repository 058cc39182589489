//! An allocator that counts what each thread asks for, so that a search can bound it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, counted. A program that measures makes it its `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

thread_local! {
    /// No destructor and a constant start: reading it allocates nothing.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that this thread has asked for since it began, whether or not it gave them back. A block that
/// grows counts anew, since its bytes may be moved. Stays 0 where [`Counting`] is not the allocator.
pub fn asked() -> u64 {
    ASKED.with(Cell::get)
}

fn count(bytes: usize) {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    ASKED.with(|asked| asked.set(asked.get().saturating_add(bytes)));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same there.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from the system's allocator with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the block came from the system's allocator with this layout; the caller vouches for `size`.
        unsafe { System.realloc(block, layout, size) }
    }
}
