//! `log` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("log"), |input: &[u8]| (lockstep_fuzz::target("log").run)(input));
