use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    async fn start(_cx: Context) {}
}

fn main() {}
