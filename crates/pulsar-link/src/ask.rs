//! A command on its way to a link.

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::{Aid, Codec, CommandBody, Frame, Kind};
use tokio::time::Instant;

use crate::key::Key;
use crate::{Body, Passed};

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
pub enum Due {
    /// For ever.
    Never,
    /// Until then.
    At(Instant),
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
        let args = Bytes::copy_from_slice(args).into();
        let due = deadline.map_or(Due::Never, Due::At);
        Ok(Self::in_pieces(target, lead, codec, args, due))
    }

    /// The same, of what is there already: the command by its [`lead`](CommandBody::lead), and the arguments.
    pub fn in_pieces(target: Aid, lead: Bytes, codec: Codec, args: Body, due: Due) -> Self {
        Self {
            frame: Frame {
                kind: Kind::Ask,
                codec,
                descriptors: args.passed.count(),
                request: 0,
                place: target.place(),
                task: target.task(),
                incarnation: None,
                deadline: None,
                trace: Bytes::new(),
                lead,
                body: args.bytes,
            },
            passed: args.passed,
            due,
        }
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
    use std::time::Duration;

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
