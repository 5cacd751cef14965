//! An actor as the arbiter sees it.

use std::time::Duration;

use pulsar_wire::{Aid, Incarnation};

use crate::{LastExit, MailboxInfo, Placement, Role, State, SystemInfo};

/// An actor as the arbiter sees it: what its last notify said, and how old that is.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorStatus {
    /// Its id.
    pub aid: Aid,
    /// Its name; empty if it has none.
    pub name: String,
    /// Its part in the system.
    pub role: Role,
    /// How it runs.
    pub placement: Placement,
    /// The process it lives in; `None` between two lives.
    pub pid: Option<u32>,
    /// Where in its life it is.
    pub state: State,
    /// Between two lives: how long until the next may begin.
    pub restarting: Option<Duration>,
    /// The name of the monitor whose worker it is.
    pub monitor: Option<String>,
    /// Time since this life began.
    pub uptime: Duration,
    /// Which life in its place this is.
    pub incarnation: Incarnation,
    /// Which roll-out of settings it belongs to.
    pub generation: u32,
    /// How often its place was filled anew.
    pub restarts: u32,
    /// How the predecessor in its place ended.
    pub last_exit: Option<LastExit>,
    /// Its process, by its last notify.
    pub system: Option<SystemInfo>,
    /// Its mailbox, by its last notify.
    pub mailbox: MailboxInfo,
    /// How old the last notify is; `None` before the first.
    pub notified_ago: Option<Duration>,
}
