//! `envelope` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("envelope"), |input: &[u8]| (lockstep_fuzz::target("envelope").run)(input));
