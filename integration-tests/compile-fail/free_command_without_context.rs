use pulsar::prelude::*;

#[command]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[command]
fn now() -> u64 {
    0
}

fn main() {}
