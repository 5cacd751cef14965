//! What an application's hooks get in a worker.

use std::sync::Arc;

use pulsar_core::Context;

use crate::{NoSettings, Settings};

/// A worker of an application: its actor, and the settings that came with its boot record.
#[derive(Clone, Debug)]
pub struct Worker<S = NoSettings> {
    cx: Context,
    base: Arc<Settings>,
    own: Arc<S>,
}

impl<S> Worker<S> {
    pub(crate) fn new(cx: Context, base: Settings, own: S) -> Self {
        Self {
            cx,
            base: Arc::new(base),
            own: Arc::new(own),
        }
    }

    /// The worker's actor.
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// The settings of every application.
    pub fn base(&self) -> &Settings {
        &self.base
    }

    /// The application's own settings.
    pub fn settings(&self) -> &S {
        &self.own
    }

    /// The same worker with other settings of its own: for applications that wrap others.
    pub fn with_settings<T>(&self, own: T) -> Worker<T> {
        Worker {
            cx: self.cx.clone(),
            base: Arc::clone(&self.base),
            own: Arc::new(own),
        }
    }
}
