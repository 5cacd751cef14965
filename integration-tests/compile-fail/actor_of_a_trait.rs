use pulsar::prelude::*;

struct Counter;

trait Counts {
    fn start(cx: Context) -> Self;
}

#[pulsar::actor]
impl Counts for Counter {
    fn start(_cx: Context) -> Self {
        Self
    }
}

#[pulsar::actor]
struct Other;

fn main() {}
