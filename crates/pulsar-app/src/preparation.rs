//! What the monitor prepares before it starts workers.

use std::any::Any;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What [`Application::monitor_start`](crate::Application::monitor_start) prepares: descriptors
/// that each worker gets, lines to print once the first worker is ready, and things to hold
/// until the end.
#[derive(Default)]
pub struct Preparation {
    pub(crate) descriptors: Vec<(String, Arc<OwnedFd>)>,
    pub(crate) announcements: Vec<String>,
    held: Vec<Box<dyn Any + Send>>,
}

impl Preparation {
    /// Gives each worker a duplicate of this descriptor, under this name. The monitor's own is
    /// closed as soon as the application stops: a listener then refuses new connections once
    /// the workers have closed theirs.
    pub fn give(&mut self, name: impl Into<String>, descriptor: impl Into<OwnedFd>) {
        self.descriptors
            .push((name.into(), Arc::new(descriptor.into())));
    }

    /// Prints this line on stdout once the first worker is ready.
    pub fn announce(&mut self, line: impl Into<String>) {
        self.announcements.push(line.into());
    }

    /// Holds a value until the workers have ended, then drops it.
    pub fn hold(&mut self, value: impl Any + Send) {
        self.held.push(Box::new(value));
    }
}

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparation")
            .field("descriptors", &self.descriptors)
            .field("announcements", &self.announcements)
            .finish_non_exhaustive()
    }
}
