//! An actor's inbox: bounded, first in first out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pulsar_wire::{Aid, Codec, Kind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::MailboxInfo;
use crate::command::CommandDef;
use crate::{Cause, SendError};
use pulsar_link::Link;
use pulsar_link::payload::{Outcome, Payload};

/// Messages that may wait in a mailbox unless the spawner says otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 1024;
/// Built-in commands that may wait. They are answered between any two other messages, so this
/// only fills when the loop itself is held.
const BUILTIN_CAPACITY: usize = 256;

/// A command on its way to an actor.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) command: &'static CommandDef,
    pub(crate) args: Payload,
    pub(crate) reply: ReplyTo,
    /// Not run after this.
    pub(crate) deadline: Option<Instant>,
    /// Who sent it, as far as this process can tell by itself.
    pub(crate) sender: Option<Aid>,
}

impl Envelope {
    /// Answers it without running it.
    pub(crate) fn refuse(self, error: SendError) {
        self.reply.send(Outcome::Undelivered(error), self.command);
    }
}

/// Where a reply goes. Dropped unused, it says that the actor died: no ask is left without an
/// answer, however its envelope came to its end.
#[derive(Debug)]
pub(crate) struct ReplyTo(Option<Waiter>);

#[derive(Debug)]
enum Waiter {
    /// A caller in this process.
    Local(oneshot::Sender<Outcome>),
    /// A caller behind a link.
    Link {
        link: Arc<Link>,
        request: u64,
        codec: Codec,
    },
}

impl ReplyTo {
    /// Nobody waits.
    pub(crate) fn nobody() -> Self {
        Self(None)
    }

    pub(crate) fn local(caller: oneshot::Sender<Outcome>) -> Self {
        Self(Some(Waiter::Local(caller)))
    }

    pub(crate) fn link(link: Arc<Link>, request: u64, codec: Codec) -> Self {
        Self(Some(Waiter::Link {
            link,
            request,
            codec,
        }))
    }

    pub(crate) fn send(mut self, outcome: Outcome, command: &CommandDef) {
        match self.0.take() {
            // The caller may have given up: then its reply has nowhere to go.
            Some(Waiter::Local(caller)) => drop(caller.send(outcome)),
            Some(Waiter::Link {
                link,
                request,
                codec,
            }) => link.answer(request, codec, encoded(outcome, codec, command)),
            None => {}
        }
    }

    /// Lets go of it without an answer: the caller gets one from elsewhere.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        // A local caller learns it from its channel, which closes.
        if let Some(Waiter::Link { link, request, .. }) = self.0.take() {
            let cause = Cause::Unknown;
            link.undelivered(request, &SendError::ActorDied { cause });
        }
    }
}

/// An outcome as it goes over a link.
fn encoded(
    outcome: Outcome,
    codec: Codec,
    command: &CommandDef,
) -> Result<(Kind, Bytes), SendError> {
    match outcome {
        Outcome::Reply(value) => Ok((Kind::Reply, (command.encode_reply)(value, codec)?)),
        Outcome::Failure(value) => Ok((Kind::Failure, (command.encode_error)(value, codec)?)),
        Outcome::Undelivered(error) => Err(error),
    }
}

/// The end to put messages in.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    builtins: mpsc::Sender<Envelope>,
    messages: mpsc::Sender<Envelope>,
    stats: Arc<MailboxStats>,
}

/// The actor's end.
#[derive(Debug)]
pub(crate) struct InboxReceiver {
    pub(crate) builtins: mpsc::Receiver<Envelope>,
    pub(crate) messages: mpsc::Receiver<Envelope>,
    pub(crate) stats: Arc<MailboxStats>,
}

pub(crate) fn mailbox(capacity: usize) -> (Inbox, InboxReceiver) {
    let (to_builtins, builtins) = mpsc::channel(BUILTIN_CAPACITY);
    let (to_messages, messages) = mpsc::channel(capacity.max(1));
    let stats = Arc::new(MailboxStats::default());
    let inbox = Inbox {
        builtins: to_builtins,
        messages: to_messages,
        stats: Arc::clone(&stats),
    };
    let receiver = InboxReceiver {
        builtins,
        messages,
        stats,
    };
    (inbox, receiver)
}

impl Inbox {
    fn queue(&self, command: &CommandDef) -> &mpsc::Sender<Envelope> {
        match command.is_builtin() {
            true => &self.builtins,
            false => &self.messages,
        }
    }

    /// Puts a message in, waiting for room. The caller bounds the wait.
    ///
    /// # Errors
    ///
    /// The message, if the mailbox is closed: its actor has ended.
    pub(crate) async fn put(&self, envelope: Envelope) -> Result<(), Envelope> {
        let queue = self.queue(envelope.command);
        queue.send(envelope).await.map_err(|unsent| unsent.0)
    }

    /// Puts a message in if there is room now.
    ///
    /// # Errors
    ///
    /// Whether the mailbox is full or closed. The message is dropped: it came as a frame, and
    /// the caller answers that.
    pub(crate) fn try_put(&self, envelope: Envelope) -> Result<(), PutError> {
        let queue = self.queue(envelope.command);
        let capacity = queue.max_capacity();
        queue.try_send(envelope).map_err(|unsent| match unsent {
            mpsc::error::TrySendError::Full(unsent) => {
                unsent.reply.forget();
                PutError::Full { capacity }
            }
            mpsc::error::TrySendError::Closed(unsent) => {
                unsent.reply.forget();
                PutError::Closed
            }
        })
    }

    pub(crate) fn info(&self) -> MailboxInfo {
        let capacity = self.messages.max_capacity();
        let depth = capacity - self.messages.capacity();
        self.stats.info(depth, capacity)
    }
}

/// Why a message was not put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PutError {
    Full { capacity: usize },
    Closed,
}

impl InboxReceiver {
    /// Closes the mailbox and answers all that waits in it: its actor has ended by `cause`.
    ///
    /// `close` comes first: what is put in before it is answered here, and what comes after it
    /// is given back to its sender, so that no message lies between.
    pub(crate) fn close(&mut self, cause: &Cause) {
        for queue in [&mut self.builtins, &mut self.messages] {
            queue.close();
            while let Ok(envelope) = queue.try_recv() {
                self.stats.count(&self.stats.dead_letters);
                envelope.refuse(SendError::ActorDied {
                    cause: cause.clone(),
                });
            }
        }
    }
}

/// A mailbox's counters. Relaxed: they are only ever read to be shown.
#[derive(Debug, Default)]
pub(crate) struct MailboxStats {
    pub(crate) received: AtomicU64,
    pub(crate) replied: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
}

impl MailboxStats {
    pub(crate) fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn info(&self, depth: usize, capacity: usize) -> MailboxInfo {
        MailboxInfo {
            depth: depth as u64,
            capacity: capacity as u64,
            received: self.received.load(Ordering::Relaxed),
            replied: self.replied.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
        }
    }
}
