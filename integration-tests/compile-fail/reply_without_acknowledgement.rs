use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self { total: 0 }
    }

    #[command(no_ack)]
    fn total(&self) -> u64 {
        self.total
    }
}

#[command(no_ack)]
fn total(_cx: Context) -> u64 {
    0
}

fn main() {}
