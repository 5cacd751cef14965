use std::cell::Cell;

use pulsar::prelude::*;

struct Counter {
    total: Cell<u64>,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self {
            total: Cell::new(0),
        }
    }

    #[command(concurrent)]
    fn total(&self) -> u64 {
        self.total.get()
    }
}

fn main() {}
