//! Who has started and stopped, in order, as the children of a monitor tell the arbiter.

use std::sync::Mutex;
use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, RestartLimits};
use tokio::task::yield_now;

/// Each test is a process of its own, so this is the test's.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[command]
fn note(_cx: Context, line: String) {
    LINES.lock().unwrap().push(line);
}

pub(crate) async fn begin(cx: Context, _: ()) -> Result<()> {
    let line = format!("+{}{}", cx.name(), cx.incarnation().0);
    Ok(send("arbiter", note, line).await?)
}

async fn end(cx: Context) -> Result<()> {
    let line = format!("-{}", cx.name());
    Ok(send("arbiter", note, line).await?)
}

/// A child that tells of its start, `+name` with its incarnation, and of its stop, `-name`.
pub(crate) fn child(name: &str, placement: Placement) -> Spawn {
    let child = spawn().name(name).placement(placement);
    child.start(begin, ()).stopping(end)
}

/// What has been told so far.
pub(crate) fn told() -> String {
    LINES.lock().unwrap().join(" ")
}

/// Waits until all of this has been told, since the last time.
pub(crate) async fn await_told(expected: &str) {
    let reached = tokio::time::timeout(Duration::from_secs(20), async {
        while told().len() < expected.len() {
            yield_now().await;
        }
    });
    let _ = reached.await;
    let told = LINES
        .lock()
        .unwrap()
        .drain(..)
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(told, expected);
}

/// The actor of this name, once it runs in this life.
pub(crate) async fn running(name: &str, incarnation: u32) -> ActorStatus {
    let found = async {
        loop {
            let mut actors = arbiter().actors().into_iter();
            let actor = actors.find(|actor| actor.name == name);
            let lives = |actor: &ActorStatus| {
                actor.incarnation.0 == incarnation && actor.state == State::Running
            };
            match actor.filter(lives) {
                Some(actor) => return actor,
                None => yield_now().await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| {
        panic!(
            "no {name} runs in life {incarnation}: {:#?}",
            arbiter().actors()
        )
    })
}

pub(crate) fn names() -> Vec<String> {
    let actors = arbiter().actors().into_iter().skip(1);
    actors.map(|actor| actor.name).collect()
}

/// Restarts at once, and as often as one likes.
pub(crate) fn quick() -> RestartLimits {
    RestartLimits {
        first_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        intensity: Some(1000),
        ..RestartLimits::default()
    }
}
