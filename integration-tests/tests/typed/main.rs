//! Typed actors, with real processes: each test is a process of its own with an arbiter.
#![forbid(unsafe_code)]

mod at_once;
mod calls;
mod counter;
mod gate;
mod generics;
mod life;
mod load;
mod local;
mod mailboxes;
mod panics;
mod proxies;
mod restarts;
mod scene;
mod strictly;
mod tools;
mod turns;
mod waiting;

use pulsar::prelude::*;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];
