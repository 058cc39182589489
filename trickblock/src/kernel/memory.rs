//! How the allocator treats a process that is idle for minutes and then works for a moment.
//!
//! With glibc's defaults a daemon of 100,000 indicators keeps 90 MB after a few swaps and answers, of
//! which it uses 25: every thread has an arena of its own, and once a large block was freed, blocks of
//! its size no longer go back to the system.

#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Makes large blocks go back as soon as they are freed. To be called before threads are started.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, LARGE),
        (libc::M_TRIM_THRESHOLD, LARGE),
    ] {
        // SAFETY: mallopt takes two numbers. A refusal leaves the default, which works as well.
        unsafe { libc::mallopt(option, value) };
    }
}

/// Gives back the pages that are free now. Takes a few milliseconds at most.
pub fn return_free_pages() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a number, and pages in use are not touched.
    unsafe {
        libc::malloc_trim(0)
    };
}
