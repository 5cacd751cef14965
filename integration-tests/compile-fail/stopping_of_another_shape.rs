use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    async fn stopping(self) {}
}

struct Other;

#[pulsar::actor]
impl Other {
    fn start(_cx: Context) -> Self {
        Self
    }

    async fn stopping(&mut self) -> u64 {
        0
    }
}

fn main() {}
