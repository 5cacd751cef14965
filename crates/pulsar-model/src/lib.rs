//! The vocabulary of Pulsar's actor layer: what is said of actors, between crates and between
//! processes. Data only: nothing here runs, waits or decides.
//!
//! # Layout
//!
//! * [`RawProxy`] and [`Target`]: whom one means.
//! * [`State`], [`Placement`], [`Role`]: where an actor is in its life, how it runs, what for.
//! * [`Overflow`], [`OnStop`], [`DeadLetter`]: what becomes of messages that find no room or no
//!   actor.
//! * [`RestartPolicy`]: whether it begins anew, but for an [`Ending`] that is final; [`Limits`]: what it
//!   may use; [`SpawnParams`]: all that is said of it at its spawn.
//! * [`SettingInfo`]: a setting of its; [`Json`]: a value without a type that both sides know.
//! * [`Cause`]: how it ended; [`Info`]: what it tells of itself; [`ActorStatus`]: what its
//!   arbiter tells of it, with [`LastExit`], how the life before ended.
//! * [`HookOutput`]: what hooks and the handlers of events return.
//! * [`Signature`]: a command as its program knows it; [`CommandInfo`]: as tools show it; [`IntoArgs`]: what may be given for a
//!   command's arguments.
//! * [`CallError`], [`SendError`], [`SpawnError`]: what goes wrong between actors; [`Error`]: any
//!   error, as hooks and `main` return it; [`panic_message`]: the text of a panic.
//!
//! # Example
//!
//! ```
//! use pulsar_model::{Cause, SendError};
//!
//! let cause = Cause::Signal { signal: 9, core_dumped: false };
//! let error = SendError::ActorDied { cause };
//! assert_eq!(error.to_string(), "the actor died before it replied: it was killed by signal 9 (SIGKILL)");
//! ```
#![forbid(unsafe_code)]

mod args;
mod cause;
mod command_info;
mod ending;
mod error;
mod hook_output;
mod identity;
mod info;
mod json;
mod last_exit;
mod limits;
mod overflow;
mod panic_message;
mod placement;
mod proxy;
mod restart_policy;
mod result_parts;
mod role;
mod seconds;
mod setting_info;
mod signature;
mod spawn_params;
mod state;
mod status;

pub use args::IntoArgs;
pub use cause::Cause;
pub use command_info::{ArgInfo, CommandInfo};
pub use ending::Ending;
pub use error::{CallError, Error, Never, Result, SendError, SpawnError};
pub use hook_output::HookOutput;
pub use identity::Identity;
pub use info::{
    ActorInfo, ExecutorInfo, Extra, Info, LinksInfo, LoopInfo, MailboxInfo, SystemInfo,
};
pub use json::Json;
pub use last_exit::LastExit;
pub use limits::Limits;
pub use overflow::{DeadLetter, DeadReason, OnStop, Overflow};
pub use panic_message::panic_message;
pub use placement::Placement;
pub use proxy::{RawProxy, Target};
pub use pulsar_wire::{Aid, ArbiterId, Incarnation, ParseAidError};
pub use restart_policy::RestartPolicy;
#[doc(hidden)]
pub use result_parts::ResultParts;
pub use role::Role;
pub use setting_info::{ParamError, SettingError, SettingInfo};
pub use signature::Signature;
pub use spawn_params::SpawnParams;
pub use state::State;
pub use status::ActorStatus;
