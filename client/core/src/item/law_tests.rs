//! The laws of merge, over random documents with bounds so small that history is dropped all the time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;

use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::entry::Entry;
use super::merge::{merge, merge_within};
use super::register::{Bounds, Register};
use super::stamp::{Author, Stamp};
use super::value::Value;

/// `LOCKSTEP_LAW_TRIPLES` and `LOCKSTEP_LAW_SEED` change these for a longer run.
const TRIPLES: u64 = 110_000;
const SEED: u64 = 0x1c57_e900_0000_0001;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// SplitMix64: small, fast, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn stamp(&mut self) -> Stamp {
        let device = DeviceId([u8::try_from(self.roll(2)).unwrap(); 16]);
        Stamp::new(self.roll(4), u32::try_from(self.roll(2)).unwrap(), device).unwrap()
    }

    fn value(&mut self) -> Value {
        match self.roll(6) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::Text("x".repeat(40)),
            _ => Value::Int(i64::try_from(self.roll(3)).unwrap()),
        }
    }

    fn entry(&mut self) -> Entry {
        let replaces = (0..self.roll(3)).map(|_| self.stamp()).collect();
        Entry::new(self.stamp(), self.value(), replaces)
    }

    fn register(&mut self, bounds: &Bounds) -> Register {
        let entries = (0..=self.roll(4)).map(|_| self.entry()).collect();
        Register::from_entries(entries, None, bounds).unwrap()
    }

    fn document(&mut self, bounds: &Bounds) -> Document {
        let mut document = Document::default();
        for field in ["a", "bb"] {
            if self.roll(4) > 0 {
                document.fields.insert(field.to_owned(), self.register(bounds));
            }
        }
        if self.roll(3) == 0 {
            document.unknown.insert("later".to_owned(), self.value());
        }
        document
    }

    fn bounds(&mut self) -> Bounds {
        let history_bytes = usize::try_from(30 + self.roll(200)).unwrap();
        Bounds { history_count: usize::try_from(self.roll(5)).unwrap(), history_bytes }
    }
}

#[test]
fn merge_is_commutative_associative_and_idempotent_over_random_triples() {
    let (seed, triples) = (setting("LOCKSTEP_LAW_SEED", SEED), setting("LOCKSTEP_LAW_TRIPLES", TRIPLES));
    println!("seed {seed}, {triples} triples");
    let mut dice = Dice(seed);
    let (mut dropped, mut histories) = (0_u64, 0_u64);
    for triple in 0..triples {
        let bounds = dice.bounds();
        let [a, b, c] = [dice.document(&bounds), dice.document(&bounds), dice.document(&bounds)];
        let ab = merge_within(&a, &b, &bounds);
        let left = merge_within(&ab, &c, &bounds);
        let right = merge_within(&a, &merge_within(&b, &c, &bounds), &bounds);
        assert!(ab == merge_within(&b, &a, &bounds), "not commutative in triple {triple}");
        assert!(left == right, "not associative in triple {triple}");
        assert!(merge_within(&ab, &ab, &bounds) == ab, "not idempotent in triple {triple}");
        assert!(merge_within(&ab, &a, &bounds) == ab, "merging again changed triple {triple}");
        if triple % 8 == 0 {
            assert_eq!(left.to_bytes(), right.to_bytes(), "bytes differ in triple {triple}");
        }
        dropped += u64::from(left.registers().any(|(_, register)| register.floor().is_some()));
        histories += u64::from(left.registers().any(|(_, register)| !register.history().is_empty()));
    }
    assert!(dropped > triples / 10, "history was dropped in {dropped} triples only");
    assert!(histories > triples / 10, "history was kept in {histories} triples only");
}

#[test]
fn every_value_is_kept_or_above_bound_dropped_and_the_newest_always_kept() {
    let mut dice = Dice(SEED + 1);
    for round in 0..20_000 {
        let bounds = dice.bounds();
        let [a, b] = [dice.register(&bounds), dice.register(&bounds)];
        let merged = a.merge(&b, &bounds);
        let kept: BTreeSet<Stamp> = merged.entries().iter().map(Entry::stamp).collect();
        for entry in a.entries().iter().chain(b.entries()) {
            let is_kept = merged.entries().contains(entry);
            assert!(is_kept || Some(entry.stamp()) <= merged.floor(), "a value vanished in round {round}");
        }
        let highest = a.winner().stamp().max(b.winner().stamp());
        assert_eq!(merged.winner().stamp(), highest, "the newest did not win in round {round}");
        assert!(merged.history().len() <= bounds.history_count && kept.contains(&highest));
    }
}

#[test]
fn an_edit_beats_every_value_it_has_seen_whatever_the_clocks_say() {
    let mut dice = Dice(SEED + 2);
    for round in 0..5_000_i64 {
        let seen = dice.document(&Bounds::PROTOCOL);
        let mut edited = seen.clone();
        let author = Author { now_ms: dice.roll(5), device: DeviceId([7; 16]) };
        let value = Value::Text(format!("edit {round}"));
        edited.edit(author).set("a", value.clone()).apply().unwrap();
        let merged = merge(&edited, &seen);
        assert!(merged == edited, "round {round}: merging what was seen changed the edit");
        assert!(merged.value("a") == Some(&value), "round {round}: an older value won");
    }
}

#[test]
fn documents_survive_their_encoding() {
    let mut dice = Dice(SEED + 3);
    for round in 0..10_000 {
        let document = dice.document(&Bounds::PROTOCOL);
        let bytes = document.to_bytes();
        assert!(Document::from_bytes(&bytes).unwrap() == document, "round {round}");
    }
}

#[test]
fn no_flipped_byte_decodes_to_other_bytes() {
    let mut dice = Dice(SEED + 4);
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for _ in 0..20_000 {
        let mut bytes = dice.document(&Bounds::PROTOCOL).to_bytes();
        let place = usize::try_from(dice.roll(bytes.len() as u64)).unwrap();
        bytes[place] ^= 1 << dice.roll(8);
        match Document::from_bytes(&bytes) {
            Ok(document) => {
                accepted += 1;
                assert_eq!(document.to_bytes(), bytes);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 0 && refused > 0);
}
