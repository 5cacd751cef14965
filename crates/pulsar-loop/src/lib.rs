//! Event loops: handles to them, the objects that live on them, events, and the threads that compute
//! beside them.
//!
//! The crate knows nothing of actors. Most programs use it through the face, `pulsar`.
//!
//! # Layout
//!
//! * `event_loop`: [`EventLoop`], the handle; `seat`: what a thread knows of loops, and whether it
//!   may wait; `descriptor`: descriptors on a loop.
//! * `async_object`: [`AsyncObject`]; `task`: [`Task`], what its methods return; `waiting`: waiting
//!   for a task in synchronous code; `delivery`: what runs elsewhere, and how it comes back; `driven`:
//!   what is awaited elsewhere of a loop of one's own.
//! * `amending`: that no amending hook is called within itself; `gate`: which part of a task was woken; `period`: when something periodic is due.
//! * `branch`: what is waited for beside other things, and may not be there.
//! * `wanted`: what somebody may want, and since when.
//! * `recent`: what a thread has used last.
//! * `lazy_token`: a cancellation token that most never wait for.
//! * `replies`: the slots in which replies wait for their callers; `patience`: how long these wait, and `patrol`: one timer
//!   for all that waits for a moment only.
//! * `lending`: what is lent to others of its thread while its owner waits.
//! * `time_slice`: how long a piece of work holds its loop at a time.
//! * `one_time`, `many_times`: events; `handler`: what their handlers return.
//! * `executor`: [`Executor`], the threads for long computation; `job`: one piece of it;
//!   `job_queue`: where jobs wait; `request_loop`: what each thread runs.
//!
//! # Example
//!
//! A *synchronous component*: an object on a loop of its own, which runs while somebody waits.
//!
//! ```
//! use pulsar_loop::{AsyncObject, EventLoop, Task};
//!
//! struct Adder(EventLoop);
//!
//! impl AsyncObject for Adder {
//!     fn event_loop(&self) -> EventLoop {
//!         self.0.clone()
//!     }
//! }
//!
//! let adder = Adder(EventLoop::new()?);
//! let sum = Task::new(&adder, async { 1 + 2 });
//! assert_eq!(sum.wait()?, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod amending;
mod async_object;
mod branch;
mod delivery;
mod descriptor;
mod driven;
mod event_loop;
mod executor;
mod gate;
mod handler;
mod job;
mod job_queue;
mod lazy_token;
mod lending;
mod many_times;
mod one_time;
mod patience;
mod patrol;
mod period;
mod recent;
mod replies;
mod request_loop;
mod seat;
mod task;
mod time_slice;
mod waiting;
mod wanted;

pub use async_object::AsyncObject;
pub use descriptor::{Registered, Watch, Watching};
pub use event_loop::{EventLoop, NoEventLoop, Timer};
pub use executor::Executor;
pub use handler::{Binding, MAX_HANDLERS, TooManyHandlers};
pub use job::{Job, JobError, Unrun};
pub use many_times::ManyTimes;
pub use one_time::{AlreadyFired, EventDropped, OneTime, Runner, Waiter};
pub use task::Task;
pub use tokio::io::Interest;
pub use waiting::{LoopEnded, WaitError};

/// The inside, for the layers of the runtime above.
pub mod runtime {
    pub use crate::amending::unless_within;
    pub use crate::branch::{at, first, next_of, poll};
    pub use crate::gate::{Due, Gate};
    pub use crate::lazy_token::LazyToken;
    pub use crate::lending::{Lender, Lending};
    pub use crate::patience::Patience;
    pub use crate::patrol::{Awaited, Listing, Patrolled, patrol};
    pub use crate::period::{LONGEST, Period};
    pub use crate::recent::Recent;
    pub use crate::replies::{Replies, Ticket};
    pub use crate::seat::{Seat, drives, install};
    pub use crate::time_slice::TimeSlice;
    pub use crate::wanted::Wanted;
}
