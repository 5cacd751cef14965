//! The connection to another process.
//!
//! One socket carries frames both ways. What goes out is gathered in an [`Outbox`], so that many
//! frames leave in one write; what comes in goes to a [`LinkHandler`]. The asks that wait for a
//! reply from the other side are kept in [`Pending`]; when the other side is gone each of them
//! is answered with the cause.

mod outbox;
mod pending;
mod pump;
mod wire_link;

pub(crate) use pending::PendingReply;
pub(crate) use pump::{CloseReason, LinkHandler, pump};
pub(crate) use wire_link::{Address, AskBody, Link};
