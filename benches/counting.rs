//! An allocator that counts: how many allocations there were, and how much is held.
//!
//! It counts one thread's: without the processor's locks, which would cost more than what they count.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

pub static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
pub static HELD: AtomicUsize = AtomicUsize::new(0);
/// The most that was held since it was last set.
pub static PEAK: AtomicUsize = AtomicUsize::new(0);

fn get(number: &AtomicUsize) -> usize {
    number.load(Ordering::Relaxed)
}

fn set(number: &AtomicUsize, value: usize) {
    number.store(value, Ordering::Relaxed);
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = get(&HELD) + layout.size();
        set(&ALLOCATIONS, get(&ALLOCATIONS) + 1);
        set(&HELD, held);
        set(&PEAK, get(&PEAK).max(held));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        set(&HELD, get(&HELD) - layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}
