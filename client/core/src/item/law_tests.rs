//! The laws of merge, over documents that devices have reached by writing, choosing and meeting in any order, with bounds
//! so small that history is given up all the time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;

use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::entry::Entry;
use super::floors::Floors;
use super::merge::{merge, merge_within};
use super::register::{Bounds, Register};
use super::stamp::{Author, Stamp, foreign_writer};
use super::value::Value;

/// `LOCKSTEP_LAW_TRIPLES` and `LOCKSTEP_LAW_SEED` change these for a longer run.
const TRIPLES: u64 = 110_000;
const SEED: u64 = 0x1c57_e900_0000_0001;
const DEVICES: usize = 4;
const FIELDS: [&str; 2] = ["a", "bb"];

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

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll(count as u64)).unwrap()
    }

    fn value(&mut self) -> Value {
        match self.roll(6) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::Text("x".repeat(40)),
            _ => Value::Int(i64::try_from(self.roll(3)).unwrap()),
        }
    }

    fn bounds(&mut self) -> Bounds {
        let history_bytes = usize::try_from(30 + self.roll(200)).unwrap();
        Bounds { history_count: self.below(5), history_bytes }
    }

    /// Anything that a decoder would let in.
    fn any_document(&mut self, bounds: &Bounds) -> Document {
        let mut document = Document::default();
        for field in FIELDS {
            let entries = (0..=self.roll(4)).map(|_| self.any_entry()).collect();
            let floors = Floors::at((0..self.roll(3)).map(|_| self.any_stamp()));
            if let Some(register) = Register::from_entries(entries, floors, bounds) {
                document.fields.insert(field.to_owned(), register);
            }
        }
        if self.roll(3) == 0 {
            document.unknown.insert("later".to_owned(), self.value());
        }
        document
    }

    fn any_entry(&mut self) -> Entry {
        let replaces = (0..self.roll(3)).map(|_| self.any_stamp()).collect();
        Entry::new(self.any_stamp(), self.value(), replaces)
    }

    fn any_stamp(&mut self) -> Stamp {
        let device = DeviceId([u8::try_from(self.roll(2)).unwrap(); 16]);
        Stamp::new(self.roll(4), u32::try_from(self.roll(2)).unwrap(), device).unwrap()
    }
}

/// A write, and what its writer had seen as the field's value or chosen against.
struct Write {
    field: &'static str,
    stamp: Stamp,
    value: Value,
    over: BTreeSet<Stamp>,
}

/// Devices that write, choose and meet, and what each has seen, noted from outside.
struct World {
    bounds: Bounds,
    documents: [Document; DEVICES],
    seen: [BTreeSet<usize>; DEVICES],
    writes: Vec<Write>,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, documents: Default::default(), seen: Default::default(), writes: Vec::new() }
    }

    fn act(&mut self, dice: &mut Dice) {
        let device = dice.below(DEVICES);
        match dice.roll(9) {
            8 => self.import(device, dice.roll(3)),
            0..3 => {
                let from = dice.below(DEVICES);
                self.documents[device] =
                    merge_within(&self.documents[device], &self.documents[from], &self.bounds);
                let theirs = self.seen[from].clone();
                self.seen[device].extend(theirs);
            }
            3 => {
                let register = self.documents[device].fields.get_mut(FIELDS[0]);
                let oldest = |register: &Register| register.history().last().map(|entry| entry.stamp());
                if let Some((cut, register)) = register.and_then(|one| Some((oldest(one)?, one))) {
                    register.forget(cut);
                }
            }
            4 => self.write(device, dice, Register::resolve),
            _ => self.write(device, dice, Register::write),
        }
    }

    /// One of three records of other programs, which say the same whoever imports them.
    fn import(&mut self, device: usize, record: u64) {
        let writer = foreign_writer(&record.to_be_bytes());
        // Two of them were revised at the same time.
        let stamp = Stamp::new(5 * record.min(1), 0, writer).unwrap();
        let value = Value::Int(i64::try_from(record % 2).unwrap());
        let entry = Entry::new(stamp, value.clone(), Vec::new());
        let record =
            Document { fields: [(FIELDS[0].to_owned(), Register::new(entry))].into(), ..Document::default() };
        self.documents[device] = merge_within(&self.documents[device], &record, &self.bounds);
        self.seen[device].insert(self.writes.len());
        self.writes.push(Write { field: FIELDS[0], stamp, value, over: BTreeSet::new() });
    }

    fn write(&mut self, device: usize, dice: &mut Dice, how: fn(&mut Register, Stamp, Value, &Bounds)) {
        let (field, value) = (FIELDS[dice.below(FIELDS.len())], dice.value());
        let author = Author { now_ms: dice.roll(30), device: DeviceId([u8::try_from(device).unwrap(); 16]) };
        let stamp = self.documents[device].next_stamp(author).unwrap();
        let fields = &mut self.documents[device].fields;
        let over = match fields.get_mut(field) {
            None => {
                let entry = Entry::new(stamp, value.clone(), Vec::new());
                fields.insert(field.to_owned(), Register::new(entry));
                BTreeSet::new()
            }
            Some(register) => {
                how(register, stamp, value.clone(), &self.bounds);
                register.winner().replaces().iter().copied().collect()
            }
        };
        self.seen[device].insert(self.writes.len());
        self.writes.push(Write { field, stamp, value, over });
    }

    /// Every value that a device has seen is there, unless somebody wrote over it who saw it, and history was given up
    /// down to there. Values that nobody wrote over are there whatever the bounds.
    fn check(&self, device: usize) -> Result<(), String> {
        for field in FIELDS {
            let seen = || {
                self.seen[device].iter().map(|write| &self.writes[*write]).filter(|one| one.field == field)
            };
            let over: BTreeSet<Stamp> = seen().flat_map(|write| write.over.iter().copied()).collect();
            let Some(register) = self.documents[device].register(field) else { continue };
            for write in seen() {
                let is_kept = register
                    .entries()
                    .iter()
                    .any(|entry| entry.stamp() == write.stamp && *entry.value() == write.value);
                let may_go = over.contains(&write.stamp) && Some(write.stamp) <= register.floors().highest();
                if !is_kept && !may_go {
                    return Err(format!("{field} of device {device} lost {:?}: {register:?}", write.stamp));
                }
            }
            let unseen: BTreeSet<Value> =
                seen().filter(|one| !over.contains(&one.stamp)).map(|one| one.value.clone()).collect();
            let shown = register.conflicts().into_iter().chain([register.winner()]);
            let shown: BTreeSet<Value> = shown.map(|entry| entry.value().clone()).collect();
            if !shown.is_subset(&unseen) {
                return Err(format!("{field} of device {device} shows what somebody has written over"));
            }
        }
        Ok(())
    }
}

#[test]
fn merge_is_commutative_associative_and_idempotent_over_triples_that_devices_reached() {
    let (seed, triples) = (setting("LOCKSTEP_LAW_SEED", SEED), setting("LOCKSTEP_LAW_TRIPLES", TRIPLES));
    println!("seed {seed}, {triples} triples");
    let mut dice = Dice(seed);
    let (mut given_up, mut histories, mut conflicts, mut triple) = (0_u64, 0_u64, 0_u64, 0_u64);
    while triple < triples {
        let bounds = dice.bounds();
        let mut world = World::new(bounds);
        for _ in 0..24 {
            world.act(&mut dice);
            for device in 0..DEVICES {
                world.check(device).unwrap_or_else(|error| panic!("before triple {triple}: {error}"));
            }
            let [a, b, c] = [(); 3].map(|()| &world.documents[dice.below(DEVICES)]);
            let ab = merge_within(a, b, &bounds);
            let left = merge_within(&ab, c, &bounds);
            let right = merge_within(a, &merge_within(b, c, &bounds), &bounds);
            assert!(ab == merge_within(b, a, &bounds), "not commutative in triple {triple}");
            assert!(left == right, "not associative in triple {triple}: {left:?} {right:?}");
            assert!(merge_within(&ab, &ab, &bounds) == ab, "not idempotent in triple {triple}");
            assert!(merge_within(&ab, a, &bounds) == ab, "merging again changed triple {triple}");
            if triple % 8 == 0 {
                assert_eq!(left.to_bytes(), right.to_bytes(), "bytes differ in triple {triple}");
            }
            triple += 1;
            let any = |holds: fn(&Register) -> bool| u64::from(left.fields.values().any(holds));
            given_up += any(|register| register.floors().highest().is_some());
            histories += any(|register| !register.history().is_empty());
            conflicts += any(|register| !register.conflicts().is_empty());
        }
    }
    for (what, count) in [("given up", given_up), ("kept", histories), ("waiting for a choice", conflicts)] {
        assert!(count > triples / 10, "{what} in {count} triples only");
    }
}

#[test]
fn merge_is_commutative_and_idempotent_whatever_a_decoder_let_in() {
    let mut dice = Dice(SEED + 1);
    for round in 0..50_000 {
        let bounds = dice.bounds();
        let [a, b] = [dice.any_document(&bounds), dice.any_document(&bounds)];
        let ab = merge_within(&a, &b, &bounds);
        assert!(ab == merge_within(&b, &a, &bounds), "not commutative in round {round}");
        assert!(merge_within(&ab, &ab, &bounds) == ab, "not idempotent in round {round}");
        assert!(merge_within(&ab, &a, &bounds) == ab, "merging again changed round {round}");
        let newest =
            [&a, &b].into_iter().filter_map(|one| one.register(FIELDS[0])).map(Register::highest).max();
        let shown = ab.register(FIELDS[0]).map(Register::highest);
        assert_eq!(shown, newest, "the newest did not win in round {round}");
    }
}

#[test]
fn an_edit_beats_every_value_it_has_seen_whatever_the_clocks_say() {
    let mut dice = Dice(SEED + 2);
    for round in 0..5_000_i64 {
        let seen = dice.any_document(&Bounds::PROTOCOL);
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
        let document = dice.any_document(&Bounds::PROTOCOL);
        let bytes = document.to_bytes();
        assert!(Document::from_bytes(&bytes).unwrap() == document, "round {round}");
    }
}

#[test]
fn no_flipped_byte_decodes_to_other_bytes() {
    let mut dice = Dice(SEED + 4);
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for _ in 0..20_000 {
        let mut bytes = dice.any_document(&Bounds::PROTOCOL).to_bytes();
        let place = dice.below(bytes.len());
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
