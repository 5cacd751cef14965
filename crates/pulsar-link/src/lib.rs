//! The connection between two processes of a Pulsar system.
//!
//! One socket carries frames both ways. What goes out is gathered, so that many frames leave in
//! one write; what comes in goes to a [`LinkHandler`]. The asks that wait for a reply from the
//! other side are kept; when the other side is gone each of them is answered with the cause.
//!
//! # Layout
//!
//! * [`Link`]: one end, as its users hold it; [`AskBody`] and [`Address`]: what is asked of whom;
//!   [`PendingReply`]: who waits for the reply.
//! * [`pump`]: moves the bytes; [`CloseReason`]: why it stopped.
//! * [`payload`]: values on their way: as they are in one process, as bytes between two.
//! * `outbox`: what waits to be written; `pending`: the asks in flight.
#![forbid(unsafe_code)]

mod link;
mod outbox;
pub mod payload;
mod pending;
mod pump;

pub use link::{Address, AskBody, Link};
pub use pending::PendingReply;
pub use pump::{CloseReason, LinkHandler, pump};
