//! What the floors of the benchmark need of the system and Rust calls unsafe. All unsafe code of `benches/` is here.
//!
//! # Layout
//!
//! | file | holds |
//! |---|---|
//! | `mapping` | [`Mapping`]: memory of a memfd, mapped |
//! | `ring` | [`Ring`]: one producer, one consumer, in shared memory, polled |
//! | `fork` | [`fork`]: a child of a process that has one thread; [`Child`] |
//! | `template` | [`Template`]: a process that forks others on demand; descriptors on their way |

mod fork;
mod mapping;
mod ring;
mod template;

pub use fork::{Child, fork};
pub use mapping::Mapping;
pub use ring::{Consumer, Producer, Ring};
pub use template::{Template, receive_descriptor, send_descriptor};
