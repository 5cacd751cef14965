//! How somebody else reaches into a life: to stop it, or to end it.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use pulsar_actor::Context;
use pulsar_policy::ChildEvent;

/// The hold on one life, for as long as that lasts.
#[derive(Clone, Debug)]
pub enum Control {
    /// A process or a thread: its overseer hears what is wanted, and sees to it.
    Overseer(mpsc::Sender<ChildEvent>),
    /// A task, which ends itself: its own loop is all that could end it, and bounds each of its steps.
    Task(Context),
}

impl Control {
    /// Tells it something. A life that has just ended has nothing more to be told.
    pub async fn tell(&self, event: ChildEvent) {
        match self {
            Self::Overseer(events) => drop(events.send(event).await),
            Self::Task(cx) => ask(cx, &event),
        }
    }

    /// The same without waiting: an overseer that is behind for now hears it later.
    pub fn tell_later(self, event: ChildEvent) {
        match self {
            Self::Overseer(events) => {
                if let Err(TrySendError::Full(event)) = events.try_send(event) {
                    tokio::spawn(async move { drop(events.send(event).await) });
                }
            }
            Self::Task(cx) => ask(&cx, &event),
        }
    }

    /// The same for what may be lost: an overseer that has much to hear already does not hear it.
    pub fn offer(&self, event: ChildEvent) {
        match self {
            Self::Overseer(events) => {
                if events.capacity() > events.max_capacity() / 2 {
                    drop(events.try_send(event));
                }
            }
            Self::Task(cx) => ask(cx, &event),
        }
    }
}

fn ask(cx: &Context, event: &ChildEvent) {
    match event {
        ChildEvent::StopAsked => cx.stop(),
        ChildEvent::KillAsked => cx.cell().kill.cancel(),
        // The other events are news of a life that is elsewhere.
        _ => {}
    }
}
