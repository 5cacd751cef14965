use std::rc::Rc;

use pulsar::prelude::*;

struct Counter;

#[pulsar::actor]
impl Counter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    async fn total(&mut self) -> u64 {
        let held = Rc::new(1);
        std::future::ready(()).await;
        *held
    }
}

fn main() {}
