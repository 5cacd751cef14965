//! Fuzzes [`fuzz_targets::report`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::report(input));
