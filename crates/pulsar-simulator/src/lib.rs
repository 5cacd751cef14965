//! A simulation of Pulsar's supervision: the real policies, [`Roster`](pulsar_policy::Roster) and
//! [`Oversight`](pulsar_policy::Oversight), over a model of processes, in virtual time, with every fault that chance thinks of.
//!
//! A run follows from its seed. It has a time of faults, a time of calm in which the system has to
//! become as it is wanted, and a stop. After each step a checker, which knows the rules and the
//! events but not the policies' own state, tells what was decided wrongly, too early, too late or
//! not at all.
//!
//! # Layout
//!
//! * [`simulate`]: one run; [`campaign`]: many, on all cores; [`Coverage`]: what they have met.
//! * `plan`: what chance has in store; `meddling`: what it does in between; `past`: what a group that begins
//!   anew goes on with.
//! * `world`: the supervisor, its groups and its processes; `process`: the model of one of them.
//! * `group`, `life`: the policies under test; `ledger` with `slot`, and `life_check`: the checker.
//!
//! # Example
//!
//! ```
//! let summary = pulsar_simulator::campaign(20, false);
//! assert_eq!((summary.seeds, summary.failed), (20, 0), "{summary}");
//! ```
#![forbid(unsafe_code)]

mod agenda;
mod campaign;
mod chance;
mod coverage;
mod group;
mod ledger;
mod life;
mod life_check;
mod meddling;
mod past;
mod plan;
mod process;
mod run;
mod slot;
mod trace;
mod world;

pub use campaign::{Summary, campaign};
pub use coverage::{Coverage, Seen};
pub use run::{Run, simulate};
