//! A program that knows Pulsar by another name: the macros find it.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused,
    unused_qualifications,
    unused_results,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "a command's arguments come from another process and are owned"
)]

mod tally;

use actors::prelude::*;

use crate::tally::Tally;

/// Greets; any actor does.
#[command]
fn greet(cx: Context, name: String) -> String {
    format!("Hello {name}, this is a {}!", cx.placement())
}

#[actors::main]
async fn main() -> Result<()> {
    let tally = Tally::spawn(1).await?;
    println!("{}", send(&tally, greet, "luca").await?);
    println!("{}", tally.add(2).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use actors::prelude::*;

    use crate::greet;
    use crate::tally::{Negative, Scratch, Tally};

    const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];

    #[actors::test]
    async fn typed_and_free_commands_work_under_another_name() -> Result<()> {
        for placement in PLACEMENTS {
            let tally = Tally::spawn(1).placement(placement).await?;
            let hello = send(&tally, greet, "luca").await?;
            assert_eq!(hello, format!("Hello luca, this is a {placement}!"));
            assert_eq!(tally.add(2).await?, 3);
            match tally.add(-4).await {
                Err(CallError::Command(Negative(-1))) => {}
                other => panic!("{placement}: {other:?}"),
            }
            assert_eq!(tally.total().await?, 3);
        }
        Ok(())
    }

    #[actors::test]
    async fn local_actors_work_under_another_name() -> Result<()> {
        let (to, heard) = std::sync::mpsc::channel();
        let scratch = Scratch::spawn(to).await?;
        scratch.write(Box::new(|| 7)).await?;
        assert_eq!(heard.recv()?, 7);
        Ok(())
    }
}
