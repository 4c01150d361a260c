//! `api` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("api"), |input: &[u8]| (lockstep_fuzz::target("api").run)(input));
