//! What the control socket can do with an application's arbiter.

use pulsar_control::{ActorRow, Backend, Failure, LastExit, Placement, Role, State, printable};
use pulsar_core::{ActorStatus, Arbiter, CallError, SendError, Target, arbiter, send_json};
use serde_json::{Map, Value, json};

use crate::settings::MAX_WORKERS;

/// The arbiter, as the control socket sees it.
pub(crate) struct Operations {
    arbiter: Arbiter,
    /// The instance's name.
    name: String,
}

impl Operations {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            arbiter: arbiter(),
            name: name.into(),
        }
    }
}

impl Operations {
    async fn kill(&self, target: &str) -> Result<Value, Failure> {
        let killed = self.arbiter.kill_actor(target).await;
        killed.map_err(|error| failure(&error))?;
        Ok(json!({ "stopped": target }))
    }

    async fn scale(&self, target: &str, workers: Option<&Value>) -> Result<Value, Failure> {
        let workers = workers.and_then(Value::as_u64);
        if workers.is_some_and(|workers| workers > u64::from(MAX_WORKERS)) {
            let message = format!("an application has at most {MAX_WORKERS} workers");
            return Err(failed("TooMany", &message));
        }
        let workers = workers.and_then(|workers| usize::try_from(workers).ok());
        let workers =
            workers.ok_or_else(|| failed("malformed", "`scale` takes a number of `workers`"))?;
        match self.arbiter.scale(target, workers).await {
            Ok(workers) => Ok(json!({ "workers": workers })),
            Err(error) => Err(failed(error.kind(), &error.to_string())),
        }
    }
}

impl Backend for Operations {
    fn ps(&self) -> Vec<ActorRow> {
        self.arbiter.actors().iter().map(row).collect()
    }

    async fn info(&self, target: &str) -> Result<Value, Failure> {
        let target = Target::from(target);
        let info = self
            .arbiter
            .last_info(&target)
            .map_err(|error| failure(&error))?;
        serde_json::to_value(info).map_err(|error| failed("Codec", &error.to_string()))
    }

    async fn send(&self, target: &str, command: &str, args: Vec<Value>) -> Result<Value, Failure> {
        match send_json(target, command, args).await {
            Ok(reply) => Ok(reply),
            Err(CallError::Send(error)) => Err(failure(&error)),
            Err(CallError::Command(error)) => Err(failed("Command", &text_of(&error))),
        }
    }

    async fn operate(&self, op: &str, fields: &Map<String, Value>) -> Result<Value, Failure> {
        match (op, fields.get("target").and_then(Value::as_str)) {
            ("commands", Some(target)) => self.send(target, "commands", Vec::new()).await,
            ("kill", Some(target)) => self.kill(target).await,
            ("scale", Some(target)) => self.scale(target, fields.get("workers")).await,
            ("commands" | "kill" | "scale", None) => {
                Err(failed("malformed", &format!("`{op}` takes a `target`")))
            }
            _ => Err(Failure::unsupported(op)),
        }
    }

    async fn stop(&self, target: Option<&str>) -> Result<Value, Failure> {
        let Some(target) = target else {
            self.arbiter.stop();
            return Ok(json!({ "stopped": self.name }));
        };
        self.arbiter
            .stop_actor(target)
            .await
            .map_err(|error| failure(&error))?;
        Ok(json!({ "stopped": target }))
    }
}

fn failure(error: &SendError) -> Failure {
    failed(error.kind(), &error.to_string())
}

fn failed(kind: &str, message: &str) -> Failure {
    Failure {
        kind: kind.to_owned(),
        message: message.to_owned(),
    }
}

/// A command's own error, as JSON, in words: a message by itself, or a chain of them.
fn text_of(error: &Value) -> String {
    match error {
        Value::String(message) => message.clone(),
        Value::Array(chain) if chain.iter().all(Value::is_string) => chain
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(": "),
        other => other.to_string(),
    }
}

fn row(actor: &ActorStatus) -> ActorRow {
    ActorRow {
        aid: actor.aid.to_string(),
        name: actor.name.clone(),
        role: role(actor.role),
        placement: placement(actor.placement),
        pid: actor.pid,
        state: state(actor),
        monitor: actor.monitor.clone(),
        uptime_s: actor.uptime.as_secs_f64(),
        incarnation: actor.incarnation.0.into(),
        generation: actor.generation.into(),
        restarts: actor.restarts.into(),
        last_exit: actor.last_exit.as_ref().map(|exit| LastExit {
            cause: exit.cause.name().to_owned(),
            detail: exit.cause.detail(),
            pid: exit.pid,
            stderr: exit
                .stderr
                .iter()
                .map(|line| printable(line).into_owned())
                .collect(),
        }),
        rss_bytes: actor.system.map(|system| system.rss_bytes),
        cpu_percent: actor.system.map(|system| system.cpu_percent),
        mailbox_depth: actor.mailbox.depth,
    }
}

fn role(role: pulsar_core::Role) -> Role {
    match role {
        pulsar_core::Role::Arbiter => Role::Arbiter,
        pulsar_core::Role::Monitor => Role::Monitor,
        pulsar_core::Role::Worker => Role::Worker,
        pulsar_core::Role::Actor => Role::Actor,
    }
}

fn placement(placement: pulsar_core::Placement) -> Placement {
    match placement {
        pulsar_core::Placement::Process => Placement::Process,
        pulsar_core::Placement::Thread => Placement::Thread,
        pulsar_core::Placement::Task => Placement::Task,
    }
}

/// Between two lives an actor is restarting, whatever the last one's state was.
fn state(actor: &ActorStatus) -> State {
    if actor.restarting.is_some() {
        return State::Restarting;
    }
    match actor.state {
        pulsar_core::State::Initial => State::Initial,
        pulsar_core::State::Inactive => State::Inactive,
        pulsar_core::State::Starting => State::Starting,
        pulsar_core::State::Running => State::Running,
        pulsar_core::State::Stopping => State::Stopping,
        pulsar_core::State::Closed => State::Closed,
        pulsar_core::State::Terminated => State::Terminated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_last_exit_are_shown_without_what_a_terminal_would_obey() {
        let status = json!({
            "aid": "bbbbbbbb-3", "name": "web-1", "role": "worker", "placement": "process", "pid": 42,
            "state": "running", "restarting_s": null, "monitor": "web", "uptime_s": 1.0,
            "incarnation": 2, "generation": 1, "restarts": 1,
            "last_exit": {
                "cause": "OutOfMemory", "detail": null, "pid": 41, "incarnation": 1,
                "stderr": ["\u{1b}[2Jno memory"]
            },
            "system": null,
            "mailbox": {
                "depth": 0, "capacity": 1, "received": 0, "replied": 0, "failed": 0, "dead_letters": 0
            },
            "notified_ago_s": null
        });
        let status: ActorStatus = serde_json::from_value(status).unwrap();
        let last = row(&status).last_exit.unwrap();
        assert_eq!(last.cause, "OutOfMemory");
        assert_eq!(last.stderr, ["\\u{1b}[2Jno memory"]);
    }
}
