//! Fuzzes [`fuzz_targets::control_line`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::control_line(input));
