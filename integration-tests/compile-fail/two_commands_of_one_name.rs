use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn add(&mut self) {}

    #[command]
    fn add(&mut self, _by: u64) {}
}

fn main() {}
