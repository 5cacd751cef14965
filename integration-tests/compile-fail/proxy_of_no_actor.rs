use pulsar::prelude::*;

struct Counter;

async fn calls(counter: Proxy<Counter>) -> Result<()> {
    counter.add(1).await?;
    Ok(())
}

fn main() {}
