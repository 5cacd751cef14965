//! The operating-system layer of Pulsar: the only crate of the project with `unsafe` code.
//!
//! Everything above it forbids `unsafe`, so each call of the system that needs a proof is made here, and the proof is
//! written beside it. The crate knows processes, descriptors, signals and limits. It knows nothing of actors.
//!
//! # Layout
//!
//! - [`exec`] makes a child process by re-executing the program's own file; [`boot`] is the child's side of it.
//! - [`template`] makes it by a fork of a process that was set aside for that; [`inheritance`] sees whether that process
//!   has still what its clones are to inherit.
//! - [`entry`] runs a function before `main`, so that a child never reaches the user's `main`.
//! - [`children`] learns how children ended and signals them, and never touches a pid that may be a stranger's.
//! - [`build_id`] tells whether two processes run the same executable; [`code`] sends function pointers between them.
//! - [`mod@confine`] sets limits on children; [`cgroup`] those of memory, in a control group of each one's own.
//! - [`scheduling`] has threads that compute make way for one that answers, and tells where a thread runs.
//! - [`descriptors`] passes open files over a socket; [`sealed`] is memory that is shared so and cannot change,
//!   [`words`] such that several processes write at the same time.
//! - [`occupation`] notes what holds a thread, so that another one, or the parent, can tell.
//! - [`usage`] measures the own process and looks at the process table.
//! - [`fault`] fails on purpose, for tests and demonstrations.
//! - `platform` holds what differs between systems: Linux first, the rest compiles and says `Unsupported`.
//!
//! # Example
//!
//! ```no_run
//! use pulsar_sys::{boot, children::Children, exec};
//!
//! if let Some(socket) = boot::take() {
//!     let link = socket?.link; // this process is a child: speak on the link, then leave
//!     drop(link);
//!     return Ok(());
//! }
//! let world = boot::World::current()?;
//! let child = exec::spawn(&exec::ExecSpec {
//!     environment: world.environment,
//!     program_name: "worker".into(),
//!     arguments: Vec::new(),
//!     pipes_stderr: false,
//! })?;
//! let mut children = Children::new();
//! children.insert(child.pid);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod allocations;
pub mod boot;
pub mod build_id;
pub mod cgroup;
pub mod children;
pub mod code;
pub mod confine;
pub mod descriptors;
pub mod entry;
pub mod exec;
pub mod fault;
pub mod inheritance;
pub mod occupation;
pub mod scheduling;
pub mod sealed;
pub mod template;
pub mod usage;
pub mod words;

mod exit;
mod fnv;
mod gaps;
mod image;
mod leave;
mod limits;
mod mapping;
mod own_pair;
mod pid;
mod platform;
mod process_table;
mod reserved;
mod sampler;
mod signal;
mod single_thread;
mod status;
mod title;
mod world;

pub use boot::{BootError, BootSocket, World};
pub use build_id::Build;
pub use children::{Children, Exit, Signal, SignalError};
pub use code::{CodeError, CodeOffset, FnPointer, Lending, LendingWith, trusting};
pub use confine::{ProcessLimit, confine};
pub use exec::{ExecSpec, SpawnFailure, Spawned};
pub use inheritance::{Inheritance, Survey, Surveyed};
pub use occupation::Occupation;
pub use pid::Pid;
pub use sampler::Sampler;
pub use usage::{Process, Usage, on_main_thread, thread_id};
pub use words::SharedWords;
