//! One line of `ps`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is shown of one actor, as of its last notify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActorRow {
    /// The actor's id: the place, not the incarnation.
    pub aid: String,
    /// Its name, empty if it has none.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Where it runs.
    pub placement: Placement,
    /// The process it runs in; `None` while it has none, as during a back-off.
    pub pid: Option<u32>,
    /// Where it is in its life.
    pub state: State,
    /// The name of the monitor whose worker it is, or its id if it has none; `None` for others.
    pub monitor: Option<String>,
    /// How long this incarnation has lived, in seconds.
    pub uptime_s: f64,
    /// How many actors have lived in this place, this one counted.
    pub incarnation: u64,
    /// The generation of its code, counted up by each reload.
    pub generation: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// How the predecessor in this place ended; `None` for a first incarnation.
    pub last_exit: Option<LastExit>,
    /// Resident memory of its process, in bytes; `None` where it is not known.
    pub rss_bytes: Option<u64>,
    /// Processor time of its process, in percent of one core; `None` where it is not known.
    pub cpu_percent: Option<f64>,
    /// Messages that wait in its mailbox.
    pub mailbox_depth: u64,
}

/// How an actor ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastExit {
    /// The bare name of the cause, such as `Signal`.
    pub cause: String,
    /// What belongs to the cause, or null.
    #[serde(default)]
    pub detail: Value,
    /// The process that ended; `None` if the actor had none of its own.
    pub pid: Option<u32>,
    /// The last lines on its standard error stream, where they were kept, without what a terminal would obey.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
}

/// What an actor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The root of the tree.
    Arbiter,
    /// Manages workers.
    Monitor,
    /// One of a monitor's pool.
    Worker,
    /// Any other.
    Actor,
    /// A role that this release does not know.
    #[serde(other)]
    Unknown,
}

/// Where an actor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Placement {
    /// In a process of its own.
    Process,
    /// In a thread of its own.
    Thread,
    /// As a task on the event loop of another.
    Task,
    /// A placement that this release does not know.
    #[serde(other)]
    Unknown,
}

/// Where an actor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Known, nothing done yet.
    Initial,
    /// Made, not started.
    Inactive,
    /// Its start function runs.
    Starting,
    /// Ready.
    Running,
    /// On its way to an end.
    Stopping,
    /// No longer takes messages.
    Closed,
    /// Gone.
    Terminated,
    /// Its predecessor is gone, its successor waits for the end of a back-off.
    Restarting,
    /// A state that this release does not know.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Arbiter => "arbiter",
            Self::Monitor => "monitor",
            Self::Worker => "worker",
            Self::Actor => "actor",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Task => "task",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initial => "initial",
            Self::Inactive => "inactive",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Closed => "closed",
            Self::Terminated => "terminated",
            Self::Restarting => "restarting",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn restarting() -> Value {
        json!({
            "aid": "w2", "name": "web.2", "role": "worker", "placement": "process", "pid": null,
            "state": "restarting", "monitor": "m1", "uptime_s": 0.5, "incarnation": 3, "generation": 1,
            "restarts": 2, "last_exit": {"cause": "Signal", "detail": {"signal": 9, "core_dumped": false}, "pid": 41},
            "rss_bytes": null, "cpu_percent": null, "mailbox_depth": 0
        })
    }

    #[test]
    fn a_row_has_exactly_the_promised_names() {
        let row: ActorRow = serde_json::from_value(restarting()).unwrap();
        assert_eq!(row.state, State::Restarting);
        assert_eq!(serde_json::to_value(&row).unwrap(), restarting());
    }

    #[test]
    fn lines_of_stderr_are_there_where_they_were_kept() {
        let mut shown = restarting();
        shown["last_exit"]["stderr"] = json!(["a last word"]);
        let row: ActorRow = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(serde_json::to_value(&row).unwrap(), shown);
    }

    #[test]
    fn a_row_of_a_newer_release_is_still_read() {
        let mut newer = restarting();
        newer["state"] = json!("hibernating");
        newer["role"] = json!("gardener");
        newer["colour"] = json!("blue");
        let row: ActorRow = serde_json::from_value(newer).unwrap();
        assert_eq!((row.state, row.role), (State::Unknown, Role::Unknown));
    }

    #[test]
    fn the_shown_words_are_those_of_the_wire() {
        for state in [
            State::Initial,
            State::Inactive,
            State::Starting,
            State::Running,
            State::Stopping,
        ] {
            assert_eq!(json!(state), json!(state.to_string()));
        }
        for state in [State::Closed, State::Terminated, State::Restarting] {
            assert_eq!(json!(state), json!(state.to_string()));
        }
        for role in [Role::Arbiter, Role::Monitor, Role::Worker, Role::Actor] {
            assert_eq!(json!(role), json!(role.to_string()));
        }
        for placement in [Placement::Process, Placement::Thread, Placement::Task] {
            assert_eq!(json!(placement), json!(placement.to_string()));
        }
    }
}
