use pulsar::prelude::*;

struct Runner;

#[pulsar::actor]
impl Runner {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    async fn run(&mut self, job: String) -> String {
        job
    }
}

struct Meter;

#[pulsar::actor]
impl Meter {
    fn start(_cx: Context) -> Self {
        Self
    }

    /// A built-in to come.
    #[command]
    fn metrics(&self) -> u64 {
        0
    }
}

fn main() {}
