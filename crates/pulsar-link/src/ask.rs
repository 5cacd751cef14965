//! A command on its way to a link.

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::{Aid, Codec, CommandBody, Frame, Kind};
use tokio::time::Instant;

use crate::Passed;
use crate::credit::Key;

/// A command and whom it is for, encoded but for its number.
#[derive(Debug)]
pub struct AskBody {
    target: Key,
    codec: Codec,
    body: Bytes,
    passed: Passed,
    deadline: Option<Instant>,
}

impl AskBody {
    /// `command` for the actor `target`, its arguments in `codec`. Past the deadline it is not
    /// run.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if the name is too long for a frame.
    pub fn new(
        target: Aid,
        command: &str,
        codec: Codec,
        args: &[u8],
        deadline: Option<Instant>,
    ) -> Result<Self, SendError> {
        let body = CommandBody::encode(command, args).map_err(SendError::codec)?;
        Ok(Self {
            target: (target.place(), target.task()),
            codec,
            body,
            passed: Passed::default(),
            deadline,
        })
    }

    /// With the descriptors that its arguments name.
    pub fn with(mut self, passed: Passed) -> Self {
        self.passed = passed;
        self
    }

    pub(crate) fn target(&self) -> Key {
        self.target
    }

    /// What goes with the frame.
    pub(crate) fn passed(&self) -> &Passed {
        &self.passed
    }

    /// The frame as of now: the wait for credit counts against its deadline.
    pub(crate) fn frame(&self, kind: Kind, request: u64) -> Frame {
        let now = Instant::now();
        let left = self.deadline.map(|at| at.saturating_duration_since(now));
        let (place, task) = self.target;
        Frame {
            codec: self.codec,
            descriptors: self.passed.count(),
            request,
            place,
            task,
            deadline: left,
            ..Frame::new(kind, self.body.clone())
        }
    }
}

/// What the way of a message costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fare {
    /// Nothing: the runtime's own commands, which are answered whatever else waits.
    Free,
    /// One credit of its target: a command of the user's.
    Credit,
}

/// Why a message did not leave. Nothing is left of it on the link.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The link is being retired, and the message is given back. Look for the way to its target
    /// again; not before the link [is read out](crate::Link::is_read_out).
    #[error("the link is being retired")]
    Retired(Box<AskBody>),
    /// It cannot be sent.
    #[error(transparent)]
    Refused(#[from] SendError),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pulsar_wire::ArbiterId;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_message_waits_counts_against_its_deadline() {
        let aid = Aid::task_in(ArbiterId::from_entropy(1), 5, 6);
        let deadline = Instant::now() + Duration::from_secs(30);
        let body = AskBody::new(aid, "greet", Codec::Json, b"[]", Some(deadline)).unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
        let frame = body.frame(Kind::Ask, 3);
        assert_eq!(frame.deadline, Some(Duration::from_secs(20)));
        assert_eq!((frame.place, frame.task, frame.request), (5, 6, 3));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(body.frame(Kind::Ask, 3).deadline, Some(Duration::ZERO));
    }
}
