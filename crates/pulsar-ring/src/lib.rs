//! Rings of bytes in memory that two processes share.
//!
//! Two processes that share some memory speak through two rings in it, one for each direction. A
//! ring is a stream of bytes with one [`Producer`] and one [`Consumer`]. A side that finds nothing
//! to do says in the memory that it sleeps; the other rings a bell then, which is not this
//! crate's: it says when one is due, and whoever uses it has a socket or the like to ring.
//!
//! # The other side is not trusted
//!
//! It may write anything anywhere in the memory, at any time. What is kept there for both is
//! loaded once and checked before it is used: an index that lies further from one's own than the
//! ring is long is [`Corrupt`]. One's own index is kept aside and only ever stored. Bytes are copied
//! out before they are looked at. The worst that a liar reaches is that it reads its own garbage,
//! or is not woken.
//!
//! # Nobody sleeps through a bell
//!
//! See [`Sleeper`]. The proof is checked with every interleaving that loom finds, and so
//! is that the check would find it if the second look were left out.
//!
//! # Layout
//!
//! * [`Memory`]: what the crate needs of the memory; the same code runs over that of a system and
//!   over that of a model.
//! * [`ends`]: the two halves of one side; [`Side`]: which of the two it is.
//! * [`Producer`], [`Consumer`]: the ends of a ring.
//! * `sleeper`: who sleeps, and when a bell is due.
//! * `layout`: what stands where in the memory.
#![forbid(unsafe_code)]

mod consumer;
mod corrupt;
mod layout;
mod memory;
#[cfg(test)]
mod model;
mod producer;
mod side;
mod sleeper;

pub use consumer::Consumer;
pub use corrupt::Corrupt;
pub use layout::{CONTROL_BYTES, bytes_for};
pub use memory::Memory;
pub use producer::Producer;
pub use side::{Side, ends};
pub use sleeper::Sleeper;
