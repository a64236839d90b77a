//! How the C library's allocator holds what is freed.

#![expect(unsafe_code, reason = "the allocator is tuned through its C interface")]

/// Buffers from this size on are mapped one by one, and go back to the system
/// when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 512 * 1024;

/// Keeps the boundary between small and large allocations where it is. The GNU C
/// library moves it up to the largest buffer that was ever freed; from then on
/// such buffers stay in a heap for each thread, and a crawl among hostile servers
/// held 100 MB more than it used.
pub fn tune() {
    #[cfg(target_env = "gnu")]
    // SAFETY: called before there are other threads; it takes two numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
