//! The connection between two processes of a Pulsar system.
//!
//! At first one socket carries frames both ways. What goes out is gathered, so that many frames leave in
//! one write; what comes in goes to a [`LinkHandler`]. Once there is traffic, frames go through two
//! rings in shared memory, and the socket carries wake-ups, descriptors and the news of death. The asks that wait for a reply from the
//! other side are kept; when the other side is gone each of them is answered with the cause.
//!
//! A child has one link to the arbiter, and direct links to those children with which it speaks.
//! The arbiter makes these and passes their ends on; the least recently used are retired.
//!
//! # Layout
//!
//! * [`Link`]: one end, as its users hold it. Its methods are in files by their subject: `send`
//!   (commands, with or without waiting), `seek` (the way to an actor), `retire` (the orderly end
//!   of a direct link), `verdict` (how the other side died).
//! * [`AskBody`], [`Fare`]: what is asked of whom, and what it costs; [`Unsent`]: why it did not
//!   leave; [`Reply`]: what it comes to.
//! * [`Draft`]: a frame that is put together where its values are written.
//! * `credit`: how many messages may be on their way to one actor; [`Receipt`]: gives the credit
//!   back where they arrive; [`Arrivals`]: those that wait there for room.
//! * [`Peers`]: the direct links of one process, and whose [turn](TurnGuard) it is to seek another.
//! * [`pump`]: moves the bytes; [`CloseReason`]: why it stopped. [`Opening`]: what is read before it runs, where a process
//!   is born on the link.
//! * [`payload`]: values on their way: as they are in one process, as a [`Body`] or a [`ShortBody`] between two.
//! * [`SharedBytes`]: large values, which are [passed](Passed) beside the bytes of a body;
//!   `side_table`: where serde meets them.
//! * [`LinkPolicy`]: whether links go on through rings, and how long readers poll.
//! * `outbox`: what waits to be written, `queue` where it goes; `inbox` and `ring_inbox`: what has come
//!   by socket and by ring; `rings`: how the two ends agree to go on through rings, in `mapped` memory;
//!   `socket`: as the pump reads and writes it, and `signal`: what it carries then.
//! * `poller`: when a reader polls instead of sleeping; `seats`: how many of them in the system; `reading`: how who asks looks
//!   for its reply itself.
//! * `pending`: the asks in flight; `changes`: waiting for a
//!   condition.
#![forbid(unsafe_code)]

mod arrivals;
mod ask;
mod body;
mod changes;
mod credit;
mod draft;
mod inbox;
mod key;
mod line;
mod link;
mod link_policy;
mod mapped;
mod opening;
mod outbox;
mod passed;
pub mod payload;
mod peers;
mod pending;
mod poller;
mod pump;
mod queue;
mod reading;
mod receipt;
mod reply;
mod retire;
mod ring_inbox;
mod rings;
mod seats;
mod seek;
mod send;
mod shared_bytes;
mod short;
mod side_table;
mod signal;
mod socket;
mod turns;
mod verdict;

pub use arrivals::Arrivals;
pub use ask::{AskBody, Due, Fare, Unsent};
pub use body::{Body, BodyView};
pub use credit::WINDOW;
pub use draft::Draft;
pub use line::{Line, Place};
pub use link::Link;
pub use link_policy::LinkPolicy;
pub use opening::{Opening, OpeningError};
pub use passed::Passed;
pub use peers::Peers;
pub use pump::{Begun, CloseReason, Intake, LinkHandler, pump};
pub use receipt::Receipt;
pub use reply::Reply;
pub use rings::RingSettings;
pub use seats::{close_seats, open_seats};
pub use seek::{Entry, Seeking, Sought, SoughtReceiver};
pub use send::By;
pub use shared_bytes::{SharedBytes, SharedBytesMut};
pub use short::ShortBody;
pub use turns::TurnGuard;
