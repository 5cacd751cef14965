//! Actors as operating-system processes, threads or tasks, supervised; and servers on top.
//!
//! This is Pulsar the actor runtime, not Apache Pulsar the message broker.
//!
//! # Layout
//!
//! The face: it re-exports the layers and holds next to no code of its own.
//!
//! * The actor layer: [`Actor`] types by [`macro@actor`], [`spawn`], [`send`], [`Context`], [`Proxy`],
//!   [`Pool`], [`arbiter`].
//! * [`app`]: applications: settings, supervised workers, signals.
//! * [`net`]: listeners that workers share.
//! * [`http`]: HTTP servers.
//! * [`control`]: the control socket of an arbiter, and its client.
//! * [`prelude`]: what most programs import.
//!
//! # Example
//!
//! ```no_run
//! use pulsar::prelude::*;
//!
//! #[command]
//! async fn greetme(_cx: Context, name: String) -> String {
//!     format!("Hello {name}!")
//! }
//!
//! #[pulsar::main]
//! async fn main() -> Result<()> {
//!     let greeter = spawn().name("greeter").await?; // a process; .thread(), .task()
//!     println!("{}", send(&greeter, greetme, "luca").await?);
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

pub use pulsar_core::*;
pub use pulsar_monitor::{
    Child, Escalation, GroupStatus, Monitor, MonitorHandle, Pool, RestartLimits, Strategy,
};

pub use pulsar_app as app;
pub use pulsar_control as control;
pub use pulsar_harness::test;
pub use pulsar_http as http;
pub use pulsar_net as net;

/// What most programs import.
pub mod prelude {
    pub use pulsar_app::{NoSettings, Worker};
    pub use pulsar_core::{
        Aid, CallError, Cause, Context, DeadLetter, Ending, Error, Info, OnStop, Overflow,
        Placement, Proxy, RestartPolicy, Result, SendError, SharedBytes, Spawn, SpawnError,
        SpawnParams, State, actors, arbiter, command, config_get, config_set, echo, find,
        get_actor, halt, info, kill_actor, notify, ping, remote, run, send, spawn, stop,
    };
    pub use pulsar_monitor::{Monitor, Pool, Strategy};
}

/// For the expansions of the macros; no one else's.
#[doc(hidden)]
pub mod __private {
    pub use pulsar_core::__private::*;
    pub use pulsar_harness::{TESTS, TestDef, enter_test, run_test};
}

/// The code in the README and the guide compiles.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide/servers.md")]
    struct Servers;
    #[doc = include_str!("../../../docs/guide/actors.md")]
    struct Actors;
    #[doc = include_str!("../../../docs/guide/supervision.md")]
    struct Supervision;
    #[doc = include_str!("../../../docs/guide/comparison.md")]
    struct Comparison;
}
