//! One module for each section of the document.

mod async_objects;
mod commands;
mod cpu_bound;
mod hooks;
mod io_bound;
mod periodic_task;
mod run;

use pulsar::prelude::*;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];
