use pulsar::prelude::*;

#[pulsar::main]
fn main() -> Result<()> {
    Ok(())
}
