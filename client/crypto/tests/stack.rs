//! What sealing and opening leave on the stack below whoever called them. Linux shows a process its own memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU8, Ordering};

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::envelope::{open, seal};
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::{Ark, SymmetricKey};
use lockstep_crypto::random::Random;

/// Other bytes each time.
struct Counted(AtomicU8);

impl Random for Counted {
    fn fill(&self, out: &mut [u8]) {
        let round = self.0.fetch_add(1, Ordering::Relaxed);
        for (place, byte) in out.iter_mut().enumerate() {
            *byte = u8::try_from(place * 37 % 251).unwrap() ^ round;
        }
    }
}

/// How often these bytes stand on this thread's stack, from its end up to this function.
#[inline(never)]
fn left(bytes: &[u8]) -> usize {
    let here = u64::try_from(std::ptr::from_ref(&bytes).addr()).unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().map(|line| line.split(' ').next().unwrap().split_once('-').unwrap());
    let address = |text| u64::from_str_radix(text, 16).unwrap();
    let mut ranges = ranges.map(|(start, end)| (address(start), address(end)));
    let (start, _) = ranges.find(|(start, end)| (*start..*end).contains(&here)).unwrap();
    let mut stack = vec![0; usize::try_from(here - start).unwrap()];
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut stack, start).unwrap();
    stack.windows(bytes.len()).filter(|window| *window == bytes).count()
}

/// Leaves them there.
#[inline(never)]
fn leave(bytes: &[u8]) {
    let mut room = [0_u8; 16 * 1024];
    room[..bytes.len()].copy_from_slice(bytes);
    black_box(&mut room);
}

#[test]
fn sealing_and_opening_leave_neither_plaintext_nor_key_on_the_stack() {
    let plaintext = b"what was written down here".repeat(2);
    let random = Counted(AtomicU8::new(1));
    let key = Ark::make(&random);
    let keys = DeviceKeys::make(&random);
    let rng_secret = keys.derive_rng_secret();
    let hedge = Hedge::new(&random, &rng_secret);
    leave(&plaintext);
    assert!(left(&plaintext) > 0, "what is left is found");
    let sealed = seal(key.symmetric(), b"context", &plaintext, &hedge).unwrap();
    assert_eq!((left(&plaintext), left(key.expose_bytes())), (0, 0));
    let opened = open(key.symmetric(), b"context", &sealed).unwrap();
    assert_eq!(*opened, plaintext);
    assert_eq!((left(&plaintext), left(key.expose_bytes())), (0, 0));
    let other = SymmetricKey::from_bytes([1; 32]);
    assert!(open(&other, b"context", &sealed).is_err());
    assert_eq!(left(&plaintext), 0);
}
