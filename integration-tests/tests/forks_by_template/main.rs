//! Processes that are forked from a template: what is the same for them as by exec is checked by the other tests, which run
//! in both ways.
#![forbid(unsafe_code)]

mod death;
mod inherited;
mod way;

use std::time::Duration;

use pulsar::prelude::*;
use pulsar_sys::template::SHORT_NAME;
use pulsar_sys::usage::{Process, processes_below};

/// What has not come to pass by then never does.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where this program's code lies in the memory of the actor's process: by exec it lies somewhere else each time.
#[command]
async fn layout(_cx: Context) -> usize {
    layout_here()
}

fn layout_here() -> usize {
    let function: fn() -> usize = layout_here;
    function as usize
}

/// The template process of this test's process, if there is one.
fn template() -> Option<pulsar_sys::Pid> {
    let below = processes_below(pulsar_sys::Pid::current());
    let is_template = |process: &Process| process.name == SHORT_NAME;
    below
        .into_iter()
        .find(is_template)
        .map(|process| process.pid)
}

/// Waits until there is another template than this one, and processes are forked from it.
async fn another_than(old: Option<pulsar_sys::Pid>) -> Result<pulsar_sys::Pid> {
    let looking = async {
        loop {
            // It is there before it serves; then two of its forks have the same layout.
            if let Some(new) = template().filter(|new| Some(*new) != old) {
                let (one, other) = (spawn().await?, spawn().await?);
                let same = send(&one, layout, ()).await? == send(&other, layout, ()).await?;
                arbiter().stop_actor(&one).await?;
                arbiter().stop_actor(&other).await?;
                if same {
                    return Ok::<_, Error>(new);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await?
}
