//! The decisions of Pulsar's supervision, pure: events, the time and a random number go in,
//! decisions come out. No clock, no I/O, no randomness of its own, so that any order of events
//! can be tested, and simulated by the million.
//!
//! # Layout
//!
//! * [`Oversight`]: one life, from its launch to its end: when it is ready, when it is asked,
//!   told and made to end, and how it ended.
//! * [`notify_period`]: how often an actor is heard; `looks`: when one is looked at instead.
//! * [`StateCell`]: the steps of one life, forward only.
//! * [`Supervision`]: one group of children, ordered or a pool: when it starts, stops and restarts them,
//!   in which order, and when it gives up. It is told [`GroupEvent`]s and decides
//!   [`GroupDecision`]s, by the [`ChildRules`] of each and the [`RestartLimits`] of all.
//! * [`Roster`]: which life is in which place of a group; what a monitor carries out.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use pulsar_model::Placement;
//! use pulsar_policy::{ChildEvent, Decision, Oversight};
//! use tokio::time::Instant;
//!
//! let now = Instant::now();
//! let boot_until = now + Duration::from_secs(30);
//! let mut life = Oversight::new(
//!     Placement::Process,
//!     boot_until,
//!     Duration::from_secs(30),
//!     Duration::from_secs(10),
//! );
//! assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Stop);
//! let kill_at = now + Duration::from_secs(10);
//! assert_eq!(life.on(ChildEvent::TimeCame, now + Duration::from_secs(5)), Decision::Terminate);
//! assert_eq!(life.on(ChildEvent::TimeCame, kill_at), Decision::Kill);
//! ```
#![forbid(unsafe_code)]

mod backoff;
mod child;
mod group;
mod intensity;
mod looks;
mod oversight;
mod restart_limits;
mod roster;
mod state_cell;
mod supervision;

pub use child::ChildRules;
pub use group::{GroupDecision, GroupEvent, GroupStatus};
pub use looks::notify_period;
pub use oversight::{CHILD_EVENTS, ChildEvent, Decision, Oversight};
pub use restart_limits::RestartLimits;
pub use roster::{News, Roster, RosterDecision};
pub use state_cell::{StateCell, Transition};
pub use supervision::{Strategy, Supervision};
