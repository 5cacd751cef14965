//! One module for each section of the document.

mod actors;
mod arbiter;
mod async_objects;
mod commands;
mod cpu_bound;
mod echo;
mod exceptions;
mod handshake;
mod hooks;
mod info;
mod io_bound;
mod monitors;
mod notify;
mod periodic_task;
mod ping;
mod run;
mod spawning;
mod stop;

use pulsar::prelude::*;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];
