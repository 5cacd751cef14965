//! Fuzzes [`fuzz_targets::command`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::command(input));
