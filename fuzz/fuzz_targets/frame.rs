//! Fuzzes [`fuzz_targets::frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::frame(input));
