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
    fn finish(self) -> u64 {
        self.total
    }
}

fn main() {}
