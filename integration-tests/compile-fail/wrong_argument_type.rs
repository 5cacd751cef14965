use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context, first: u64) -> Self {
        Self { total: first }
    }

    #[command]
    fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }
}

#[command]
fn add(_cx: Context, a: u64, b: u64) -> u64 {
    a + b
}

async fn calls() -> Result<()> {
    let counter = Counter::spawn("one").await?;
    counter.add("one").await?;
    counter.add().await?;
    send(&counter, add, (1, "two")).await?;
    Ok(())
}

fn main() {}
