//! Fuzzes [`fuzz_targets::link`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::link(input));
