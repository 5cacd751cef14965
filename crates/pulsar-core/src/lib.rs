//! Actors as processes, threads or tasks: the actor layer of Pulsar.
//!
//! An *actor* has its own state, its own event loop and its own bounded mailbox, and shares
//! nothing. By default it is a process of the operating system, so that no crash of it takes
//! others along; it may as well be a thread or a task, by one word. One *arbiter*, on the main
//! thread of the master process, spawns, names and oversees all actors; *monitors* keep groups
//! of them alive. Actors send each other *commands*; every send ends, with the reply or with an
//! error that says why there is none.
//!
//! Most programs use this crate through the face, `pulsar`.
//!
//! # Layout
//!
//! * `spawn`, `spawn_hooks`, `spawn_limits`: what a user says of an actor; `placement`: how it comes to be; `hosting`: a loop that
//!   an actor owns.
//! * `arbiter`: oversight, shutdown, programs.
//! * `node`: one process's share; `route`, `ways`, `delivery`: the ways to other processes, and from
//!   a frame to a mailbox; `builtin`: the built-in commands of this layer.
//! * `entry`: where a child enters the program; `last_word`: what a process says that a panic aborts.
//! * `log`: what a process says; `link_policy`: how processes speak with each other.
//!
//! What an actor is once it lives (its loop, mailbox, commands, types and handle) stands in
//! `pulsar-actor`. What is said of actors stands in `pulsar-model`, the decisions of supervision in
//! `pulsar-policy`, the connections between processes in `pulsar-link`.
//!
//! # Example
//!
//! ```no_run
//! # use pulsar_core as pulsar;
//! use pulsar::{Context, Result, command, send, spawn};
//!
//! #[command]
//! async fn greetme(cx: Context, name: String) -> String {
//!     format!("Hello {name}, this is {}!", cx.aid())
//! }
//!
//! #[pulsar::main]
//! async fn main() -> Result<()> {
//!     let greeter = spawn().name("greeter").await?;
//!     println!("{}", send(&greeter, greetme, "luca").await?);
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

mod arbiter;
mod builtin;
mod delivery;
mod entry;
mod hosting;
mod last_word;
mod node;
mod placement;
mod route;
mod spawn;
mod spawn_hooks;
mod spawn_limits;
mod ways;

pub use arbiter::{Arbiter, Ended, HaltError, ScaleError, StartError, arbiter, halt};
pub use builtin::{KillError, NotManaged, actors, kill_actor, notify};
pub use pulsar_actor::{
    Actor, ActorCall, ActorEvents, ActorInfo, ActorStatus, Aid, Anyone, ArgInfo, Call, CallError,
    Cause, Command, CommandInfo, Context, DeadLetter, DeadReason, Declaration, Ending, Error,
    ExecutorInfo, Extra, FnRef, HookOutput, Incarnation, Info, IntoArgs, Json, LastExit, Limits,
    LinksInfo, LoopInfo, MailboxInfo, Never, OnStop, Overflow, ParamError, ParseAidError,
    Placement, Proxy, RawProxy, RestartPolicy, Result, Role, Run, SendError, Sent, Setting,
    SettingError, SettingInfo, SharedBytes, SharedBytesMut, SpawnError, SpawnParams, State,
    SystemInfo, Target, Unsent, commands, config, config_get, config_set, echo, find, get_actor,
    info, panic_message, ping, run, send, send_json, stop,
};
pub use pulsar_actor::{
    AlreadyFired, AsyncObject, Binding, EventDropped, EventLoop, Executor, Interest, Job, JobError,
    LoopEnded, ManyTimes, NoEventLoop, OneTime, Registered, Runner, Task, Timer, TooManyHandlers,
    Unrun, WaitError, Waiter, Watch, Watching,
};
pub use pulsar_child::LogConfig;
pub use pulsar_link::LinkPolicy;
pub use pulsar_macros::{actor, command, main, remote, task};
pub use pulsar_sys::FnPointer;
pub use spawn::{Spawn, Spawning, is_name, spawn};

/// What monitors and servers are made with, for the layer above. Programs have no use for it, and it changes as the
/// runtime does.
pub mod runtime {
    /// The process from which processes are forked, and the descriptor over which it is asked, of the arbiter that
    /// runs in this process; nothing if there is none.
    pub fn template() -> Option<(pulsar_sys::Pid, std::os::fd::RawFd)> {
        let node = crate::node::Node::current()?;
        node.master()?.templates.template()
    }

    pub use pulsar_sys::occupation::coarse_us;

    pub use crate::arbiter::{
        Chance, Keepers, MAX_WORKERS, MonitorOrder, Nursery, Raised, Reach, Steering,
    };
}

/// For the expansions of the macros; no one else's.
#[doc(hidden)]
pub mod __private {
    use std::future::Future;
    use std::process::{ExitCode, Termination};

    pub use pulsar_actor::__private::*;

    pub use crate::HookOutput;
    pub use crate::entry::{Preload, enter, enter_child, mark};
    pub use crate::spawn::{spawn_actor, spawn_local_actor};
    pub use pulsar_child::Way;

    /// Runs `main` under an arbiter.
    pub fn run_main<F, Fut>(main: F, preload: Option<Preload>) -> ExitCode
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output: Termination> + Send + 'static,
    {
        crate::arbiter::run_main(main, preload)
    }
}
