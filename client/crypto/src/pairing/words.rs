//! Four words that two people, or one with two screens, compare.

use std::fmt;

use bip39::Language;
use lockstep_proto::ids::Hash;

/// Words of one comparison.
const COUNT: usize = 4;
/// Bits of each word.
const BITS: u32 = 11;

/// 44 bits as four of the 2,048 English words of BIP-39, of which no two begin with the same four letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairingWords([&'static str; COUNT]);

impl PairingWords {
    /// The words of a hash's first 44 bits, most significant first.
    pub(super) fn of(hash: &Hash) -> Self {
        let first = hash.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let list = Language::English.word_list();
        Self(std::array::from_fn(|place| {
            let left = u64::BITS - BITS * (place as u32 + 1);
            list[(first >> left) as usize % list.len()]
        }))
    }

    /// The words, in order.
    pub fn words(&self) -> [&'static str; COUNT] {
        self.0
    }
}

impl fmt::Display for PairingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
