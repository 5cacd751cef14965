//! Writes the seeds of all targets below `fuzz/corpus`.
#![forbid(unsafe_code)]

use fuzz_targets::{TARGETS, corpus};

fn main() -> anyhow::Result<()> {
    for target in TARGETS {
        println!("{}: {} seeds", target.name, corpus::write(target)?);
    }
    Ok(())
}
