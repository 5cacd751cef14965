use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    async fn start(first: u64) -> Result<Self> {
        Ok(Self { total: first })
    }
}

fn main() {}
