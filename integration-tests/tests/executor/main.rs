//! The executors and event loops of actors, with real processes: each test is a process of its own
//! with an arbiter.
#![forbid(unsafe_code)]

mod cruncher;
mod held;
mod jobs;
mod waiting;

use pulsar::prelude::*;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];
