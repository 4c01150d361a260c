//! `import` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(init: lockstep_fuzz::begin("import"), |input: &[u8]| (lockstep_fuzz::target("import").run)(input));
