//! A command on its way to a link.

use std::time::Duration;

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::{Aid, Codec, CommandBody, Frame, Kind};
use tokio::time::Instant;

use crate::Passed;
use crate::key::Key;

/// A command and whom it is for, encoded but for its number.
#[derive(Debug)]
pub struct AskBody {
    /// All but what is only known when it leaves.
    frame: Frame,
    passed: Passed,
    due: Due,
}

/// How long a command is worth running.
#[derive(Clone, Copy, Debug)]
enum Due {
    Never,
    At(Instant),
    /// From when it leaves.
    Within(Duration),
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
        let lead = CommandBody::lead(command).map_err(SendError::codec)?;
        let args = Bytes::copy_from_slice(args);
        Ok(Self::in_pieces(target, lead, codec, args, deadline))
    }

    /// The same, of what is there already: the command by its [`lead`](CommandBody::lead), and the arguments.
    pub fn in_pieces(
        target: Aid,
        lead: Bytes,
        codec: Codec,
        args: Bytes,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            frame: Frame {
                codec,
                place: target.place(),
                task: target.task(),
                lead,
                ..Frame::new(Kind::Ask, args)
            },
            passed: Passed::default(),
            due: deadline.map_or(Due::Never, Due::At),
        }
    }

    /// With a deadline so long after it leaves, for one that is sent at once.
    pub fn within(mut self, limit: Duration) -> Self {
        self.due = Due::Within(limit);
        self
    }

    /// With the descriptors that its arguments name.
    pub fn with(mut self, passed: Passed) -> Self {
        self.frame.descriptors = passed.count();
        self.passed = passed;
        self
    }

    pub(crate) fn target(&self) -> Key {
        (self.frame.place, self.frame.task)
    }

    /// Makes the frame as of now: the wait for credit counts against its deadline.
    pub(crate) fn prepare(&mut self, kind: Kind, request: u64) {
        self.frame.kind = kind;
        self.frame.request = request;
        self.frame.deadline = match self.due {
            Due::Never => None,
            Due::At(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            Due::Within(limit) => Some(limit),
        };
    }

    /// The frame, as it was [prepared](Self::prepare), and what goes with it.
    pub(crate) fn prepared(&self) -> (&Frame, &Passed) {
        (&self.frame, &self.passed)
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
    use pulsar_wire::ArbiterId;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_message_waits_counts_against_its_deadline() {
        let aid = Aid::task_in(ArbiterId::from_entropy(1), 5, 6);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut body = AskBody::new(aid, "greet", Codec::Json, b"[]", Some(deadline)).unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
        body.prepare(Kind::Ask, 3);
        let (frame, _) = body.prepared();
        assert_eq!(frame.deadline, Some(Duration::from_secs(20)));
        assert_eq!((frame.place, frame.task, frame.request), (5, 6, 3));
        tokio::time::advance(Duration::from_secs(60)).await;
        body.prepare(Kind::Ask, 3);
        assert_eq!(body.prepared().0.deadline, Some(Duration::ZERO));
    }
}
