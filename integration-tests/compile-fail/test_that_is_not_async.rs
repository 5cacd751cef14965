use pulsar::prelude::*;

#[pulsar::test]
fn an_actor_answers() -> Result<()> {
    Ok(())
}

fn main() {}
