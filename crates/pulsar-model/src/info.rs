//! What an actor tells of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::json::{as_text, from_text};
use crate::{Placement, State};

/// An actor's status, as `info` shows it and each notify carries it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Info {
    /// Who it is and where it stands in its life.
    pub actor: ActorInfo,
    /// Its mailbox.
    pub mailbox: MailboxInfo,
    /// The process it lives in; null where the system does not tell.
    pub system: Option<SystemInfo>,
    /// Its event loop.
    #[serde(rename = "loop")]
    pub event_loop: LoopInfo,
    /// Its executor.
    pub executor: ExecutorInfo,
    /// The links of its process to others.
    pub links: LinksInfo,
    /// What the user added.
    pub extra: Extra,
}

/// Who an actor is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ActorInfo {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Which life in its place this is, from 1.
    pub incarnation: u32,
    /// Where in that life it is.
    pub state: State,
    /// How it runs.
    pub placement: Placement,
    /// Seconds since it came alive.
    pub uptime_s: f64,
    /// Its process.
    pub pid: u32,
    /// The thread of its event loop.
    pub thread_id: i64,
    /// Its number among all actors of the arbiter, in the order of their spawning; a task in the process
    /// of a process actor has that of its host.
    pub age: u64,
    /// Which roll-out of settings it belongs to.
    pub generation: u32,
    /// How often its place was filled anew.
    pub restarts: u32,
    /// Seconds until its periodic task runs next; null while it runs, and before and after the actor does.
    pub next_periodic_task_s: Option<f64>,
}

/// An actor's mailbox, counted since it came alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MailboxInfo {
    /// Messages that wait.
    pub depth: u64,
    /// Messages that may wait.
    pub capacity: u64,
    /// Messages taken in.
    pub received: u64,
    /// Commands answered with a reply.
    pub replied: u64,
    /// Commands that failed, panicked or were not run.
    pub failed: u64,
    /// Messages left over when the mailbox closed.
    pub dead_letters: u64,
}

/// A process.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemInfo {
    /// Resident memory.
    pub rss_bytes: u64,
    /// Its share of the resident memory: what several processes have in common is divided among
    /// them. It costs too much for each notify, so only the command `info` tells it; else null.
    pub pss_bytes: Option<u64>,
    /// Processor time since the sample before, in percent of one core.
    pub cpu_percent: f64,
    /// Open descriptors.
    pub open_files: u32,
    /// Threads.
    pub threads: u32,
}

/// An event loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LoopInfo {
    /// How late the last timer came, in microseconds: how long the loop was held.
    pub lag_us: u64,
}

/// An actor's executor; all zero until it is first used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExecutorInfo {
    /// Its threads.
    pub threads: u64,
    /// Threads that run a job.
    pub busy: u64,
    /// Jobs that wait for a thread.
    pub queued: u64,
}

/// What the user adds to an actor's info: JSON values by name.
///
/// As [`Json`](crate::Json) they travel between processes as text.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Extra(pub BTreeMap<String, Value>);

impl Extra {
    /// Sets a value.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_text(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer).map(Self)
    }
}

/// The links of a process to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LinksInfo {
    /// Links that are open, those that are being retired too.
    pub open: u64,
    /// Replies that nobody waited for any more, on the open links: their callers had given up.
    pub stray_replies: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_travels_in_both_codecs() {
        let extra = Extra(BTreeMap::from([(
            "port".to_owned(),
            serde_json::json!([1, "x"]),
        )]));
        let bytes = postcard::to_stdvec(&extra).unwrap();
        assert_eq!(postcard::from_bytes::<Extra>(&bytes).unwrap(), extra);
        assert_eq!(
            serde_json::to_string(&extra).unwrap(),
            r#"{"port":[1,"x"]}"#
        );
    }
}
