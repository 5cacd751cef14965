use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context, _: u64) -> Self {
        Self
    }
}

struct Pairs;

#[pulsar::actor]
impl Pairs {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn add(&mut self, (a, b): (u8, u8)) -> u8 {
        a + b
    }
}

fn main() {}
