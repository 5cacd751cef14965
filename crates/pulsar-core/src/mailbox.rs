//! An actor's inbox: bounded, first in first out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pulsar_wire::{Aid, Codec, Kind};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::command::CommandDef;
use crate::queue::Queue;
use crate::{Cause, MailboxInfo, Overflow, SendError};
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

/// An actor's mailbox, as its senders and the actor itself hold it. Built-in commands have a
/// queue of their own, so that they are answered while a command of the user's awaits.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(Arc<Queues>);

#[derive(Debug)]
struct Queues {
    builtins: Queue<Envelope>,
    messages: Queue<Envelope>,
    stats: MailboxStats,
}

impl Mailbox {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self(Arc::new(Queues {
            builtins: Queue::new(BUILTIN_CAPACITY, Overflow::Wait),
            messages: Queue::new(capacity, overflow),
            stats: MailboxStats::default(),
        }))
    }

    /// Where a message waits.
    pub(crate) fn queue(&self, command: &CommandDef) -> &Queue<Envelope> {
        match command.builtin {
            true => &self.0.builtins,
            false => &self.0.messages,
        }
    }

    pub(crate) fn builtins(&self) -> &Queue<Envelope> {
        &self.0.builtins
    }

    pub(crate) fn messages(&self) -> &Queue<Envelope> {
        &self.0.messages
    }

    pub(crate) fn stats(&self) -> &MailboxStats {
        &self.0.stats
    }

    pub(crate) fn info(&self) -> MailboxInfo {
        let messages = &self.0.messages;
        self.0.stats.info(messages.depth(), messages.capacity())
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
    /// Counts one more; how many there were before.
    pub(crate) fn count(&self, counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Ordering::Relaxed)
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
