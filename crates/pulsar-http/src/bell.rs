//! What wakes the task of a connection beside its socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep};

use crate::server::Stage;
use crate::shared::Shared;

/// Wakes the task of a connection at a time that was set, and when the server enters a stage.
///
/// Whatever wakes leaves a mark beside what a connection is doing, which each poll looks at anyhow. Neither the alarm nor the
/// server is touched by the polls that the socket has caused, of which there is one for each request: they would have to come
/// from memory that nothing else needs.
pub(crate) struct Bell<'a, 's> {
    alarm: Pin<&'a mut Sleep>,
    has_rung: bool,
    changed: Pin<&'a mut Notified<'s>>,
    stage: Stage,
    connection: &'s Shared,
    /// Marks, and wakes the task.
    waker: Waker,
}

impl<'a, 's> Bell<'a, 's> {
    /// `changed` is told of the stages of the server.
    pub(crate) fn new(
        alarm: Pin<&'a mut Sleep>,
        changed: Pin<&'a mut Notified<'s>>,
        connection: &'s Arc<Shared>,
    ) -> Self {
        connection.activity.mark();
        Self {
            alarm,
            has_rung: false,
            changed,
            stage: Stage::Serving,
            connection,
            waker: Waker::from(Arc::clone(connection)),
        }
    }

    /// Sees what it was that woke the task, if it was the alarm or a stage. The task has one waker for all of its life.
    pub(crate) fn heed(&mut self, cx: &Context<'_>) {
        // The mark is taken before both are looked at: what comes later marks again.
        if !self.connection.activity.take_mark(cx.waker()) {
            return;
        }
        let mut told = Context::from_waker(&self.waker);
        while self.changed.as_mut().poll(&mut told).is_ready() {
            self.changed.set(self.connection.server.stage_changed());
        }
        // Read after it waits for the next: what is entered from now on wakes.
        self.stage = self.connection.server.stage();
        self.has_rung = self.alarm.as_mut().poll(&mut told).is_ready();
    }

    /// How far the server has come.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the time that was set has come.
    pub(crate) fn has_rung(&self) -> bool {
        self.has_rung
    }

    /// The time that was set last.
    pub(crate) fn time(&self) -> Instant {
        self.alarm.deadline()
    }

    /// It rings at this time instead.
    pub(crate) fn set(&mut self, time: Instant) {
        self.alarm.as_mut().reset(time);
        let mut told = Context::from_waker(&self.waker);
        self.has_rung = self.alarm.as_mut().poll(&mut told).is_ready();
    }
}
