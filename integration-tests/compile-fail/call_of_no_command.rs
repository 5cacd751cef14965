use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self { total: 0 }
    }

    #[command]
    fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }

    fn begin_anew(&mut self) {
        self.total = 0;
    }
}

async fn calls(counter: Proxy<Counter>) -> Result<()> {
    counter.ad(1).await?;
    counter.begin_anew().await?;
    Ok(())
}

fn main() {}
