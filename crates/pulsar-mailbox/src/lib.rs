//! What a mailbox is made of: the bounded queue in which messages wait, the way back of a reply,
//! and the counters.
//!
//! What a message is and when it is run is the business of the actor that owns the mailbox.
//!
//! # Layout
//!
//! * [`Queue`]: bounded, first in first out, with a policy for what finds it full; [`Put`]: what
//!   became of a message.
//! * [`Deadline`]: until when a message is worth running.
//! * [`ReplyTo`]: where a reply goes; an ask whose `ReplyTo` is dropped is answered all the same.
//! * [`bounded`], [`after_try_send`], [`in_a_task`]: what bounds the wait of a sender.
//! * [`Sent`], [`Unsent`]: what becomes of a command that is sent without waiting.
//! * [`MailboxStats`]: what has come and gone.
//!
//! # Example
//!
//! ```
//! use pulsar_mailbox::{Put, Queue};
//! use pulsar_model::Overflow;
//!
//! let queue = Queue::new(1, Overflow::Reject);
//! assert!(matches!(queue.try_put("first"), Put::Taken));
//! assert!(matches!(queue.try_put("second"), Put::Full("second")));
//! ```
#![forbid(unsafe_code)]

mod bounds;
mod deadline;
mod queue;
mod reply_to;
mod stats;
mod try_send;

pub use bounds::{after_try_send, bounded, in_a_task};
pub use deadline::Deadline;
pub use queue::{Put, Queue, Taken};
pub use reply_to::ReplyTo;
pub use stats::MailboxStats;
pub use try_send::{Sent, Unsent};
