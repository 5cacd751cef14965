//! The built-in commands of this layer.
//!
//! * [`management`]: between actors and their managers: `notify`, `spawn`.
//! * [`steering`]: what is said to the arbiter of others, or of all: `halt`.

mod management;
mod steering;

pub use management::{NotManaged, notify};

pub(crate) use management::spawn;
pub(crate) use steering::halt;
