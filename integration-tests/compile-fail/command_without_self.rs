use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn add(cx: Context, by: u64) -> u64 {
        by
    }
}

fn main() {}
