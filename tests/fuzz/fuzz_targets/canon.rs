//! `canon` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("canon"), |input: &[u8]| (lockstep_fuzz::target("canon").run)(input));
