//! A closure that captures something, given to `run`.

use pulsar::prelude::*;

async fn example(actor: Proxy, word: String) {
    let _ = run(&actor, |_cx, _: ()| async { word.len() }, ()).await;
}

fn main() {}
