//! What a control server asks of the arbiter.

use std::future::Future;

use serde_json::{Map, Value};

use crate::{ActorRow, Failure};

/// The arbiter's side of the control socket: each method answers one operation.
///
/// The server bounds each answer in time and drops the future of one that takes too long. A failure's kind
/// reaches programs and its message people, as they are.
pub trait Backend: Send + Sync + 'static {
    /// All actors, from what is known here: must not wait for any of them.
    fn ps(&self) -> Vec<ActorRow>;

    /// The info object of `target`, an id or a name.
    fn info(&self, target: &str) -> impl Future<Output = Result<Value, Failure>> + Send;

    /// Sends `command` to `target` and gives the reply.
    fn send(
        &self,
        target: &str,
        command: &str,
        args: Vec<Value>,
    ) -> impl Future<Output = Result<Value, Failure>> + Send;

    /// Stops `target`, or the whole arbiter where that is `None`. For the arbiter it should answer once the
    /// stop has begun: the client waits for the end of the connection.
    fn stop(&self, target: Option<&str>) -> impl Future<Output = Result<Value, Failure>> + Send;

    /// Any other operation, with its fields. As it is, none is known.
    fn operate(
        &self,
        op: &str,
        fields: &Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Failure>> + Send {
        let _ = fields;
        let failure = Failure::unsupported(op);
        async move { Err(failure) }
    }
}
