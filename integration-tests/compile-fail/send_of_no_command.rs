use pulsar::prelude::*;

async fn add(_cx: Context, a: u64, b: u64) -> u64 {
    a + b
}

fn now() -> u64 {
    0
}

async fn sends(actor: Proxy) -> Result<()> {
    let sum = send(&actor, add, (1, 2)).await?;
    let now = send(&actor, now, ()).await?;
    println!("{sum} {now}");
    Ok(())
}

fn main() {}
