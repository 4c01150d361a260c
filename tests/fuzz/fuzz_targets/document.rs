//! `document` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("document"), |input: &[u8]| (lockstep_fuzz::target("document").run)(input));
