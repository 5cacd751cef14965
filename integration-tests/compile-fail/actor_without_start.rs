use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    #[command]
    async fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }
}

fn main() {}
