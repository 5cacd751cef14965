//! A gate at which what an actor runs waits until the test opens it.

use pulsar::Target;
use pulsar::prelude::*;
use tokio::sync::Notify;

/// One in each process, so that a test holds one actor of a process at a time.
static GATE: Notify = Notify::const_new();

/// Waits at the gate of its process; then answers with the word.
#[command]
pub(crate) async fn wait_at_gate(cx: Context, word: String) -> String {
    pass(&cx, &word).await;
    word
}

/// A start that waits at the gate, and then fails if it is told why.
pub(crate) async fn start_at_gate(cx: Context, failure: Option<String>) -> Result<()> {
    pass(&cx, "start").await;
    match failure {
        Some(why) => Err(Error::msg(why)),
        None => Ok(()),
    }
}

async fn pass(cx: &Context, word: &str) {
    cx.set_extra("waits", word);
    GATE.notified().await;
    cx.set_extra("passed", word);
}

/// Lets one pass in the process of the actor.
pub(crate) async fn open_gate(of: impl Into<Target>) -> Result<(), SendError> {
    run(of, |_cx, ()| async { GATE.notify_one() }, ()).await
}

/// The actor's info once what it runs under this word waits at the gate.
pub(crate) async fn until_waiting(actor: impl Into<Target>, word: &str) -> Result<Info> {
    let actor = actor.into();
    loop {
        match send(actor.clone(), info, ()).await {
            Ok(info) if info.extra.get("waits") == Some(&word.into()) => return Ok(info),
            // Its place is known and has not been launched yet.
            Ok(_) | Err(CallError::Send(SendError::Restarting { .. })) => {
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
