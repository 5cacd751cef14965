//! An actor as the arbiter sees it.

use std::time::Duration;

use pulsar_wire::{Aid, Incarnation};
use serde::{Deserialize, Serialize};

use crate::{LastExit, MailboxInfo, Placement, Role, State, SystemInfo, seconds};

/// An actor as the arbiter sees it: what its last notify said, and how old that is.
///
/// Tools see times as seconds (`uptime_s`, `restarting_s`, `notified_ago_s`) and the id as text.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ActorStatus {
    /// Its id.
    #[serde(with = "shown_aid")]
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
    #[serde(rename = "restarting_s", with = "seconds::optional")]
    pub restarting: Option<Duration>,
    /// The name of the monitor whose worker it is.
    pub monitor: Option<String>,
    /// Time since this life began.
    #[serde(rename = "uptime_s", with = "seconds")]
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
    /// How old the last notify is; `None` before the first. A process that sleeps is not woken for one: it grows to ten
    /// periods there, unless somebody asks for this.
    #[serde(rename = "notified_ago_s", with = "seconds::optional")]
    pub notified_ago: Option<Duration>,
}

/// An id as its text, where people may read it.
mod shown_aid {
    use pulsar_wire::Aid;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(aid: &Aid, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(aid),
            false => aid.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Aid, D::Error> {
        match deserializer.is_human_readable() {
            true => String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom),
            false => Aid::deserialize(deserializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use pulsar_wire::ArbiterId;
    use serde_json::json;

    use super::*;
    use crate::Cause;

    fn status() -> ActorStatus {
        ActorStatus {
            aid: Aid::new(ArbiterId::from_entropy(7), 3),
            name: "web-1".to_owned(),
            role: Role::Worker,
            placement: Placement::Process,
            pid: None,
            state: State::Terminated,
            restarting: Some(Duration::from_millis(250)),
            monitor: Some("web".to_owned()),
            uptime: Duration::from_millis(1500),
            incarnation: Incarnation(2),
            generation: 1,
            restarts: 1,
            last_exit: Some(LastExit {
                cause: Cause::Code(3),
                pid: Some(41),
                incarnation: Incarnation::FIRST,
                stderr: Vec::new(),
            }),
            system: None,
            mailbox: MailboxInfo::default(),
            notified_ago: None,
        }
    }

    #[test]
    fn a_status_travels_in_both_codecs() {
        let bytes = postcard::to_stdvec(&status()).unwrap();
        assert_eq!(
            postcard::from_bytes::<ActorStatus>(&bytes).unwrap(),
            status()
        );
        let text = serde_json::to_string(&status()).unwrap();
        assert_eq!(
            serde_json::from_str::<ActorStatus>(&text).unwrap(),
            status()
        );
    }

    #[test]
    fn tools_see_seconds_and_the_id_as_text() {
        let shown = serde_json::to_value(status()).unwrap();
        assert_eq!(shown["aid"], json!(status().aid.to_string()));
        assert_eq!(shown["uptime_s"], json!(1.5));
        assert_eq!(shown["restarting_s"], json!(0.25));
        assert_eq!(shown["notified_ago_s"], json!(null));
        assert_eq!(shown["last_exit"]["cause"], json!("Code"));
    }

    #[test]
    fn a_time_that_cannot_be_is_refused() {
        let mut shown = serde_json::to_value(status()).unwrap();
        shown["uptime_s"] = json!(-1.0);
        assert!(serde_json::from_value::<ActorStatus>(shown).is_err());
    }
}
