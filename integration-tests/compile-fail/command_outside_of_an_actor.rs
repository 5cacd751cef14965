use pulsar::prelude::*;

struct Counter {
    total: u64,
}

impl Counter {
    #[command]
    fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }
}

fn main() {}
