use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn clone(&self) {}
}

struct Other;

#[pulsar::actor]
impl Other {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn aid(&self) -> u64 {
        0
    }
}

struct Spawner;

#[pulsar::actor]
impl Spawner {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn spawn(&self) {}
}

struct Starter;

#[pulsar::actor]
impl Starter {
    #[command]
    fn start(&self) {}
}

struct Stopper;

#[pulsar::actor]
impl Stopper {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn stopping(&mut self) {}
}

fn main() {}
