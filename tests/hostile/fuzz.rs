//! The fuzz targets as ordinary tests: every seed, and 2,000 mutations of seeds for each target.
//!
//! `LOCKSTEP_FUZZ_SEED` chooses other mutations, `LOCKSTEP_FUZZ_RUNS` how many. A failure prints the input.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::targets::target;

const SEED: u64 = 0x10c5_7e9f_0000_0001;
const RUNS: usize = 2_000;
/// Mutated inputs have at most so many bytes.
const LARGEST: usize = 16 << 10;

#[test]
fn what_is_signed_has_one_encoding() {
    hold("canon");
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    hold("envelope");
}

#[test]
fn the_verifier_takes_any_log() {
    hold("log");
}

#[test]
fn bodies_say_the_same_in_both_formats() {
    hold("api");
}

#[test]
fn documents_of_anybody_merge_by_the_laws() {
    hold("document");
}

#[test]
fn every_export_is_imported_or_refused() {
    hold("import");
}

#[test]
fn an_archive_of_anybody_is_read_as_it_was_written_or_refused() {
    hold("archive");
}

/// Runs a target over its seeds and their mutations.
fn hold(name: &str) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("LOCKSTEP_FUZZ_SEED").unwrap_or(SEED);
    let runs = number("LOCKSTEP_FUZZ_RUNS").map_or(RUNS, |runs| usize::try_from(runs).unwrap());
    #[allow(clippy::print_stdout, reason = "who sees a failure wants to repeat it")]
    {
        println!("{name}: LOCKSTEP_FUZZ_SEED={seed}");
    }
    let target = target(name);
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    let run = |input: &[u8], what: &str| {
        if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("{name}, {what} of LOCKSTEP_FUZZ_SEED={seed}: {hex}");
        }
    };
    seeds.iter().enumerate().for_each(|(number, input)| run(input, &format!("seed {number}")));
    let mut dice = Dice(seed.max(1));
    for number in 0..runs {
        let mut input = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(4) {
            mutate(&mut input, &seeds, &mut dice);
        }
        input.truncate(LARGEST);
        run(&input, &format!("mutation {number}"));
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.roll(input.len() + 1);
    let end = (at + 1 + dice.roll(16)).min(input.len());
    let here = input.get(at).is_some();
    match dice.roll(9) {
        0 | 1 if here => input[at] ^= 1 << dice.roll(8),
        2 if here => input[at] = [0, 1, 0x7f, 0x80, 0xff][dice.roll(5)],
        3 => drop(input.splice(at..at, (0..=dice.roll(8)).map(|_| dice.byte()).collect::<Vec<_>>())),
        4 if here => drop(input.drain(at..end)),
        5 if here => drop(input.splice(at..at, input[at..end].to_vec())),
        6 => {
            let number =
                [0, 1, 0xff, 0x100, 0xffff, 0x7fff_ffff, u64::from(u32::MAX), u64::MAX][dice.roll(8)];
            let width = [2, 4, 8][dice.roll(3)];
            let bytes = number.to_be_bytes()[8 - width..].to_vec();
            input.splice(at..(at + width).min(input.len()), bytes);
        }
        7 => {
            let other = &seeds[dice.roll(seeds.len())];
            let from = dice.roll(other.len() + 1);
            input.splice(at.., other[from..].iter().copied());
        }
        _ => input.truncate(at),
    }
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap()
    }
}
