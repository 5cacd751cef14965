use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command(parallel)]
    fn total(&self) -> u64 {
        0
    }
}

struct Other;

#[pulsar::actor(remote)]
impl Other {
    fn start(_cx: Context) -> Self {
        Self
    }
}

struct Tough;

#[pulsar::actor(on_panic = "ignore")]
impl Tough {
    fn start(_cx: Context) -> Self {
        Self
    }
}

#[command(concurrent)]
fn free(_cx: Context) {}

fn main() {}
