//! How the predecessor in an actor's place ended.

use pulsar_wire::Incarnation;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::Cause;

/// How the predecessor in an actor's place ended.
///
/// Tools see the cause as `ps` shows it: `{"cause": "Code", "detail": 3, "pid": 41, "incarnation": 1}`,
/// and `"stderr": [...]` where lines of it were kept.
#[derive(Clone, PartialEq, Debug)]
pub struct LastExit {
    /// How the predecessor ended.
    pub cause: Cause,
    /// Its process; `None` for a thread or task.
    pub pid: Option<u32>,
    /// Which life it was.
    pub incarnation: Incarnation,
    /// The last lines on its standard error, where they were kept; as it wrote them, so they may hold
    /// what a terminal would obey.
    pub stderr: Vec<String>,
}

/// The form for tools.
#[derive(Serialize, Deserialize)]
struct Shown {
    cause: String,
    #[serde(default)]
    detail: Value,
    pid: Option<u32>,
    incarnation: Incarnation,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stderr: Vec<String>,
}

impl Serialize for LastExit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (&self.cause, self.pid, self.incarnation, &self.stderr).serialize(serializer);
        }
        let shown = Shown {
            cause: self.cause.name().to_owned(),
            detail: self.cause.detail(),
            pid: self.pid,
            incarnation: self.incarnation,
            stderr: self.stderr.clone(),
        };
        shown.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastExit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let (cause, pid, incarnation, stderr) = Deserialize::deserialize(deserializer)?;
            return Ok(Self {
                cause,
                pid,
                incarnation,
                stderr,
            });
        }
        let shown = Shown::deserialize(deserializer)?;
        // As the cause by itself is written: a name, or a name with what belongs to it.
        let cause = match shown.detail {
            Value::Null => json!(shown.cause),
            detail => json!({ shown.cause: detail }),
        };
        Ok(Self {
            cause: serde_json::from_value(cause).map_err(D::Error::custom)?,
            pid: shown.pid,
            incarnation: shown.incarnation,
            stderr: shown.stderr,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes() -> [Cause; 9] {
        [
            Cause::Normal,
            Cause::Stopped,
            Cause::Code(3),
            Cause::Panic("why".to_owned()),
            Cause::Signal {
                signal: 9,
                core_dumped: false,
            },
            Cause::OutOfMemory,
            Cause::BootTimeout,
            Cause::Failed("no database".to_owned()),
            Cause::Unknown,
        ]
    }

    #[test]
    fn each_cause_travels_in_both_codecs_and_is_shown_as_in_ps() {
        for cause in causes() {
            let exit = LastExit {
                cause,
                pid: Some(41),
                incarnation: Incarnation(2),
                stderr: vec!["a last word".to_owned()],
            };
            let bytes = postcard::to_stdvec(&exit).unwrap();
            assert_eq!(postcard::from_bytes::<LastExit>(&bytes).unwrap(), exit);
            let shown = serde_json::to_value(&exit).unwrap();
            assert_eq!(shown["cause"], exit.cause.name());
            assert_eq!(shown["detail"], exit.cause.detail());
            assert_eq!(serde_json::from_value::<LastExit>(shown).unwrap(), exit);
        }
    }

    #[test]
    fn lines_of_stderr_are_shown_only_where_there_are_any() {
        let exit = LastExit {
            cause: Cause::Normal,
            pid: None,
            incarnation: Incarnation::FIRST,
            stderr: Vec::new(),
        };
        let shown = serde_json::to_value(&exit).unwrap();
        assert_eq!(shown.get("stderr"), None);
        assert_eq!(serde_json::from_value::<LastExit>(shown).unwrap(), exit);
    }
}
