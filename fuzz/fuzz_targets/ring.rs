//! Fuzzes [`fuzz_targets::ring`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::ring(input));
