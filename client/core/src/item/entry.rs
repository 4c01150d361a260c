//! Entries: one write to one register.

use std::cmp::Ordering;

use sha2::{Digest as _, Sha256};

use super::stamp::Stamp;
use super::value::Value;
use super::value_codec::{encoded_len, write_value};

/// What a stamp counts for in the bounds of a register, whatever its encoding takes.
const STAMP_BYTES: usize = 28;

/// A value as one device wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) stamp: Stamp,
    pub(super) value: Value,
    pub(super) replaces: Vec<Stamp>,
}

impl Entry {
    /// An entry. `replaces` is brought into order (newest first, each once) and keeps only stamps below `stamp`:
    /// nobody can replace what was not there.
    pub fn new(stamp: Stamp, value: Value, mut replaces: Vec<Stamp>) -> Self {
        replaces.retain(|replaced| *replaced < stamp);
        replaces.sort_unstable_by(|a, b| b.cmp(a));
        replaces.dedup();
        Self { stamp, value, replaces }
    }

    /// When and by whom it was written.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What was written.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The entries that its writer had before their eyes and wrote over, newest first.
    pub fn replaces(&self) -> &[Stamp] {
        &self.replaces
    }

    /// What it counts for in a register's history bound: a number that does not depend on its neighbours.
    pub(super) fn size(&self) -> usize {
        encoded_len(&self.value) + STAMP_BYTES * (1 + self.replaces.len())
    }

    /// The order of entries, oldest first: stamp, then SHA-256 of the value's encoding, then the replaced stamps.
    /// Equal means identical.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.stamp.cmp(&other.stamp).then_with(|| {
            if self.value == other.value {
                self.replaces.cmp(&other.replaces)
            } else {
                value_hash(&self.value).cmp(&value_hash(&other.value))
            }
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.value.wipe();
    }
}

fn value_hash(value: &Value) -> [u8; 32] {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    Sha256::digest(&bytes).into()
}
