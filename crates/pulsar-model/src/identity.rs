//! Who an actor is.

use std::time::Duration;

use pulsar_wire::{Aid, Incarnation};

use crate::{Extra, OnStop, Placement};

/// Who an actor is, from its spawn to its end.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Its id.
    pub aid: Aid,
    /// Which life in its place this is.
    pub incarnation: Incarnation,
    /// Its name; empty if it has none.
    pub name: String,
    /// How it runs.
    pub placement: Placement,
    /// How many actors its arbiter had made before it.
    pub age: u64,
    /// To which roll-out it belongs.
    pub generation: u32,
    /// Who manages it.
    pub manager: Aid,
    /// How long it has from being asked to stop to being killed.
    pub exit_timeout: Duration,
    /// The period of its notifies.
    pub notify_every: Duration,
    /// What becomes of messages that wait at a stop.
    pub on_stop: OnStop,
    /// What else it was given, by name.
    pub params: Extra,
    /// How many threads its executor has.
    pub thread_workers: usize,
}

impl Identity {
    /// What the system's own tools show: the name, else the id.
    pub fn process_name(&self) -> String {
        match self.name.as_str() {
            "" => self.aid.local(),
            name => name.to_owned(),
        }
    }
}
