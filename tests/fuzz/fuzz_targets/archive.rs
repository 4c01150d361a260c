//! `archive` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("archive"), |input: &[u8]| (lockstep_fuzz::target("archive").run)(input));
