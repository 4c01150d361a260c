//! What ciphers leave on the stack.

use std::hint::black_box;

/// More than the functions below the callers here use.
const DEPTH: usize = 32 * 1024;

/// Overwrites what functions that have returned left below the caller's frame: ciphers work on copies of keys and plaintext
/// there, and what comes next may carry them into the heap with the padding of its own data.
#[inline(never)]
pub(crate) fn wipe_stack() {
    black_box(&mut [0_u8; DEPTH]);
}
