//! Fuzzes [`fuzz_targets::boot_record`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::boot_record(input));
