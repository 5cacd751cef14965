//! Fuzzes [`fuzz_targets::hello`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::hello(input));
