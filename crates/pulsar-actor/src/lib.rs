//! One actor: its state, its mailbox, its commands, its life; and how others speak with it.
//!
//! Where the actor runs, and how messages reach other processes, is the business of the layer
//! above, `pulsar-core`; this crate sees it as a [`System`](runtime::System). Most programs use both
//! through the face, `pulsar`.
//!
//! # Layout
//!
//! * `actor`: actor types; `hooks`, `events`: what runs at the points of an actor's life; `amending`:
//!   which of it runs; `behaviour`, `remote_fn`, `fn_ref`: the same as it travels to where the actor
//!   will live.
//! * `lifecycle`: **the one loop** that runs an actor; `worker`: what runs its commands in their
//!   turns; `mailbox`: where they wait; `reports`: what it tells its manager; `period`: how often
//!   its periodic task runs.
//! * `context`: the handle that its code has; `current`: which actor runs here; `proxy`: the reference that others have; `settings`:
//!   values that tools see and change.
//! * `command`, `builtin`: what can be sent.
//! * `call`, `actor_call`: a free command, or one of an actor's own, from the call to its reply;
//!   `try_send`: without waiting; `run`, `remote`: a function instead of a
//!   command; `ask`: the ways there.
//! * `system`: what an actor needs of the system.
//! * [`runtime`]: the inside, for the layers above.
#![forbid(unsafe_code)]

mod actor;
mod actor_call;
mod ask;
mod asking;
mod behaviour;
mod builtin;
mod call;
mod command;
mod context;
mod current;
mod events;
mod fn_ref;
mod hooks;
mod idle;
mod lifecycle;
mod mailbox;
mod near;
mod occupying;
mod owed;
mod proxy;
mod remote;
mod remote_fn;
mod run;
mod settings;
mod system;
mod taking_in;
mod wire_name;
mod worker;

pub use actor::{Actor, Anyone};
pub use actor_call::ActorCall;
pub use builtin::{commands, config, config_get, config_set, echo, info, ping, stop};
pub use call::{Call, send, send_json};
pub use command::Command;
pub use context::Context;
pub use current::get_actor;
pub use events::ActorEvents;
pub use fn_ref::FnRef;
pub use proxy::{Proxy, find};
pub use pulsar_link::{SharedBytes, SharedBytesMut};
pub use pulsar_loop::{
    AlreadyFired, AsyncObject, Binding, EventDropped, EventLoop, Executor, Interest, Job, JobError,
    LoopEnded, ManyTimes, NoEventLoop, OneTime, Registered, Runner, Task, Timer, TooManyHandlers,
    Unrun, WaitError, Waiter, Watch, Watching,
};
pub use pulsar_mailbox::{Sent, Unsent};
pub use pulsar_model::{
    ActorInfo, ActorStatus, Aid, ArgInfo, CallError, Cause, CommandInfo, DeadLetter, DeadReason,
    Ending, Error, ExecutorInfo, Extra, HookOutput, Incarnation, Info, IntoArgs, Json, LastExit,
    Limits, LinksInfo, LoopInfo, MailboxInfo, Never, OnStop, Overflow, ParamError, ParseAidError,
    Placement, RawProxy, RestartPolicy, Result, Role, SendError, SettingError, SettingInfo,
    SpawnError, SpawnParams, State, SystemInfo, Target, panic_message,
};
pub use pulsar_settings::{Declaration, Setting};
pub use run::{Run, run};

/// The inside of actors, for the layers of the runtime above. Programs have no use for it, and it
/// changes as the runtime does.
pub mod runtime {
    pub use crate::actor::{ActorKind, Roaming};
    pub use crate::ask::VERDICT_TIMEOUT;
    pub use crate::behaviour::Behaviour;
    pub use crate::builtin::{NAMING_CODE, RUN_POINTER, refuse_code};
    pub use crate::command::{
        BUILTINS, BoxFuture, Command, CommandDef, duplicates, is_builtin, named,
    };
    pub use crate::context::{Cell, DeadLetterHook};
    pub use crate::current::{own_thread, release_thread, scope};
    pub use crate::hooks::{Hooks, OnceHook};
    pub use crate::lifecycle::Life;
    pub use crate::mailbox::{
        DEFAULT_CAPACITY, Envelope, Inbox, Mailbox, Named, Posted, Unrun, died, settle,
    };
    pub use crate::near::{near_here, remember_here};
    pub use crate::remote_fn::RemoteFn;
    pub use pulsar_loop::runtime::{Wanted, drives, patrol};
    pub use pulsar_model::Identity;

    pub use crate::system::{LONGEST, Route, System, Turn, current, install};
}

/// For the expansions of the macros; no one else's.
#[doc(hidden)]
pub mod __private {
    pub use linkme;
    pub use pulsar_link::{BodyView, Draft};
    pub use pulsar_model::{ResultParts, Signature};
    pub use pulsar_sys::before_main;
    pub use pulsar_wire::Codec;

    pub use crate::actor::{
        Concurrent, Method, Portable, Roaming, Worked, assert_portable, local_only, read_args,
        write,
    };
    pub use crate::behaviour::{ACTORS, ActorDef};
    pub use crate::command::{BoxFuture, COMMANDS, Command, CommandDef};
    pub use crate::context::Called;
    pub use crate::remote::{REMOTES, RemoteDef, Which, Written, run_written};
    pub use crate::worker::{in_turn, side_by_side};
}
