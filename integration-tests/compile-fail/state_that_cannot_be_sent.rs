use std::rc::Rc;

use pulsar::prelude::*;

struct Counter {
    total: Rc<u64>,
}

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self { total: Rc::new(0) }
    }

    #[command]
    fn total(&self) -> u64 {
        *self.total
    }
}

fn main() {}
