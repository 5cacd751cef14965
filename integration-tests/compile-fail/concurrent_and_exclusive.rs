use pulsar::prelude::*;

struct Counter {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self { total: 0 }
    }

    #[command(concurrent)]
    fn add(&mut self, by: u64) {
        self.total += by;
    }
}

fn main() {}
