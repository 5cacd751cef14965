//! What an actor is spawned with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Ending, Extra, Limits, OnStop, Overflow, Placement, RestartPolicy};

/// What is said of an actor when it is spawned, beside its hooks: what an `on_params` hook of the
/// spawner sees, and may change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpawnParams {
    /// Its name; empty if it has none.
    pub name: String,
    /// How it runs.
    pub placement: Placement,
    /// Messages that may wait in its mailbox.
    pub mailbox_capacity: usize,
    /// What happens to a message that finds the mailbox full.
    pub overflow: Overflow,
    /// What happens to the messages that wait when it is asked to stop.
    pub on_stop: OnStop,
    /// How long it has from its making to its first notify; the system's default without.
    pub boot_timeout: Option<Duration>,
    /// How long it has from being asked to stop to being killed; the system's default without.
    pub exit_timeout: Option<Duration>,
    /// How long it may be silent; the system's default without.
    pub timeout: Option<Duration>,
    /// Which roll-out it belongs to.
    pub generation: u32,
    /// Whether it is restarted.
    pub restart: RestartPolicy,
    /// Ends after which it is not restarted, whatever `restart` says.
    pub final_after: Vec<Ending>,
    /// What its process may use.
    pub limits: Limits,
    /// How many of the last lines on its standard error are kept for who asks how it ended; `None`
    /// leaves the stream alone.
    pub stderr_lines: Option<usize>,
    /// Its process is made by executing the program's file, also where a template process is there
    /// to be forked: it shares no address layout and no hash seeds with others.
    pub by_exec: bool,
    /// Threads of its executor; as many as there are cores without.
    pub thread_workers: Option<usize>,
    /// Parameters by name, which the actor asks for by `cx.param(name)`.
    pub params: Extra,
}

impl SpawnParams {
    /// Those of an actor of which nothing is said: a process without a name that lives once.
    pub fn new(mailbox_capacity: usize) -> Self {
        Self {
            name: String::new(),
            placement: Placement::Process,
            mailbox_capacity,
            overflow: Overflow::default(),
            on_stop: OnStop::default(),
            boot_timeout: None,
            exit_timeout: None,
            timeout: None,
            generation: 1,
            restart: RestartPolicy::default(),
            final_after: Vec::new(),
            limits: Limits::default(),
            stderr_lines: None,
            by_exec: false,
            thread_workers: None,
            params: Extra::default(),
        }
    }

    /// Cuts the times to at most `longest`, so that adding them to the time of day never overflows.
    pub fn bound_times(&mut self, longest: Duration) {
        let times = [
            &mut self.boot_timeout,
            &mut self.exit_timeout,
            &mut self.timeout,
        ];
        for time in times.into_iter().flatten() {
            *time = (*time).min(longest);
        }
    }
}
